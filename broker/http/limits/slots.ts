/** A bound on how many of something there are at once: waiting requests, streams. */

import { SpoolError } from '../../../client/api/errors.ts'

export class Slots {
  /** Invariant: 0 ≤ used ≤ max. */
  #used = 0
  readonly max: number
  readonly #setting: string

  /** `setting` is the key that bounds it, for the error. */
  constructor(max: number, setting: string) {
    this.max = max
    this.#setting = setting
  }

  get used(): number {
    return this.#used
  }

  /** Takes a slot and returns the call that frees it (safe to repeat); throws LIMIT_EXCEEDED (429). */
  take(): () => void {
    if (this.#used >= this.max) {
      throw new SpoolError(
        'LIMIT_EXCEEDED',
        `${this.#used} requests are waiting already: ${this.#setting} is ${this.max}`,
        { retryAfterS: 1 },
      )
    }
    this.#used++
    let isFreed = false
    return () => {
      if (!isFreed) this.#used--
      isFreed = true
    }
  }
}
