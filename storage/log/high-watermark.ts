/** How far readers may see, and who wants to know when that moves. A listener must not throw. */

import type { Offset } from '../record/offsets.ts'

export class HighWatermark {
  readonly #listeners = new Set<() => void>()
  /** Never falls. */
  #offset: Offset

  constructor(offset: Offset) {
    this.#offset = offset
  }

  get offset(): Offset {
    return this.#offset
  }

  raise(offset: Offset): void {
    if (offset <= this.#offset) return
    this.#offset = offset
    this.notify()
  }

  /** Returns the way to stop listening. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  notify(): void {
    for (const listener of this.#listeners) listener()
  }
}
