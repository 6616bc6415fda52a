/**
 * What producers sent and were told, and how that compares with what is in the log at the end. Values are
 * unique, so each record in the log is seen as what it is. Pure.
 */

/** What a producer was told of a record; `untold` would be a promise that never settled. */
export type Told = 'untold' | 'acknowledged' | 'refused' | 'unknown'

/** What may be asked of a producer. */
export interface Promises {
  readonly isIdempotent: boolean
  /** It waits longer than anything lasts: nothing of it may fail. */
  readonly isPatient: boolean
}

export interface SentRecord {
  readonly value: string
  readonly producer: number
  /** Among all of its producer. */
  readonly ordinal: number
  /** The partition it was sent to, where the producer named one. */
  partition: number
  /** The highest offset anybody had been told of in each partition when it was given. */
  readonly above: readonly number[]
  told: Told
  offset: number
}

/** Each in the words of the checkers of public broker tests. */
export const ANOMALIES = {
  'lost-write': 'acknowledged, and not in the log',
  duplicate: 'one value at two offsets, from an idempotent producer',
  'inconsistent-offsets': 'acknowledged at an offset where another value stands',
  unexpected: 'in the log, and never sent',
  'aborted-read': 'told to be refused, and in the log',
  'nonmonotonic-send': "a producer's values in another order than it sent them",
  'stale-offset': 'acknowledged not above what was acknowledged before it was sent',
  'offset-gap': 'an offset without a record',
  'given-up': 'not acknowledged, though its producer had all the time it needed',
  untold: 'a record whose fate nobody ever told',
} as const

export type Anomaly = keyof typeof ANOMALIES

export interface SendVerdict {
  readonly counts: Readonly<Record<Anomaly, number>>
  readonly told: Readonly<Record<Told, number>>
  /** Unknown ones that are in the log after all. */
  readonly unknownThere: number
  readonly inLog: number
  /** The first of them in a sentence each. */
  readonly examples: readonly string[]
}

const EXAMPLES_MAX = 20
const NOTHING = -1

/** Notes what is sent and told while it happens. */
export class SendHistory {
  readonly records: SentRecord[] = []
  readonly #highest: number[]

  constructor(partitions: number) {
    this.#highest = Array.from({ length: partitions }, () => NOTHING)
  }

  give(value: string, producer: number, ordinal: number): SentRecord {
    const above = [...this.#highest]
    const record: SentRecord = {
      value,
      producer,
      ordinal,
      partition: NOTHING,
      above,
      told: 'untold',
      offset: NOTHING,
    }
    this.records.push(record)
    return record
  }

  acknowledge(record: SentRecord, partition: number, offset: number): void {
    record.told = 'acknowledged'
    record.partition = partition
    record.offset = offset
    this.#highest[partition] = Math.max(this.#highest[partition] ?? NOTHING, offset)
  }
}

export interface LoggedRecord {
  readonly offset: number
  readonly value: string
}

interface Place {
  readonly partition: number
  readonly offset: number
}

/** Compares what was told with the log, by partition. */
export function checkHistory(
  records: readonly SentRecord[],
  logs: readonly (readonly LoggedRecord[])[],
  promisesOf: (producer: number) => Promises,
): SendVerdict {
  const counts = Object.fromEntries(Object.keys(ANOMALIES).map((name) => [name, 0])) as Record<
    Anomaly,
    number
  >
  const examples: string[] = []
  const note = (anomaly: Anomaly, detail: string) => {
    counts[anomaly] += 1
    if (examples.length < EXAMPLES_MAX) examples.push(`${anomaly}: ${detail}`)
  }
  const sent = new Map(records.map((record) => [record.value, record]))
  const places = placesOf(logs, note)
  for (const [value, found] of places) {
    const record = sent.get(value)
    if (record === undefined) note('unexpected', `${value} at ${shown(found)}`)
    else if (found.length > 1 && promisesOf(record.producer).isIdempotent) {
      note('duplicate', `${value} at ${shown(found)}`)
    }
  }
  for (const record of records) {
    checkRecord(record, places.get(record.value) ?? [], note)
    const isGivenUp = record.told === 'refused' || record.told === 'unknown'
    if (isGivenUp && promisesOf(record.producer).isPatient) note('given-up', record.value)
  }
  for (const log of logs) checkOrder(log, sent, promisesOf, note)
  return {
    counts,
    told: countTold(records),
    unknownThere: records.filter(({ told, value }) => told === 'unknown' && places.has(value))
      .length,
    inLog: logs.reduce((sum, log) => sum + log.length, 0),
    examples,
  }
}

type Note = (anomaly: Anomaly, detail: string) => void

function placesOf(
  logs: readonly (readonly LoggedRecord[])[],
  note: Note,
): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>()
  for (const [partition, log] of logs.entries()) {
    for (const [at, { offset, value }] of log.entries()) {
      const before = log[at - 1]?.offset ?? NOTHING
      if (offset !== before + 1) note('offset-gap', `${partition}/${offset} follows ${before}`)
      const found = places.get(value)
      if (found === undefined) places.set(value, [{ partition, offset }])
      else found.push({ partition, offset })
    }
  }
  return places
}

function checkRecord(record: SentRecord, found: readonly Place[], note: Note): void {
  const { value, told, partition, offset, above } = record
  if (told === 'untold') note('untold', value)
  if (told === 'refused' && found.length > 0) note('aborted-read', `${value} at ${shown(found)}`)
  if (told !== 'acknowledged') return
  const isThere = found.some((place) => place.partition === partition && place.offset === offset)
  if (!isThere) {
    const anomaly = found.length === 0 ? 'lost-write' : 'inconsistent-offsets'
    note(anomaly, `${value}, told ${partition}/${offset}, is at ${shown(found) || 'no place'}`)
  }
  if (offset <= (above[partition] ?? NOTHING)) {
    note('stale-offset', `${value} at ${partition}/${offset}, sent after ${above[partition]}`)
  }
}

/** Of an idempotent producer everything in the log counts, of another what was acknowledged. */
function checkOrder(
  log: readonly LoggedRecord[],
  sent: ReadonlyMap<string, SentRecord>,
  promisesOf: (producer: number) => Promises,
  note: Note,
): void {
  const last = new Map<number, SentRecord>()
  for (const { offset, value } of log) {
    const record = sent.get(value)
    if (record === undefined) continue
    const counts = promisesOf(record.producer).isIdempotent || record.offset === offset
    if (!counts) continue
    const before = last.get(record.producer)
    if (before !== undefined && before.ordinal > record.ordinal) {
      note('nonmonotonic-send', `${value} at ${offset} stands after ${before.value}`)
    }
    last.set(record.producer, record)
  }
}

function countTold(records: readonly SentRecord[]): Record<Told, number> {
  const told = { untold: 0, acknowledged: 0, refused: 0, unknown: 0 }
  for (const record of records) told[record.told] += 1
  return told
}

function shown(places: readonly Place[]): string {
  return places.map(({ partition, offset }) => `${partition}/${offset}`).join(' and ')
}
