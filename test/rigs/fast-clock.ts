/**
 * A clock that runs so many times as fast as the real one, for what a broker does every ten seconds. Wall
 * time begins now.
 */

import { type Clock, systemClock, type Timer } from '../../storage/clock.ts'

export class FastClock implements Clock {
  readonly #factor: number
  readonly #wallStartMs = systemClock.now()
  readonly #startMs = systemClock.monotonicMs()

  constructor(factor: number) {
    this.#factor = factor
  }

  now(): number {
    return this.#wallStartMs + Math.floor(this.monotonicMs())
  }

  /** Since the clock was made. */
  monotonicMs(): number {
    return (systemClock.monotonicMs() - this.#startMs) * this.#factor
  }

  after(delayMs: number, action: () => void): Timer {
    return systemClock.after(delayMs / this.#factor, action)
  }
}
