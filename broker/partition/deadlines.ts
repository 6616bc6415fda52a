/**
 * Many deadlines, one timer: a binary heap in the order of time, in which each entry knows its place, so
 * that taking one back is as cheap as adding it. Does not know what the deadlines are for.
 */

import type { Clock, Timer } from '../../storage/clock.ts'

export interface Deadline {
  readonly atMs: number
  readonly action: () => void
  /** Place in the heap; -1 when it is no longer in it. */
  place: number
}

export class Deadlines {
  readonly #clock: Clock
  /** Invariant: no entry is due before its parent at (place - 1) >> 1, and heap[i].place = i. */
  readonly #heap: Deadline[] = []
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#heap.length
  }

  /** Runs `action` once, `delayMs` from now, unless it is cancelled. */
  add(delayMs: number, action: () => void): Deadline {
    const place = this.#heap.length
    const deadline = { atMs: this.#clock.monotonicMs() + delayMs, action, place }
    this.#heap.push(deadline)
    this.#up(deadline)
    this.#arm()
    return deadline
  }

  /** Takes a deadline back; nothing happens when it has passed or was cancelled before. */
  cancel(deadline: Deadline): void {
    const { place } = deadline
    if (place < 0) return
    deadline.place = -1
    const last = this.#heap.pop()!
    if (last !== deadline) {
      this.#put(last, place)
      this.#up(last)
      this.#down(last)
    }
    this.#arm()
  }

  /**
   * One timer, for the earliest. One that has become too early is left to fire and find nothing: with
   * deadlines that are nearly always taken back, that is one timer a minute and not one a request.
   */
  #arm(): void {
    const earliest = this.#heap[0]
    if (earliest === undefined || earliest.atMs >= this.#timerAtMs) return
    this.#disarm()
    this.#timerAtMs = earliest.atMs
    const delayMs = Math.max(0, Math.ceil(earliest.atMs - this.#clock.monotonicMs()))
    this.#timer = this.#clock.after(delayMs, () => this.#fire())
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAtMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#disarm()
    const now = this.#clock.monotonicMs()
    for (
      let first = this.#heap[0];
      first !== undefined && first.atMs <= now;
      first = this.#heap[0]
    ) {
      this.cancel(first)
      first.action()
    }
    this.#arm()
  }

  #put(deadline: Deadline, place: number): void {
    this.#heap[place] = deadline
    deadline.place = place
  }

  #up(deadline: Deadline): void {
    while (deadline.place > 0) {
      const at = deadline.place
      const parent = this.#heap[(at - 1) >> 1]!
      if (parent.atMs <= deadline.atMs) return
      this.#put(deadline, parent.place)
      this.#put(parent, at)
    }
  }

  #down(deadline: Deadline): void {
    for (;;) {
      const at = deadline.place
      const left = this.#heap[2 * at + 1]
      const right = this.#heap[2 * at + 2]
      const child = right !== undefined && right.atMs < left!.atMs ? right : left
      if (child === undefined || child.atMs >= deadline.atMs) return
      this.#put(deadline, child.place)
      this.#put(child, at)
    }
  }
}
