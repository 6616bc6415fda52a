/**
 * The two time limits of one request body: how long it may pause, and how long it may take in all.
 * They are per route, because one limit for the whole server would cut an upload that still flows.
 * The pause is watched by one timer that looks at the time of the last byte: bytes move no timers.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { Clock, Timer } from '../../../storage/clock.ts'

export interface DeadlineLimits {
  readonly idleMs: number
  /** Absent: the body may take as long as it keeps coming. */
  readonly totalMs?: number
}

export class BodyDeadline {
  readonly #clock: Clock
  readonly #limits: DeadlineLimits
  readonly #onExpired: (error: SpoolError) => void
  readonly #startedAtMs: number
  #lastByteAtMs: number
  #timer: Timer | undefined

  /** Starts at once. `onExpired` is called at most once, with REQUEST_BODY_TIMEOUT (408). */
  constructor(clock: Clock, limits: DeadlineLimits, onExpired: (error: SpoolError) => void) {
    this.#clock = clock
    this.#limits = limits
    this.#onExpired = onExpired
    this.#startedAtMs = clock.monotonicMs()
    this.#lastByteAtMs = this.#startedAtMs
    this.#arm(this.#startedAtMs)
  }

  /** To be called for every chunk that arrives. */
  touch(): void {
    this.#lastByteAtMs = this.#clock.monotonicMs()
  }

  /** While we do not read (backpressure) the client cannot send: that pause is ours. */
  pause(): void {
    this.stop()
  }

  resume(): void {
    if (this.#timer !== undefined) return
    this.touch()
    this.#arm(this.#lastByteAtMs)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(now: number): void {
    const { idleMs, totalMs } = this.#limits
    const idleAt = this.#lastByteAtMs + idleMs
    const dueAt = totalMs === undefined ? idleAt : Math.min(idleAt, this.#startedAtMs + totalMs)
    this.#timer = this.#clock.after(Math.max(1, dueAt - now), () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    const now = this.#clock.monotonicMs()
    const { idleMs, totalMs } = this.#limits
    if (now - this.#lastByteAtMs >= idleMs) {
      this.#onExpired(timeout(`no byte of the body came for ${idleMs} ms`))
    } else if (totalMs !== undefined && now - this.#startedAtMs >= totalMs) {
      this.#onExpired(timeout(`the body was not complete after ${totalMs} ms`))
    } else this.#arm(now)
  }
}

function timeout(detail: string): SpoolError {
  return new SpoolError('REQUEST_BODY_TIMEOUT', detail, { headers: { connection: 'close' } })
}
