/**
 * When each member's session ends, and its time to let go of partitions. Not kept in the log: after a load
 * everyone has the whole time again, because nobody knows how long the broker was away.
 *
 * The earliest deadline is kept as a lower bound: a heartbeat moves one member's deadline and looks at no
 * other; a tick that finds nothing due makes it exact again.
 */

import type { TimerChange } from './group-event.ts'

interface MemberTimers {
  sessionDueMs: number | undefined
  rebalanceDueMs: number | undefined
}

export class GroupTimers {
  readonly #members = new Map<string, MemberTimers>()
  #earliestMs: number | undefined

  /** Nothing is due before this. */
  get earliestMs(): number | undefined {
    return this.#earliestMs
  }

  set({ memberId, timer, dueMs }: TimerChange): void {
    let timers = this.#members.get(memberId)
    if (timers === undefined) {
      timers = { sessionDueMs: undefined, rebalanceDueMs: undefined }
      this.#members.set(memberId, timers)
    }
    if (timer === 'session') timers.sessionDueMs = dueMs
    else timers.rebalanceDueMs = dueMs
    if (dueMs !== undefined) this.#earliestMs = Math.min(this.#earliestMs ?? dueMs, dueMs)
  }

  forget(memberId: string): void {
    this.#members.delete(memberId)
    if (this.#members.size === 0) this.#earliestMs = undefined
  }

  /** Members with a deadline at or before `nowMs`, by id. */
  due(nowMs: number): { readonly memberId: string; readonly timer: TimerChange['timer'] }[] {
    if (this.#earliestMs === undefined || nowMs < this.#earliestMs) return []
    const due: { memberId: string; timer: TimerChange['timer'] }[] = []
    for (const [memberId, { sessionDueMs, rebalanceDueMs }] of this.#members) {
      if (sessionDueMs !== undefined && sessionDueMs <= nowMs) {
        due.push({ memberId, timer: 'session' })
      } else if (rebalanceDueMs !== undefined && rebalanceDueMs <= nowMs) {
        due.push({ memberId, timer: 'rebalance' })
      }
    }
    return due.sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
  }

  /** Makes the lower bound exact. */
  tighten(): void {
    let earliest: number | undefined
    for (const { sessionDueMs, rebalanceDueMs } of this.#members.values()) {
      for (const dueMs of [sessionDueMs, rebalanceDueMs]) {
        if (dueMs !== undefined) earliest = Math.min(earliest ?? dueMs, dueMs)
      }
    }
    this.#earliestMs = earliest
  }
}
