/**
 * What one log was asked, what it answered, and what readers saw of it: the memory that a crash can not
 * take, against which a recovered log is judged. Owns the anomalies (RELIABILITY, "Anomalies a checker
 * looks for") and says each as a sentence. Knows nothing of disks and does no reading itself.
 */

/** A batch somebody tried to append; a retry of it is the same attempt. */
export interface Attempt {
  readonly id: number
  /** Unique over the whole run: a value names its attempt and its place in it. */
  readonly values: readonly string[]
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

  constructor(name: string, isSynced: boolean) {
    this.name = name
    this.isSynced = isSynced
  }

  send(values: readonly string[], producer: Attempt['producer']): Attempt {
    const attempt: Attempt = {
      id: this.attempts.length,
      values,
      producer,
      state: 'open',
      baseOffset: -1,
      leaderEpoch: -1,
      isDurable: false,
    }
    this.attempts.push(attempt)
    for (const value of values) this.#byValue.set(value, attempt)
    return attempt
  }

  acknowledge(attempt: Attempt, isDurable: boolean): void {
    attempt.state = 'acknowledged'
    attempt.isDurable ||= isDurable
  }

  /** The log was deleted; one of the same name that comes later begins at nothing. */
  forget(): void {
    for (const attempt of this.attempts) attempt.state = 'gone'
    this.#seen.clear()
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
      } else if (attempt.state === 'gone') {
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
  settle(records: readonly SeenRecord[], bounds: LogBounds, crash: Crash): string[] {
    const problems = this.#boundProblems(bounds, crash)
    problems.push(...contiguityProblems(records, bounds), ...duplicateProblems(records))
    const keepsUnsynced = crash !== 'power cut'
    const found = new Map(records.map((record) => [record.value, record.offset]))
    for (const attempt of this.attempts) {
      if (attempt.state === 'refused' || attempt.state === 'gone') continue
      if (attempt.baseOffset < 0) attempt.state = 'refused'
      if (attempt.baseOffset < 0) continue
      const last = attempt.baseOffset + attempt.values.length - 1
      const isBelowStart = last < bounds.logStartOffset
      if (isBelowStart) continue
      const missing = attempt.values.filter(
        (value, at) => !found.has(value) && attempt.baseOffset + at >= bounds.logStartOffset,
      )
      const isPromised = attempt.state === 'acknowledged' && (attempt.isDurable || keepsUnsynced)
      if (missing.length > 0 && isPromised) {
        problems.push(
          `lost-write: ${missing[0]} acknowledged at ${attempt.baseOffset}, log is ${describe(bounds)}`,
        )
      } else if (missing.length > 0 && missing.length < attempt.values.length) {
        problems.push(`torn batch: ${missing[0]} is missing of the batch at ${attempt.baseOffset}`)
      }
      if (missing.length === attempt.values.length) attempt.state = 'gone'
    }
    const mayForget = !this.isSynced && crash === 'power cut'
    for (const [offset, value] of this.#seen) {
      if (offset < bounds.logStartOffset || found.get(value) === offset) continue
      if (mayForget) this.#seen.delete(offset)
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

function contiguityProblems(records: readonly SeenRecord[], bounds: LogBounds): string[] {
  const problems: string[] = []
  let expected = bounds.logStartOffset
  let leaderEpoch = -1
  for (const record of records) {
    if (record.offset !== expected) {
      problems.push(`sequence-gap: ${record.offset} follows ${expected - 1}`)
      expected = record.offset
    }
    if (record.leaderEpoch < leaderEpoch) {
      problems.push(
        `epoch-regression: ${record.leaderEpoch} at ${record.offset} after ${leaderEpoch}`,
      )
    }
    leaderEpoch = record.leaderEpoch
    expected++
  }
  if (expected !== bounds.logEndOffset) {
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
