/**
 * When each record of a replay is due: so many a second, or as far apart as their timestamps are, times a
 * speed. Time comes in. Pure.
 */

import { Pace } from '../produce/pace.ts'

export interface Pacing {
  /** How long to wait, at `nowMs`, before a record of this timestamp. May be asked again. */
  waitMs(timestamp: number, nowMs: number): number
  /** The record was taken. */
  taken(nowMs: number): void
}

/** What was asked for; at most one of `perSecond` and `speed`. */
export interface Pacings {
  readonly perSecond: number | undefined
  /** 1: as it was; 10: in a tenth of the time. */
  readonly speed: number | undefined
  /** No wait between two records is longer. */
  readonly pauseMsMax: number
}

/** `undefined`: as fast as it goes. */
export function pacingOf({ perSecond, speed, pauseMsMax }: Pacings): Pacing | undefined {
  if (perSecond !== undefined) return new EvenPacing(perSecond)
  return speed === undefined ? undefined : new TimedPacing(speed, pauseMsMax)
}

/** So many records a second. */
export class EvenPacing implements Pacing {
  readonly #pace: Pace
  #dueMs = Number.NEGATIVE_INFINITY

  constructor(perSecond: number) {
    this.#pace = new Pace(perSecond)
  }

  waitMs(_timestamp: number, nowMs: number): number {
    return Math.max(0, this.#dueMs - nowMs)
  }

  taken(nowMs: number): void {
    this.#dueMs = nowMs + this.#pace.take(nowMs)
  }
}

/**
 * As the records came, faster or slower. The first is due at once; a record older than one before it, of
 * another partition or with a clock of its own, is due with that one. Who is late catches up.
 */
export class TimedPacing implements Pacing {
  readonly #speed: number
  readonly #pauseMsMax: number
  #latest: number | undefined
  #dueMs = 0

  constructor(speed: number, pauseMsMax: number) {
    this.#speed = speed
    this.#pauseMsMax = pauseMsMax
  }

  waitMs(timestamp: number, nowMs: number): number {
    if (this.#latest === undefined) {
      this.#latest = timestamp
      this.#dueMs = nowMs
    } else if (timestamp > this.#latest) {
      this.#dueMs += Math.min(this.#pauseMsMax, (timestamp - this.#latest) / this.#speed)
      this.#latest = timestamp
    }
    return Math.max(0, this.#dueMs - nowMs)
  }

  taken(): void {}
}
