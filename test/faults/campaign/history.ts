/**
 * What one log was asked, what it answered, and what readers saw of it: the memory that a crash can not
 * take, against which a recovered log is judged. Owns the anomalies (RELIABILITY, "Anomalies a checker
 * looks for") and says each as a sentence. Knows nothing of disks and does no reading itself. What a
 * compacted log may leave out is `compacted.ts`'s to say.
 */

import { absenceProblems, type CompactionRule, type KeyedRecord } from './compacted.ts'

/** A batch somebody tried to append; a retry of it is the same attempt. */
export interface Attempt {
  readonly id: number
  /** Unique over the whole run: a value names its attempt and its place in it. */
  readonly values: readonly string[]
  /** The key of each value, and whether it deletes that key; of a log that is not compacted none. */
  readonly keys: readonly string[]
  readonly tombstones: readonly boolean[]
  readonly producer: { readonly id: number; readonly sequence: number } | undefined
  /**
   * `open`: sent, no answer yet (a crash leaves it so). `acknowledged`: with what was promised.
   * `refused`: certainly not in the log. `unknown`: the answer said so. `gone`: found missing, as it may
   * be, after a crash; it must not come back by itself.
   */
  state: 'open' | 'acknowledged' | 'refused' | 'unknown' | 'gone'
  /** The offset the log gave it in the newest try. */
  baseOffset: number
  leaderEpoch: number
  /** Wall clock of the newest try. */
  appendedAtMs: number
  /** Survives a power cut, not only the process. */
  isDurable: boolean
}

/** One record as a reader got it. */
export interface SeenRecord {
  readonly offset: number
  readonly value: string
  readonly leaderEpoch: number
}

/** What a recovered log says of itself. */
export interface LogBounds {
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly highWatermark: number
  readonly leaderEpoch: number
}

/** What was lost: nothing of the kernel's cache, or all that was not synced. */
export type Crash = 'clean stop' | 'process kill' | 'power cut'

export class LogHistory {
  readonly name: string
  /** Acknowledged has always meant synced; otherwise, at some time, only written. */
  isSynced: boolean
  readonly attempts: Attempt[] = []
  readonly #byValue = new Map<string, Attempt>()
  /** What readers saw, by offset. */
  readonly #seen = new Map<number, string>()
  /** The log said everything below was durable. */
  #flushedOffset = 0
  /** The highest start that was confirmed, and the highest that was ever asked for. */
  #startConfirmed = 0
  #startAsked = 0
  #leaderEpoch = -1
  /** Retention may move the start by itself. */
  startMayMove = false
  /** What the log said when it would not take a batch: for a person who wonders. */
  readonly errors: unknown[] = []
  /** How it is compacted, if it is. */
  readonly compaction: CompactionRule | undefined
  /** Values that were missing once, as they may be in a compacted log: they must not come back. */
  readonly #absent = new Set<string>()

  constructor(name: string, isSynced: boolean, compaction?: CompactionRule) {
    this.name = name
    this.isSynced = isSynced
    this.compaction = compaction
  }

  send(
    values: readonly string[],
    producer: Attempt['producer'],
    keyed: Pick<Attempt, 'keys' | 'tombstones'> = { keys: [], tombstones: [] },
  ): Attempt {
    const attempt: Attempt = {
      id: this.attempts.length,
      values,
      ...keyed,
      producer,
      state: 'open',
      baseOffset: -1,
      leaderEpoch: -1,
      appendedAtMs: 0,
      isDurable: false,
    }
    this.attempts.push(attempt)
    for (const value of values) this.#byValue.set(value, attempt)
    return attempt
  }

  /** The log gave the attempt a place; a repeat that it knew keeps the one it had. */
  place(attempt: Attempt, baseOffset: number, leaderEpoch: number, nowMs: number): void {
    attempt.state = 'open'
    attempt.baseOffset = baseOffset
    attempt.leaderEpoch = leaderEpoch
    attempt.appendedAtMs = nowMs
    for (const value of attempt.values) this.#absent.delete(value)
  }

  acknowledge(attempt: Attempt, isDurable: boolean): void {
    attempt.state = 'acknowledged'
    attempt.isDurable ||= isDurable
  }

  /** The log was deleted; one of the same name that comes later begins at nothing. */
  forget(): void {
    for (const attempt of this.attempts) attempt.state = 'gone'
    this.#seen.clear()
    this.#absent.clear()
    this.#flushedOffset = 0
    this.#startConfirmed = 0
    this.#startAsked = 0
  }

  noteError(error: unknown): void {
    this.errors.push(error)
  }

  noteFlushed(offset: number): void {
    this.#flushedOffset = Math.max(this.#flushedOffset, offset)
  }

