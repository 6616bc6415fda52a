/** The small machines behind the limits: bytes, slots, deadlines, log lines, labels. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BodyDeadline } from '../../../broker/http/limits/body-deadline.ts'
import { ByteBudget, HeldBytes } from '../../../broker/http/limits/byte-budget.ts'
import { cleanText, RateLimitedLog } from '../../../broker/http/limits/rate-limited-log.ts'
import { Slots } from '../../../broker/http/limits/slots.ts'
import { sumByTopic, TOPIC_LABELS_MAX } from '../../../broker/metrics.ts'
import type { SpoolError } from '../../../client/api/errors.ts'
import { silentLogger } from '../../../storage/logger.ts'
import { ManualClock } from '../../rigs/clock.ts'

describe('held bytes', () => {
  test('never exceed the budget and come back whole', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(60)), { maxLength: 50 }), (steps) => {
        const budget = new ByteBudget(100, 'queued.max.bytes')
        const holders = Array.from({ length: 5 }, () => new HeldBytes(budget))
        for (const [which, bytes] of steps) {
          try {
            holders[which]!.growTo(bytes)
          } catch (error) {
            expect(error).toMatchObject({ code: 'BROKER_BUSY' })
          }
          expect(budget.heldBytes).toBeLessThanOrEqual(100)
          expect(budget.heldBytes).toBe(holders.reduce((sum, holder) => sum + holder.bytes, 0))
        }
        for (const holder of [...holders, ...holders]) holder.release()
        expect(budget.heldBytes).toBe(0)
      }),
    )
  })
})

test('slots are bounded, and freeing twice frees once', () => {
  const slots = new Slots(2, 'waiting.requests.max')
  const free = slots.take()
  slots.take()
  expect(() => slots.take()).toThrow(/waiting\.requests\.max is 2/)
  free()
  free()
  expect(slots.used).toBe(1)
  slots.take()
  expect(() => slots.take()).toThrow()
})

describe('a body deadline', () => {
  function start(limits: { idleMs: number; totalMs?: number }) {
    const clock = new ManualClock()
    const errors: SpoolError[] = []
    const deadline = new BodyDeadline(clock, limits, (error) => errors.push(error))
    return { clock, errors, deadline }
  }

  test('expires when nothing comes', () => {
    const { clock, errors } = start({ idleMs: 100 })
    clock.advance(99)
    expect(errors).toEqual([])
    clock.advance(1)
    expect(errors).toMatchObject([{ code: 'REQUEST_BODY_TIMEOUT' }])
    clock.advance(1_000)
    expect(errors).toHaveLength(1)
  })

  test('lives as long as bytes come, without a total', () => {
    const { clock, errors, deadline } = start({ idleMs: 100 })
    for (let i = 0; i < 100; i++) {
      clock.advance(60)
      deadline.touch()
    }
    expect(errors).toEqual([])
    clock.advance(100)
    expect(errors).toHaveLength(1)
  })

  test('expires at its total however much comes', () => {
    const { clock, errors, deadline } = start({ idleMs: 100, totalMs: 500 })
    for (let i = 0; i < 10; i++) {
      clock.advance(60)
      deadline.touch()
    }
    expect(errors).toHaveLength(1)
  })

  test('does not count a pause of ours, nor anything after its end', () => {
    const { clock, errors, deadline } = start({ idleMs: 100 })
    deadline.pause()
    clock.advance(1_000)
    deadline.resume()
    clock.advance(99)
    expect(errors).toEqual([])
    deadline.stop()
    clock.advance(1_000)
    expect(errors).toEqual([])
  })
})

describe('warnings', () => {
  test('are few, and the rest is counted', () => {
    const clock = new ManualClock()
    const lines: string[] = []
    const warn = (values: object, sentence: string) =>
      void lines.push(`${sentence} ${JSON.stringify(values)}`)
    const log = new RateLimitedLog({ ...silentLogger, warn }, clock)
    for (let i = 0; i < 1_000; i++) log.warn({ i }, 'bad')
    expect(lines).toHaveLength(5)
    clock.advance(1_000)
    log.warn({}, 'again')
    expect(lines.slice(5)).toEqual([
      'more warnings about requests were left out {"omitted":995}',
      'again {}',
    ])
  })

  test('lose what a terminal would act on', () => {
    expect(cleanText('a\u001b[31m\r\nb\u202e')).toBe('a?[31m??b?')
    expect(cleanText('x'.repeat(5_000)).length).toBeLessThan(250)
  })
})

test('topics beyond the limit share one label', () => {
  const partitions = Array.from({ length: TOPIC_LABELS_MAX + 50 }, (_, i) => ({
    topic: `t${String(i).padStart(5, '0')}`,
    sizeBytes: 10,
    logStartOffset: 0,
    logEndOffset: 1,
    isOffline: false,
    compaction: { failure: undefined },
  }))
  const sums = sumByTopic([...partitions, ...partitions], (it) => it.sizeBytes)
  expect(sums.size).toBe(TOPIC_LABELS_MAX + 1)
  expect(sums.get('t00000')).toBe(20)
  expect(sums.get('(other)')).toBe(50 * 20)
})
