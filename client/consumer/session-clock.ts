/**
 * How long a member's session lasts without a word from the broker. Once it has been silent for so long the
 * member may be one no more, and others may have its partitions: it is not sure then, until it hears from it
 * again. Owns the timer.
 */

/** The broker's default (`group.consumer.session.timeout.ms`), until its answer says another. */
const TIMEOUT_MS_DEFAULT = 45_000

export class SessionClock {
  readonly #onSure: (isSure: boolean) => void
  #timeoutMs: number
  #isSure = true
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(timeoutMs: number | undefined, onSure: (isSure: boolean) => void) {
    this.#timeoutMs = timeoutMs ?? TIMEOUT_MS_DEFAULT
    this.#onSure = onSure
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** The broker answered a join: so long it is. */
  joined(sentAtMs: number, timeoutMs: number): void {
    this.#timeoutMs = timeoutMs
    this.heard(sentAtMs)
  }

  /** The session began when what was answered had been sent, or later. */
  heard(sentAtMs: number): void {
    this.stop()
    if (!this.#isSure) this.#tell(true)
    const leftMs = sentAtMs + this.#timeoutMs - performance.now()
    this.#timer = setTimeout(() => this.#tell(false), leftMs)
  }

  /** True when what began then has lasted for a session's length. */
  isOver(sinceMs: number): boolean {
    return performance.now() - sinceMs >= this.#timeoutMs
  }

  /** It is no member now, and knows it. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #tell(isSure: boolean): void {
    this.#isSure = isSure
    this.#onSure(isSure)
  }
}
