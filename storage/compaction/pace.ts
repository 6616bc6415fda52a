/**
 * How fast a compaction may read and write: it shares the disk with the appends. Also where it learns that
 * it is to stop, between one piece of a log and the next.
 */

import type { Clock } from '../clock.ts'

/** Shorter rests than this are left to add up: timers are no more exact. */
const REST_MS_MIN = 2

/** Thrown out of a compaction that was told to stop: nothing is wrong, and nothing is half done. */
export class CompactionStopped extends Error {
  constructor() {
    super('the compaction was stopped')
    this.name = 'CompactionStopped'
  }
}

/** Bytes a second over everything that shares it. */
export class Throttle {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  /** Until then what was moved so far has its time. */
  #paidUntilMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Accounts for `bytes`; returns how long to rest before moving more. */
  moved(bytes: number): number {
    const nowMs = this.#clock.monotonicMs()
    const fromMs = Math.max(nowMs, this.#paidUntilMs)
    this.#paidUntilMs = fromMs + (bytes / this.#bytesPerSecond) * 1_000
    return this.#paidUntilMs - nowMs
  }
}

export class Pace {
  readonly #clock: Clock
  readonly #throttle: Throttle
  #isStopped = false
  #wake: (() => void) | undefined

  constructor(clock: Clock, throttle: Throttle) {
    this.#clock = clock
    this.#throttle = throttle
  }

  /** From now on nothing more is begun; who rests now wakes up. */
  stop(): void {
    this.#isStopped = true
    this.#wake?.()
  }

  /** Throws `CompactionStopped` once it is to stop. */
  checkGoing(): void {
    if (this.#isStopped) throw new CompactionStopped()
  }

  /** After `bytes` were read or written: rests as long as they take. Throws `CompactionStopped`. */
  async moved(bytes: number): Promise<void> {
    this.checkGoing()
    const restMs = this.#throttle.moved(bytes)
    if (restMs < REST_MS_MIN) return
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(restMs, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = undefined
    this.checkGoing()
  }
}
