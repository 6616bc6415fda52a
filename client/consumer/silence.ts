/**
 * Whether a broker has left unanswered for too long what a member asked it, so that somebody may be told: once
 * when it has, once when it is over. A refusal that may pass is no answer. Owns the timer.
 */

import { SpoolError } from '../api/errors.ts'

export interface SilenceEvents {
  /** Nothing was heard for so long. */
  trouble(error: SpoolError, silentMs: number): void
  recovered(): void
}

export class Silence {
  readonly #events: SilenceEvents
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Since when it owes an answer. */
  #askedAtMs = 0
  #error: SpoolError | undefined
  #isTold = false

  constructor(events: SilenceEvents) {
    this.#events = events
  }

  /** It is asked something now; the first that is not answered counts. */
  asked(afterMs: number): void {
    if (this.#timer !== undefined || this.#isTold) return
    this.#askedAtMs = performance.now()
    this.#timer = setTimeout(() => this.#tell(), afterMs)
  }

  failed(error: SpoolError): void {
    this.#error = error
  }

  heard(): void {
    this.end()
    this.#error = undefined
    if (!this.#isTold) return
    this.#isTold = false
    this.#events.recovered()
  }

  /** Nobody waits for an answer. */
  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #tell(): void {
    this.#timer = undefined
    this.#isTold = true
    const silentMs = performance.now() - this.#askedAtMs
    const detail = `the broker has not answered for ${Math.round(silentMs)} ms`
    const error = this.#error ?? new SpoolError('REQUEST_TIMED_OUT', detail, { outcome: 'unknown' })
    this.#events.trouble(error, silentMs)
  }
}
