/**
 * Warnings about what clients do, so few that a hostile one cannot fill the disk with them: at most
 * `LINES_PER_INTERVAL` in an interval, then one line saying how many were left out. Texts from a
 * client are cut and lose their control characters before they get here or in `cleanText`.
 */

import type { Clock } from '../../../storage/clock.ts'
import type { Logger } from '../../../storage/logger.ts'

const INTERVAL_MS = 1_000
const LINES_PER_INTERVAL = 5

export class RateLimitedLog {
  readonly #logger: Logger
  readonly #clock: Clock
  #intervalStartMs = Number.NEGATIVE_INFINITY
  #lines = 0
  #omitted = 0

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  warn(values: Readonly<Record<string, unknown>>, sentence: string): void {
    const now = this.#clock.monotonicMs()
    if (now - this.#intervalStartMs >= INTERVAL_MS) this.#beginInterval(now)
    if (this.#lines >= LINES_PER_INTERVAL) {
      this.#omitted++
      return
    }
    this.#lines++
    this.#logger.warn(values, sentence)
  }

  #beginInterval(now: number): void {
    if (this.#omitted > 0) {
      this.#logger.warn({ omitted: this.#omitted }, 'more warnings about requests were left out')
    }
    this.#intervalStartMs = now
    this.#lines = 0
    this.#omitted = 0
  }
}

const SHOWN_CHARACTERS_MAX = 200

/** A client's text for a log line or an error: cut, control and non-ASCII characters as `?`. */
export function cleanText(text: string): string {
  const cut = text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`
  return cut.replace(/[^\x20-\x7e…]/g, '?')
}
