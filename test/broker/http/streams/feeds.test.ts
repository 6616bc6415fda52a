/**
 * The sharing itself, below HTTP: whoever joins, lags, is left behind, rests or leaves, and however large
 * records and turns are, each reader gets each of its records once and in order, and nothing stays held.
 */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Feeds } from '../../../../broker/http/streams/feeds.ts'
import { recordRendering } from '../../../../broker/http/streams/format.ts'
import { isBusy, StreamMemory } from '../../../../broker/http/streams/memory.ts'
import { Place } from '../../../../broker/http/streams/place.ts'
import { noTotals } from '../../../../broker/http/streams/totals.ts'
import type { Partition } from '../../../../broker/partition/partition.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { BatchBuilder } from '../../../../storage/record/batch-builder.ts'
import { FastClock } from '../../../rigs/fast-clock.ts'
import { TestTopic } from '../records/topic-client.ts'
import { range } from './numbered-topic.ts'

const MIB = 1024 * 1024

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

/** Every record, every other one, every seventh. */
const STEPS = [1, 2, 7] as const
const RENDERINGS = STEPS.map((step) =>
  recordRendering({
    as: 'auto',
    filter: step === 1 ? undefined : ({ offset }) => offset % step === 0,
    filterKey: String(step),
    isEvents: false,
  }),
)

/** What the readers of one run share. */
class Shared {
  readonly clock = new FastClock(50)
  readonly totals = noTotals()
  readonly memory: StreamMemory
  readonly feeds: Feeds
  readonly partition: Partition
  readonly failures: unknown[] = []

  constructor(partition: Partition, bytesMax: number) {
    this.partition = partition
    this.memory = new StreamMemory(bytesMax, this.clock)
    this.feeds = new Feeds({
      memory: this.memory,
      clock: this.clock,
      totals: this.totals,
      maxDecompressedBytes: 16 * MIB,
      onFailure: (error) => this.failures.push(error),
    })
  }

  async append(sizes: readonly number[]): Promise<void> {
    const builder = new BatchBuilder({ compression: 'none' })
    for (const size of sizes) builder.append(1, null, Buffer.alloc(size, 'v'))
    await this.partition.appendAsLeader(builder.build(), { acks: 1 }).acknowledged
  }
}

/** A reader that takes as many chunks as it is allowed to, and notes the offsets in them. */
class ModelReader {
  readonly place: Place
  readonly from: number
  readonly step: number
  readonly got: number[] = []
  readonly #shared: Shared
  readonly #limit: number
  readonly ended: Promise<void>
  isLeaving = false
  #allowed = 0
  #resume: (() => void) | undefined

  constructor(shared: Shared, options: { from: number; rendering: number; limit: number }) {
    const { feeds, memory, totals, partition } = shared
    this.#shared = shared
    this.from = options.from
    this.step = STEPS[options.rendering]!
    this.#limit = options.limit
    this.place = new Place({
      partition,
      from: options.from,
      until: Number.POSITIVE_INFINITY,
      end: Number.POSITIVE_INFINITY,
      rendering: RENDERINGS[options.rendering]!,
      feeds,
      memory,
      totals,
      maxDecompressedBytes: 16 * MIB,
    })
    this.place.onWake = () => this.#wake()
    this.ended = this.#run()
  }

  allow(chunks: number): void {
    this.#allowed += chunks
    this.#wake()
  }

  leave(): Promise<void> {
    this.isLeaving = true
    this.#wake()
    return this.ended
  }

  get expected(): number[] {
    return range(this.place.nextOffset - this.from, this.from).filter(
      (offset) => offset % this.step === 0,
    )
  }

  #wake(): void {
    this.#resume?.()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = () => {
        this.#resume = undefined
        resolve()
      }
    })
  }

  async #run(): Promise<void> {
    const { place } = this
    while (!this.isLeaving) {
      if (this.#allowed === 0) {
        place.rest()
        await this.#pause()
        continue
      }
      const part = place.take(this.#limit)
      if (part !== undefined) this.#took(part)
      else if (place.isBehind) await this.#read()
      else await this.#pause()
    }
    place.close()
  }

  async #read(): Promise<void> {
    const chunk = await this.place.read().catch((error) => {
      if (isBusy(error)) return 'busy' as const
      throw error
    })
    if (chunk === 'busy') {
      const { memory, clock } = this.#shared
      await memory.room('history', clock.monotonicMs() + 1_000, new AbortController().signal)
      return
    }
    if (chunk === undefined) return
    this.#took(chunk.part(this.place.nextOffset, this.place.end, this.#limit))
    chunk.release()
  }

  #took(part: NonNullable<ReturnType<Place['take']>>): void {
    const lines = part.bytes.toString().split('\n').slice(0, -1)
    expect(lines.length).toBe(part.recordCount)
    for (const line of lines) this.got.push(Number(/"offset":(\d+)/.exec(line)![1]))
    this.place.advance(part)
    this.#allowed--
  }
}

