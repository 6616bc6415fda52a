/** Promises of the purgatory: bounded, on time, and nothing left behind however a wait ends. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Deadlines } from '../../../broker/partition/deadlines.ts'
import { Purgatory } from '../../../broker/partition/purgatory.ts'
import { ManualClock } from '../../rigs/clock.ts'

/** Something to wait for: a bell that can be rung, and a count of who listens. */
class Bell {
  readonly listeners = new Set<() => void>()
  isReady = false

  wait(waitMs: number, signal?: AbortSignal) {
    return {
      waitMs,
      signal,
      isSatisfied: () => this.isReady,
      subscribe: (wake: () => void) => {
        this.listeners.add(wake)
        return () => void this.listeners.delete(wake)
      },
    }
  }

  ring(): void {
    this.isReady = true
    for (const wake of [...this.listeners]) wake()
  }
}

function purgatory(waitersMax = 2) {
  const clock = new ManualClock()
  return { clock, place: new Purgatory({ clock, waitersMax }) }
}

/** Nobody waits or listens; of timers there is at most the one that will find nothing. */
function expectEmpty(place: Purgatory, bell: Bell, clock: ManualClock): void {
  expect(place.waiting).toBe(0)
  expect(bell.listeners.size).toBe(0)
  expect(clock.pendingTimers).toBeLessThanOrEqual(1)
}

describe('a wait', () => {
  test('is answered at once when there is nothing to wait for', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    bell.isReady = true
    expect(await place.wait(bell.wait(1_000))).toBe(true)
    expectEmpty(place, bell, clock)
  })

  test('ends satisfied when it is woken and finds what it waited for', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    const waiting = place.wait(bell.wait(1_000))
    for (const wake of [...bell.listeners]) wake()
    expect(place.waiting).toBe(1)
    bell.ring()
    expect(await waiting).toBe(true)
    expectEmpty(place, bell, clock)
  })

  test('ends unsatisfied when its time is up, and not before', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    const waiting = place.wait(bell.wait(1_000))
    clock.advance(999)
    expect(place.waiting).toBe(1)
    clock.advance(1)
    expect(await waiting).toBe(false)
    expectEmpty(place, bell, clock)
  })

  test('ends when its client goes away, before or while it waits', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    const client = new AbortController()
    const waiting = place.wait(bell.wait(1_000, client.signal))
    client.abort()
    expect(await waiting).toBe(false)
    expect(await place.wait(bell.wait(1_000, client.signal))).toBe(false)
    expectEmpty(place, bell, clock)
  })

  test('rejects with what its question throws, and leaves', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    let isGone = false
    const waiting = place.wait({
      ...bell.wait(1_000),
      isSatisfied: () => {
        if (isGone) throw new Error('gone')
        return false
      },
    })
    isGone = true
    bell.ring()
    await expect(waiting).rejects.toThrow('gone')
    expectEmpty(place, bell, clock)
  })

  test('is refused when as many wait as may, and taken again when one has left', async () => {
    const { clock, place } = purgatory(2)
    const bell = new Bell()
    const first = place.wait(bell.wait(10))
    const second = place.wait(bell.wait(20))
    await expect(place.wait(bell.wait(10))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      retryAfterS: 1,
    })
    expect(place.refused).toBe(1)
    clock.advance(10)
    expect(await first).toBe(false)
    const third = place.wait(bell.wait(10))
    bell.ring()
    expect(await Promise.all([second, third])).toEqual([true, true])
    expectEmpty(place, bell, clock)
  })

  test('ends when the broker stops, and none begins after that', async () => {
    const { clock, place } = purgatory()
    const bell = new Bell()
    const waiting = place.wait(bell.wait(1_000))
    place.close()
    expect(await waiting).toBe(false)
    expect(await place.wait(bell.wait(1_000))).toBe(false)
    expectEmpty(place, bell, clock)
  })
})

test('deadlines fire in order of time, cancelled ones never, with one timer for all', () => {
  const step = fc.record({ delayMs: fc.nat(100), isCancelled: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(fc.nat(30)), (steps, moves) => {
      const clock = new ManualClock()
      const deadlines = new Deadlines(clock)
      const fired: number[] = []
      const added = steps.map(({ delayMs }) =>
        deadlines.add(delayMs, () => fired.push(clock.monotonicMs())),
      )
      for (const [index, deadline] of added.entries()) {
        if (steps[index]?.isCancelled) deadlines.cancel(deadline)
      }
      expect(clock.pendingTimers).toBeLessThanOrEqual(1)
      for (const move of moves) clock.advance(move)
      clock.advance(100)
      const expected = steps.filter((one) => !one.isCancelled).map((one) => one.delayMs)
      expect(fired).toEqual(expected.sort((a, b) => a - b))
      expect(deadlines.size).toBe(0)
      expect(clock.pendingTimers).toBe(0)
    }),
  )
})