  askStart(offset: number): void {
    this.#startAsked = Math.max(this.#startAsked, offset)
  }

  confirmStart(offset: number): void {
    this.#startConfirmed = Math.max(this.#startConfirmed, offset)
  }

  /** Records that a reader got below the high watermark. Returns what is wrong with them. */
  see(records: readonly SeenRecord[], leaderEpoch: number): string[] {
    const problems: string[] = []
    for (const record of records) {
      const before = this.#seen.get(record.offset)
      if (before !== undefined && before !== record.value) {
        problems.push(`inconsistent-offsets: ${record.offset} was ${before}, is ${record.value}`)
      }
      this.#seen.set(record.offset, record.value)
      const attempt = this.#byValue.get(record.value)
      if (attempt === undefined) {
        problems.push(`unexpected: ${record.value} at ${record.offset} was never sent`)
        continue
      }
      const expected = attempt.baseOffset + attempt.values.indexOf(record.value)
      if (attempt.state === 'refused') {
        problems.push(`aborted-read: ${record.value} at ${record.offset} had been refused`)
      } else if (attempt.state === 'gone' || this.#absent.has(record.value)) {
        problems.push(`resurrection: ${record.value} at ${record.offset} had been lost`)
      } else if (record.offset !== expected) {
        problems.push(`moved: ${record.value} is at ${record.offset}, was given ${expected}`)
      }
      if (record.leaderEpoch > leaderEpoch || record.leaderEpoch !== attempt.leaderEpoch) {
        problems.push(
          `epoch: ${record.value} has ${record.leaderEpoch}, was given ${attempt.leaderEpoch}, the log is in ${leaderEpoch}`,
        )
      }
    }
    return problems.map((problem) => `${this.name}: ${problem}`)
  }

  /**
   * Judges the whole content of the log after `crash`, and settles what was open: an attempt is from
   * here on in the log or gone.
   */
  settle(records: readonly SeenRecord[], bounds: LogBounds, crash: Crash, nowMs: number): string[] {
    const problems = this.#boundProblems(bounds, crash)
    const isWhole = this.compaction === undefined
    problems.push(...orderProblems(records, bounds, isWhole), ...duplicateProblems(records))
    const found = new Map(records.map((record) => [record.value, record.offset]))
    problems.push(
      ...(this.compaction === undefined
        ? this.#settleWhole(found, bounds, crash)
        : this.#settleCompacted(found, bounds, crash, this.compaction, nowMs)),
    )
    const mayForget = !this.isSynced && crash === 'power cut'
    for (const [offset, value] of this.#seen) {
      if (offset < bounds.logStartOffset || found.get(value) === offset) continue
      if (mayForget || this.#absent.has(value)) this.#seen.delete(offset)
      else problems.push(`phantom-read: ${value} was read at ${offset}, is absent now`)
    }
    const named = problems.map((problem) => `${this.name}: ${problem}`)
    named.push(...this.see(records, bounds.leaderEpoch))
    this.#leaderEpoch = bounds.leaderEpoch
    // Everything a recovered log shows is on stable storage, whatever was promised before.
    for (const record of records) this.#keep(record.value)
    this.noteFlushed(bounds.logEndOffset)
    this.confirmStart(bounds.logStartOffset)
    return named
  }

  /** Every attempt that was not refused and got a place at or above the log's start. */
  #placed(bounds: LogBounds): Attempt[] {
    for (const attempt of this.attempts) {
      if (attempt.state !== 'gone' && attempt.baseOffset < 0) attempt.state = 'refused'
    }
    return this.attempts.filter(
      ({ state, baseOffset, values }) =>
        state !== 'refused' &&
        state !== 'gone' &&
        baseOffset + values.length > bounds.logStartOffset,
    )
  }

  #isPromised(attempt: Attempt, crash: Crash): boolean {
    return attempt.state === 'acknowledged' && (attempt.isDurable || crash !== 'power cut')
  }

