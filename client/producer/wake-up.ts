/** One timer for many things that become due: it rings at the earliest of them. */

export class WakeUp {
  readonly #ring: () => void
  #atMs = Number.POSITIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(ring: () => void) {
    this.#ring = ring
  }

  /** Rings at this time of `performance.now()`, or before: whoever is rung looks for himself. */
  at(timeMs: number): void {
    if (timeMs >= this.#atMs) return
    clearTimeout(this.#timer)
    this.#atMs = timeMs
    // A timer may come a fraction of a millisecond early.
    const delayMs = Math.max(0, Math.ceil(timeMs - performance.now()))
    this.#timer = setTimeout(() => {
      this.#atMs = Number.POSITIVE_INFINITY
      this.#ring()
    }, delayMs)
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#atMs = Number.POSITIVE_INFINITY
  }
}
