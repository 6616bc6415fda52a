/**
 * Whether something has been in hand for too long, without a look at the clock for each record: a timer
 * counts ticks, who gives something out notes the tick, and so many ticks later it is overdue. A process
 * that stands still does not age what it has in hand. Owns the timer, and what is said of who is overdue.
 */

import { SpoolError } from '../api/errors.ts'
import type { InHand } from './worker.ts'

export interface PatienceOptions {
  readonly limitMs: number
  /** What has been in hand for longest. */
  readonly oldest: () => InHand | undefined
  readonly onTick: (isOverdue: boolean) => void
}

/** Of the limit: what is overdue is noticed when an eighth more has passed at the latest. */
const TICKS = 8

export class Patience {
  readonly #options: PatienceOptions
  #timer: ReturnType<typeof setInterval> | undefined
  #tick = 0

  constructor(options: PatienceOptions) {
    this.#options = options
  }

  /** What is given out now is given out at this tick. */
  get tick(): number {
    return this.#tick
  }

  begin(): void {
    const { limitMs, onTick } = this.#options
    this.#timer = setInterval(() => {
      this.#tick++
      onTick(this.overdue() !== undefined)
    }, limitMs / TICKS)
  }

  end(): void {
    clearInterval(this.#timer)
  }

  /** What is to be said of work that is not done in time: since it was given out, the whole limit has passed. */
  overdue(): SpoolError | undefined {
    const { limitMs, oldest } = this.#options
    const inHand = oldest()
    if (inHand === undefined || this.#tick - inHand.since <= TICKS) return undefined
    const { held, offset } = inHand
    return new SpoolError(
      'UNKNOWN_MEMBER_ID',
      `offset ${offset} of partition ${held.partition} of ${held.topic} has been in hand for longer than maxPollIntervalMs (${limitMs} ms), so the consumer left its group; it may be done twice`,
    )
  }
}
