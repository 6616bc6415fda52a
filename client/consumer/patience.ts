/**
 * Whether something has been in hand for too long, without a look at the clock for each record: a timer
 * counts ticks, who gives something out notes the tick, and so many ticks later it is overdue. A process
 * that stands still does not age what it has in hand. Owns the timer.
 */

/** Of the limit: what is overdue is noticed when an eighth more has passed at the latest. */
const TICKS = 8

export class Patience {
  readonly limitMs: number
  readonly #onTick: () => void
  #timer: ReturnType<typeof setInterval> | undefined
  #tick = 0

  constructor(limitMs: number, onTick: () => void) {
    this.limitMs = limitMs
    this.#onTick = onTick
  }

  /** What is given out now is given out at this tick. */
  get tick(): number {
    return this.#tick
  }

  begin(): void {
    this.#timer = setInterval(() => {
      this.#tick++
      this.#onTick()
    }, this.limitMs / TICKS)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  /** True when the whole limit has passed since that tick. */
  isOver(since: number): boolean {
    return this.#tick - since > TICKS
  }
}
