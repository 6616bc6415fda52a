/** Keeps to so many records a second, evenly: no faster after a pause, but for a moment's worth. Pure. */

/** What was not sent meanwhile may be made up for, so that timers that ring late cost no rate. */
const BURST_MS_MAX = 100

export class Pace {
  readonly #gapMs: number
  /** `undefined` until the first: there is nothing to make up for. */
  #dueMs: number | undefined

  /** @param rate records a second */
  constructor(rate: number) {
    this.#gapMs = 1_000 / rate
  }

  /** Counts a record at `nowMs`; how long to wait before the next. */
  take(nowMs: number): number {
    const dueMs = Math.max(this.#dueMs ?? nowMs, nowMs - BURST_MS_MAX) + this.#gapMs
    this.#dueMs = dueMs
    return Math.max(0, dueMs - nowMs)
  }
}