const size = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.integer({ min: 1_000, max: 30_000 }),
  fc.integer({ min: 60_000, max: 200_000 }),
)
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ append: fc.array(size, { minLength: 1, maxLength: 30 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      /** From the high watermark back. */
      join: fc.integer({ min: 0, max: 60 }),
      rendering: fc.integer({ min: 0, max: STEPS.length - 1 }),
      limit: fc.constantFrom(1, 3, 1_000_000),
    }),
  },
  { weight: 6, arbitrary: fc.record({ allow: fc.nat(), chunks: fc.constantFrom(1, 2, 5, 1_000) }) },
  { weight: 1, arbitrary: fc.record({ leave: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 5 }) }) },
)

test('whatever the joins, laggards and sizes, each reader gets each record once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 10, maxLength: 120, size: 'max' }),
      fc.constantFrom(4, 8, 64),
      async (operations, mebibytes) => {
        const topic = await TestTopic.create(broker)
        const partition = broker.context.replicas.partition(topic.name, 0)
        const shared = new Shared(partition, mebibytes * MIB)
        const readers: ModelReader[] = []
        const appends: Promise<void>[] = []
        const pick = (n: number) => readers[n % readers.length]
        await shared.append([1])
        for (const each of operations) {
          // Not waited for: what is read meanwhile sees the end move.
          if ('append' in each) appends.push(shared.append(each.append))
          else if ('join' in each) {
            const from = Math.max(0, partition.highWatermark - Math.max(0, each.join - 30))
            readers.push(new ModelReader(shared, { from, ...each }))
          } else if ('allow' in each) pick(each.allow)?.allow(each.chunks)
          else if ('leave' in each) await pick(each.leave)?.leave()
          else for (const _ of range(each.turns)) await new Promise((done) => setImmediate(done))
        }
        await Promise.all(appends)
        for (const reader of readers) reader.allow(1_000_000)
        for (const reader of readers) {
          const isThere = () =>
            reader.isLeaving || reader.place.nextOffset === partition.highWatermark
          await expect.poll(isThere, { timeout: 20_000, interval: 1 }).toBe(true)
          await reader.leave()
          expect(reader.got).toEqual(reader.expected)
        }
        expect(shared.failures).toEqual([])
        expect(shared.memory.heldBytes).toBe(0)
        expect([shared.feeds.tails, shared.feeds.count]).toEqual([0, 0])
        expect(partition.waiters).toBe(0)
      },
    ),
    { numRuns: 25 },
  )
}, 300_000)

describe('readers at one tail', () => {
  async function atTail(count: number, bytesMax = 64 * MIB) {
    const topic = await TestTopic.create(broker)
    const partition = broker.context.replicas.partition(topic.name, 0)
    const shared = new Shared(partition, bytesMax)
    const readers = range(count).map(
      () => new ModelReader(shared, { from: 0, rendering: 0, limit: 1_000_000 }),
    )
    for (const reader of readers) reader.allow(1_000_000)
    await expect.poll(() => shared.feeds.count).toBe(1)
    return { partition, shared, readers }
  }

  test('share one reading of each batch, and one rendering', async () => {
    const { partition, shared, readers } = await atTail(50)
    for (let batch = 1; batch <= 20; batch++) {
      await shared.append([100, 200])
      await expect
        .poll(() => readers.every(({ place }) => place.nextOffset === batch * 2), { interval: 1 })
        .toBe(true)
    }
    expect(partition.highWatermark).toBe(40)
    expect(shared.totals).toMatchObject({ batchesRead: 20, recordsRead: 40, chunksRendered: 20 })
    for (const reader of readers) await reader.leave()
    expect(shared.memory.heldBytes).toBe(0)
  })

  test('are not held up by one that takes nothing, which goes on by itself later', async () => {
    const { partition, shared, readers } = await atTail(20)
    await shared.append([10])
    await expect.poll(() => readers.every(({ place }) => place.nextOffset === 1)).toBe(true)
    const stuck = new ModelReader(shared, { from: 1, rendering: 0, limit: 1_000_000 })
    stuck.allow(1)
    await shared.append([10])
    await expect.poll(() => stuck.place.nextOffset).toBe(2)
    const before = shared.totals.batchesRead
    for (const _ of range(60)) await shared.append(Array(5).fill(20_000))
    await expect
      .poll(() => readers.every(({ place }) => place.nextOffset === partition.highWatermark))
      .toBe(true)
    // 6 MB went by; a feed keeps two, and a chunk.
    expect(shared.memory.heldBytes).toBeLessThan(3 * MIB)
    expect(shared.totals.batchesRead - before).toBe(60)
    stuck.allow(1_000_000)
    await expect.poll(() => stuck.place.nextOffset).toBe(partition.highWatermark)
    for (const reader of [...readers, stuck]) {
      await reader.leave()
      expect(reader.got).toEqual(reader.expected)
    }
  })

  test('go on while history fills its part of the memory', async () => {
    const { partition, shared, readers } = await atTail(3, 8 * MIB)
    shared.memory.add(6 * MIB)
    expect([shared.memory.hasRoomFor('history'), shared.memory.hasRoomFor('live')]).toEqual([
      false,
      true,
    ])
    await shared.append([100])
    await expect
      .poll(() => readers.every(({ place }) => place.nextOffset === partition.highWatermark))
      .toBe(true)
    shared.memory.add(-6 * MIB)
    for (const reader of readers) await reader.leave()
  })
})
