/**
 * A clock that stands still until the test moves it. `advance` moves both times and runs the timers
 * that fall due, in their order; `jumpWall` moves only the wall clock, as an operator or NTP does.
 */

import type { Clock, Timer } from '../../storage/clock.ts'

interface Alarm {
  readonly dueMs: number
  readonly order: number
  readonly action: () => void
}

export class ManualClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  #armed = 0
  readonly #alarms = new Set<Alarm>()

  /** @param startMs the wall clock at the start, milliseconds since the epoch */
  constructor(startMs = Date.UTC(2024, 0, 1)) {
    this.#wallMs = startMs
  }

  now(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  after(delayMs: number, action: () => void): Timer {
    const alarm: Alarm = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#armed++,
      action,
    }
    this.#alarms.add(alarm)
    return { cancel: () => void this.#alarms.delete(alarm) }
  }

  /** How many timers wait: a test that expects quiet can assert it. */
  get pendingTimers(): number {
    return this.#alarms.size
  }

  /** Moves both clocks by `durationMs`, stopping at every timer that falls due, also newly armed ones. */
  advance(durationMs: number): void {
    const endMs = this.#monotonicMs + durationMs
    for (;;) {
      const next = this.#earliest()
      if (next === undefined || next.dueMs > endMs) break
      this.#moveTo(next.dueMs)
      this.#alarms.delete(next)
      next.action()
    }
    this.#moveTo(endMs)
  }

  /** Moves the wall clock alone; timers follow the monotonic one and do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }

  #earliest(): Alarm | undefined {
    let earliest: Alarm | undefined
    for (const alarm of this.#alarms) {
      if (
        earliest === undefined ||
        alarm.dueMs < earliest.dueMs ||
        (alarm.dueMs === earliest.dueMs && alarm.order < earliest.order)
      ) {
        earliest = alarm
      }
    }
    return earliest
  }
}
