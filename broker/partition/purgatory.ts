/**
 * Where requests wait: for records, for the high watermark. Owns how many may wait at once, their
 * deadlines, and that each leaves nothing behind however it ends: satisfied, out of time, given up by
 * its client, or sent home because the broker stops. Does not know what they wait for.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import { Deadlines } from './deadlines.ts'

export interface Wait {
  /** Milliseconds; 0 only asks. */
  readonly waitMs: number
  /** The client that is gone: ends the wait. */
  readonly signal?: AbortSignal | undefined
  /** Asks to be woken whenever the answer may have changed; returns the call that ends that. */
  subscribe(wake: () => void): () => void
  /** Asked at the beginning and after each waking. What it throws rejects the wait. */
  isSatisfied(): boolean
}

/** Seconds after which a refused request may find a place. */
const RETRY_AFTER_S = 1

export class Purgatory {
  readonly #deadlines: Deadlines
  readonly #waitersMax: number
  /** Each ends its wait unsatisfied. */
  readonly #waiters = new Set<() => void>()
  #isClosed = false
  #refused = 0

  constructor(options: { clock: Clock; waitersMax: number }) {
    this.#deadlines = new Deadlines(options.clock)
    this.#waitersMax = options.waitersMax
  }

  /** Requests waiting now. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Requests refused for want of a place, since the start. */
  get refused(): number {
    return this.#refused
  }

  get isFull(): boolean {
    return this.#waiters.size >= this.#waitersMax
  }

  /**
   * Resolves true when satisfied; false when out of time, aborted, or closed.
   *
   * @throws SpoolError LIMIT_EXCEEDED when `waiting.requests.max` wait already.
   */
  async wait(wait: Wait): Promise<boolean> {
    if (wait.isSatisfied()) return true
    if (this.#isClosed || wait.waitMs <= 0 || wait.signal?.aborted) return false
    if (this.isFull) throw this.#refusal()
    return await new Promise((resolve, reject) => this.#admit(wait, resolve, reject))
  }

  #admit(
    wait: Wait,
    resolve: (satisfied: boolean) => void,
    reject: (error: unknown) => void,
  ): void {
    const giveUp = () => {
      leave()
      resolve(false)
    }
    const wake = () => {
      try {
        if (!wait.isSatisfied()) return
        leave()
        resolve(true)
      } catch (error) {
        leave()
        reject(error)
      }
    }
    const leave = () => {
      this.#waiters.delete(giveUp)
      this.#deadlines.cancel(deadline)
      wait.signal?.removeEventListener('abort', giveUp)
      unsubscribe()
    }
    this.#waiters.add(giveUp)
    const deadline = this.#deadlines.add(wait.waitMs, giveUp)
    wait.signal?.addEventListener('abort', giveUp)
    const unsubscribe = wait.subscribe(wake)
  }

  #refusal(): SpoolError {
    this.#refused += 1
    return new SpoolError(
      'LIMIT_EXCEEDED',
      `${this.#waitersMax} requests are waiting already, the most waiting.requests.max allows; ask again without waiting, or later`,
      { retryAfterS: RETRY_AFTER_S },
    )
  }

  /** Sends everybody home and lets nobody wait from now on. */
  close(): void {
    this.#isClosed = true
    for (const giveUp of [...this.#waiters]) giveUp()
  }
}
