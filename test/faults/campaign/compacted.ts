/**
 * What a compacted log may leave out, judged from what was appended to it and what was found in it. Pure.
 *
 * Of the records of one key, in the order of their offsets, some from the first on may be gone, and never
 * one while an older one is there: what is older goes first.
 *
 *     a=1   a=2   a=∅   a=3        a=1   a=2   a=∅
 *      ·     ·     ·    found       ·     ·     ·     once the tombstone's time is over
 *      ·   found found  found       ·     ·   found
 *      ·   found   ·    found                         wrong: back to life, were a=3 to go
 */

export interface CompactionRule {
  readonly deleteRetentionMs: number
}

/** A record that is in the log, or was. */
export interface KeyedRecord {
  readonly offset: number
  readonly value: string
  readonly key: string
  readonly isTombstone: boolean
  readonly appendedAtMs: number
}

/** What is wrong with a log that holds `found`, of all that it was given and has to account for. */
export function absenceProblems(
  records: readonly KeyedRecord[],
  found: ReadonlyMap<string, number>,
  rule: CompactionRule,
  nowMs: number,
): string[] {
  const byKey = new Map<string, KeyedRecord[]>()
  for (const record of records.toSorted((a, b) => a.offset - b.offset)) {
    byKey.set(record.key, [...(byKey.get(record.key) ?? []), record])
  }
  return [...byKey.values()].flatMap((ofKey) => problemsOfKey(ofKey, found, rule, nowMs))
}

function problemsOfKey(
  records: readonly KeyedRecord[],
  found: ReadonlyMap<string, number>,
  { deleteRetentionMs }: CompactionRule,
  nowMs: number,
): string[] {
  const first = records.findIndex(({ value }) => found.has(value))
  if (first >= 0) {
    const missing = records.slice(first).find(({ value }) => !found.has(value))
    if (missing === undefined) return []
    const older = records[first]!
    return [`outlived: ${name(older)} is there, and ${name(missing)}, which replaced it, is not`]
  }
  const last = records.at(-1)!
  const isOver = last.isTombstone && nowMs - last.appendedAtMs >= deleteRetentionMs
  if (isOver) return []
  return [`lost-write: ${name(last)}, the last of its key, is gone`]
}

function name({ key, value, offset, isTombstone }: KeyedRecord): string {
  return `${value} at ${offset} (${isTombstone ? 'deletes' : 'of'} key ${key})`
}
