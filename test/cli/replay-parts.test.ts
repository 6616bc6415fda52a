/** The parts of `spool replay` alone: merging within bounds, the account of what was copied, pacing, words. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { Copied } from '../../cli/replay/copied.ts'
import { Heads } from '../../cli/replay/heads.ts'
import { MERGE_LIMITS, Merge, type MergeLimits } from '../../cli/replay/merge.ts'
import { EvenPacing, TimedPacing } from '../../cli/replay/pacing.ts'
import { replayPlan } from '../../cli/replay/plan.ts'
import { type Client, connect, type Delivery, SpoolError } from '../../client/index.ts'

const FOREVER = new AbortController().signal

test('heads come by time, then by partition, whatever comes and goes', () => {
  const step = fc.record({ partition: fc.nat(20), timestamp: fc.nat(30), isMove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heads = new Heads<{ partition: number; timestamp: number }>()
      const model: { partition: number; timestamp: number }[] = []
      for (const { partition, timestamp, isMove } of steps) {
        model.sort((a, b) => a.timestamp - b.timestamp || a.partition - b.partition)
        const first = model[0]
        if (first !== undefined) expect(heads.first).toBe(first)
        if (isMove && first !== undefined) {
          if (timestamp < 10) {
            heads.removeFirst()
            model.shift()
          } else {
            first.timestamp += timestamp
            heads.firstMoved()
          }
        } else if (!model.some((head) => head.partition === partition)) {
          const head = { partition, timestamp }
          heads.push(head)
          model.push(head)
        }
        expect(heads.size).toBe(model.length)
      }
    }),
    { numRuns: 200 },
  )
})

describe('merging', () => {
  let broker: TestBroker
  let client: Client
  const partitions = 6
  const perPartition = 600
  beforeAll(async () => {
    broker = await startBroker()
    client = connect(broker.url)
    await client.admin.createTopic({ name: 'merged', partitions })
    // Batches of many sizes, and partitions whose times lie apart.
    for (let round = 0; round < 60; round++) {
      await using producer = client.producer({ topic: 'merged', compression: 'none' })
      for (let partition = 0; partition < partitions; partition++) {
        const values = Array.from({ length: 10 }, (_, at) => round * 10 + at)
        await producer.sendMany(
          values.map((at) => ({
            partition,
            value: 'x'.repeat(100),
            timestamp: partition === 5 ? 100_000 + at : at * (partition + 1),
          })),
        )
      }
    }
  })
  afterAll(async () => {
    await client.close()
    await broker[Symbol.asyncDispose]()
  })

  const everything = () => ({
    topic: 'merged',
    from: Object.fromEntries(Array.from({ length: partitions }, (_, at) => [at, 0])),
    until: Object.fromEntries(Array.from({ length: partitions }, (_, at) => [at, perPartition])),
    outOfRange: undefined,
  })

  async function merged(limits: Partial<MergeLimits>): Promise<number[][]> {
    const merge = new Merge(client, everything(), FOREVER, { ...MERGE_LIMITS, ...limits })
    const rows: number[][] = []
    do {
      while (merge.hasRecord) {
        const { partition, cursor } = merge
        expect(merge.nextOffsets()[partition]).toBe(cursor.offset)
        rows.push([cursor.timestamp, partition, cursor.offset])
        merge.advance()
      }
    } while (await merge.ready())
    expect(merge.nextOffsets()).toEqual(everything().until)
    await merge.close()
    return rows
  }

  const inOrder = (rows: readonly number[][]) =>
    rows.toSorted(
      ([time = 0, partition = 0], [otherTime = 0, other = 0]) =>
        time - otherTime || partition - other,
    )

  test('each record once, the oldest first, with a reader for each partition or with shared ones', async () => {
    for (const lanes of [64, 4, 1]) {
      const rows = await merged({ lanes })
      expect(rows).toHaveLength(partitions * perPartition)
      expect(rows).toEqual(inOrder(rows))
    }
  })

  test('bounds cost order across partitions, and nothing else', async () => {
    const bounds: Partial<MergeLimits>[] = [
      { lanes: 2, heldBytes: 1 },
      { lanes: 1, heldBytes: 10_000 },
      { openBytes: 1 },
      { openBytes: 3_000 },
      { lanes: 2, heldBytes: 1, openBytes: 1, prefetchBytes: 1 },
    ]
    for (const limits of bounds) {
      const rows = await merged(limits)
      for (let partition = 0; partition < partitions; partition++) {
        const offsets = rows.filter(([, its]) => its === partition).map(([, , offset]) => offset)
        expect(offsets).toEqual(Array.from({ length: perPartition }, (_, at) => at))
      }
    }
  })
})

describe('what was copied', () => {
  const delivery = (partition: number, recordCount: number, error?: SpoolError): Delivery => ({
    topic: 't',
    partition,
    recordCount,
    baseOffset: 0,
    timestamp: -1,
    durability: 'flushed',
    duplicate: false,
    error,
    tags: undefined,
  })
  const place = (records: number) => ({ nextOffsets: { 0: records }, records })

  test('a place is reached when every partition has what was given before it', () => {
    const copied = new Copied(place(0))
    copied.take(0)
    copied.take(2)
    copied.mark(place(2))
    copied.take(2)
    copied.mark(place(3))
    copied.delivered(delivery(2, 2))
    expect(copied.reached.records).toBe(0)
    expect(copied.count).toBe(2)
    copied.delivered(delivery(0, 1))
    expect(copied.reached).toEqual(place(3))
    expect(copied.durability).toBe('flushed')
  })

  test('behind a batch that failed nothing is reached', () => {
    const copied = new Copied(place(0))
    copied.take(0)
    copied.mark(place(1))
    copied.take(1)
    copied.mark(place(2))
    copied.delivered(delivery(1, 1, new SpoolError('REQUEST_TIMED_OUT', 'late')))
    copied.delivered(delivery(0, 1))
    expect(copied.reached.records).toBe(0)
    expect(copied.failure?.code).toBe('REQUEST_TIMED_OUT')
  })
})

describe('pacing', () => {
  test('evenly: after so many records so much time has passed, however late the timer rings', () => {
    const pacing = new EvenPacing(500)
    let nowMs = 1_000
    for (let record = 0; record < 1_000; record++) {
      const waitMs = pacing.waitMs(0, nowMs)
      if (waitMs > 0) nowMs += Math.ceil(waitMs) + 0.4
      pacing.taken(nowMs)
    }
    expect(nowMs).toBeGreaterThanOrEqual(1_000 + 999 * 2 - 100)
    expect(nowMs).toBeLessThan(1_000 + 1_000 * 2 + 10)
  })

  test('as it was, at a speed: due by the time between records, which may be asked again', () => {
    const pacing = new TimedPacing(10, 1_000)
    expect(pacing.waitMs(50_000, 7)).toBe(0)
    expect(pacing.waitMs(50_200, 7)).toBe(20)
    expect(pacing.waitMs(50_200, 17)).toBe(10)
    // One that is older comes with the one before it.
    expect(pacing.waitMs(40_000, 27)).toBe(0)
    // Late: what follows is due as if it were not.
    expect(pacing.waitMs(50_400, 100)).toBe(0)
    expect(pacing.waitMs(51_200, 100)).toBe(27)
    // No pause is longer than was said.
    expect(pacing.waitMs(99_000_000, 127)).toBe(1_000)
  })
})

test('options that contradict each other are refused by name', () => {
  const two = { value: 2, word: '2' }
  const refused: readonly (readonly [Parameters<typeof replayPlan>[1], string])[] = [
    [{ rate: two, speed: two }, '--rate and --speed'],
    [{ pauseMax: 5, rate: two }, '--pause-max is about'],
    [{ samePartitions: true }, '--same-partitions is about another topic'],
    [{ into: 'other', format: '%s' }, '-f is about printing'],
    [{ into: 'other', null: true }, '-Z is about printing'],
    [{ into: 't' }, 'a second time'],
    [{ from: 'yesterday' }, '--from "yesterday"'],
    [{ until: '2025-01-01' }, '--until "2025-01-01"'],
  ]
  for (const [options, why] of refused) expect(() => replayPlan('t', options)).toThrow(why)
})
