/**
 * Keeps a loop over records that lie ready from holding up the event loop, on which heartbeats depend. As
 * the reader's `Turn`, but it does not know how long a body takes: it looks at the clock more often while
 * the body is slow, and seldom while it is fast.
 */

import { Turn } from '../reader/turn.ts'

/** Fast bodies: so many records between two looks. */
const STRIDE_MAX = 1_024
/** Two looks are to be about this far apart. */
const LOOK_MS = 1

export class Pace {
  readonly #turn = new Turn()
  #stride = 1
  #left = 1
  #lookedAtMs = performance.now()

  /** Counts one record; true when the event loop is to have its turn before the next. */
  step(): boolean {
    this.#left--
    if (this.#left > 0) return false
    const nowMs = performance.now()
    const tookMs = nowMs - this.#lookedAtMs
    this.#lookedAtMs = nowMs
    this.#stride = tookMs > LOOK_MS ? 1 : Math.min(this.#stride * 2, STRIDE_MAX)
    this.#left = this.#stride
    return this.#turn.isOver
  }

  get isTurnOver(): boolean {
    return this.#turn.isOver
  }

  /** Called right after waiting for something. */
  begin(): void {
    this.#turn.begin()
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    return this.#turn.next()
  }
}