  #settleWhole(found: ReadonlyMap<string, number>, bounds: LogBounds, crash: Crash): string[] {
    const problems: string[] = []
    for (const attempt of this.#placed(bounds)) {
      const missing = attempt.values.filter(
        (value, at) => !found.has(value) && attempt.baseOffset + at >= bounds.logStartOffset,
      )
      if (missing.length > 0 && this.#isPromised(attempt, crash)) {
        problems.push(
          `lost-write: ${missing[0]} acknowledged at ${attempt.baseOffset}, log is ${describe(bounds)}`,
        )
      } else if (missing.length > 0 && missing.length < attempt.values.length) {
        problems.push(`torn batch: ${missing[0]} is missing of the batch at ${attempt.baseOffset}`)
      }
      if (missing.length === attempt.values.length) attempt.state = 'gone'
    }
    return problems
  }

  /**
   * A log ends at a whole batch, and below that end nothing was lost: what is missing there was compacted
   * away, rightly or not.
   */
  #settleCompacted(
    found: ReadonlyMap<string, number>,
    bounds: LogBounds,
    crash: Crash,
    rule: CompactionRule,
    nowMs: number,
  ): string[] {
    const problems: string[] = []
    const inLog: KeyedRecord[] = []
    const taken = new Set<number>()
    // The newest first: an offset that was given twice belongs to who got it last, unless he is not there.
    const placed = this.#placed(bounds).sort((a, b) => b.id - a.id)
    const isFound = ({ values }: Attempt) => values.some((value) => found.has(value))
    for (const attempt of [...placed.filter(isFound), ...placed.filter((it) => !isFound(it))]) {
      const { baseOffset, values, keys, tombstones, appendedAtMs } = attempt
      const isBeyond = baseOffset + values.length > bounds.logEndOffset
      if (isBeyond || (!isFound(attempt) && taken.has(baseOffset))) {
        if (this.#isPromised(attempt, crash)) {
          problems.push(`lost-write: ${values[0]} at ${baseOffset}, log is ${describe(bounds)}`)
        }
        attempt.state = 'gone'
        continue
      }
      for (const [at, value] of values.entries()) {
        const offset = baseOffset + at
        taken.add(offset)
        if (offset < bounds.logStartOffset) continue
        inLog.push({ offset, value, key: keys[at]!, isTombstone: tombstones[at]!, appendedAtMs })
        if (!found.has(value)) this.#absent.add(value)
      }
      attempt.state = 'acknowledged'
      attempt.isDurable = true
    }
    return [...problems, ...absenceProblems(inLog, found, rule, nowMs)]
  }

  #keep(value: string): void {
    const attempt = this.#byValue.get(value)
    if (attempt === undefined) return
    if (attempt.state === 'open' || attempt.state === 'unknown') attempt.state = 'acknowledged'
    attempt.isDurable = true
  }

  #boundProblems(bounds: LogBounds, crash: Crash): string[] {
    const problems: string[] = []
    const { logStartOffset, logEndOffset } = bounds
    const say = (problem: string) => problems.push(`${problem}, log is ${describe(bounds)}`)
    if (logStartOffset < this.#startConfirmed) {
      say(`log-start-regression: it was confirmed at ${this.#startConfirmed}`)
    }
    if (!this.startMayMove && logStartOffset > this.#startAsked) {
      say(`log-start-overshoot: at most ${this.#startAsked} was asked for`)
    }
    if (logStartOffset > logEndOffset) say('the start is beyond the end')
    if (logEndOffset < this.#flushedOffset) say(`flushed-regression: it was ${this.#flushedOffset}`)
    if (bounds.highWatermark !== logEndOffset) say(`after ${crash} not all is visible`)
    if (bounds.leaderEpoch <= this.#leaderEpoch) say(`epoch-regression from ${this.#leaderEpoch}`)
    return problems
  }
}

/** Offsets rise, without a gap where nothing may be missing; epochs do not fall. */
function orderProblems(
  records: readonly SeenRecord[],
  bounds: LogBounds,
  isWhole: boolean,
): string[] {
  const problems: string[] = []
  let expected = bounds.logStartOffset
  let leaderEpoch = -1
  for (const record of records) {
    if (isWhole ? record.offset !== expected : record.offset < expected) {
      problems.push(`sequence-gap: ${record.offset} follows ${expected - 1}`)
    }
    if (record.leaderEpoch < leaderEpoch) {
      problems.push(
        `epoch-regression: ${record.leaderEpoch} at ${record.offset} after ${leaderEpoch}`,
      )
    }
    leaderEpoch = record.leaderEpoch
    expected = record.offset + 1
  }
  if (isWhole && expected !== bounds.logEndOffset) {
    problems.push(`unseen: reading ended at ${expected}, the log ends at ${bounds.logEndOffset}`)
  }
  return problems
}

function duplicateProblems(records: readonly SeenRecord[]): string[] {
  const problems: string[] = []
  const offsets = new Map<string, number>()
  for (const record of records) {
    const earlier = offsets.get(record.value)
    if (earlier !== undefined) {
      problems.push(`duplicate: ${record.value} at ${earlier} and ${record.offset}`)
    }
    offsets.set(record.value, record.offset)
  }
  return problems
}

function describe(bounds: LogBounds): string {
  return `[${bounds.logStartOffset}, ${bounds.logEndOffset}) in epoch ${bounds.leaderEpoch}`
}
