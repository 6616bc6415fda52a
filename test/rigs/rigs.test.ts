/** Seeded chance and the manual clock: the same seed, the same future; timers in their order. */

import { expect, test } from 'vitest'
import { ManualClock } from './clock.ts'
import { SeededRandom } from './random.ts'

test('a seed is a whole future, and two seeds are two', () => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed)
    return [random.next(), random.below(10), random.bytes(7).toString('hex'), random.fork().next()]
  }
  expect(draw(5)).toEqual(draw(5))
  expect(draw(5)).not.toEqual(draw(6))
})

test('draws are spread over their whole range', () => {
  const random = new SeededRandom(1)
  const counts = new Array<number>(10).fill(0)
  for (let drawn = 0; drawn < 10_000; drawn++) {
    const at = random.below(10)
    counts[at] = (counts[at] as number) + 1
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
  expect(random.shuffled([1, 2, 3, 4]).sort()).toEqual([1, 2, 3, 4])
})

test('the clock runs timers in the order they fall due, also those armed on the way', () => {
  const clock = new ManualClock(1_000)
  const fired: string[] = []
  clock.after(30, () => fired.push(`c at ${clock.monotonicMs()}`))
  clock.after(10, () => {
    fired.push(`a at ${clock.now()}`)
    clock.after(5, () => fired.push(`b at ${clock.monotonicMs()}`))
  })
  const cancelled = clock.after(20, () => fired.push('never'))
  cancelled.cancel()
  clock.advance(29)
  expect(fired).toEqual(['a at 1010', 'b at 15'])
  clock.jumpWall(-500)
  clock.advance(1)
  expect(fired.at(-1)).toBe('c at 30')
  expect(clock.now()).toBe(530)
  expect(clock.pendingTimers).toBe(0)
})
