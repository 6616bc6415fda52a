/**
 * What both transports promise of a source whose partitions come and go: of each range that was added,
 * records from its offset on, in order, each once, and none after it was removed.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { connectSettings } from '../../client/connect-options.ts'
import type { Client } from '../../client/index.ts'
import { NodeTransport } from '../../client/node/node-transport.ts'
import type { ReadRange, RecordSource, SourceBatch, Transport } from '../../client/transport.ts'
import { FetchTransport } from '../../client/web/fetch-transport.ts'
import { SeededRandom } from '../rigs/random.ts'
import { NODE, newTopic, until, write } from './reader/doors.ts'

const PARTITIONS = 4
const RECORDS = 600
const FOR_EVER = Number.POSITIVE_INFINITY

let broker: TestBroker
let writer: Client
let topic: string
let topicId: string

beforeAll(async () => {
  broker = await startBroker()
  writer = NODE.connect(broker.url)
  topic = await newTopic(writer, PARTITIONS)
  await write(writer, topic, RECORDS * PARTITIONS, { partitions: PARTITIONS })
  topicId = (await writer.admin.describeTopic(topic)).topicId
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

const TRANSPORTS: [string, () => Transport][] = [
  ['Node', () => new NodeTransport(connectSettings(broker.url))],
  ['fetch', () => new FetchTransport(connectSettings(broker.url))],
]

describe.each(TRANSPORTS)('over %s', (_, open) => {
  let transport: Transport
  beforeAll(() => {
    transport = open()
  })
  afterAll(() => transport.close())

  const sourceOf = (partitions: readonly ReadRange[]): RecordSource =>
    transport.openSource({
      topic,
      topicId,
      partitions,
      prefetchBytes: 20_000,
      maxWaitMs: 1_000,
      outOfRange: undefined,
      signal: new AbortController().signal,
    })
  const range = (partition: number, offset = 0): ReadRange => ({
    partition,
    offset,
    until: FOR_EVER,
  })

  test('what lies ready of a removed partition is not given, nor what is on its way', async () => {
    const source = sourceOf([range(0), range(1)])
    const first = await source.next()
    source.remove([1])
    for (let at = first!.partition === 0 ? first!.nextOffset : 0; at < RECORDS; ) {
      const batch = await source.next()
      expect(batch!.partition).toBe(0)
      at = batch!.nextOffset
    }
    await source.close()
  })

  test('a source without a partition left is at its end', async () => {
    const source = sourceOf([range(2, RECORDS)])
    const waiting = source.next()
    source.remove([2])
    expect(await waiting).toBeUndefined()
    await source.close()
  })

  test('ranges that come and go at random', async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`record source seed ${seed} (SEED=${seed} repeats it)`)
    const random = new SeededRandom(seed)
    const staying = range(0)
    const next = new Map<ReadRange, number>([[staying, 0]])
    const source = sourceOf([staying])
    const current = (partition: number) => [...next.keys()].find((it) => it.partition === partition)
    /** Checked as it is given: nothing was awaited since. */
    const take = (batch: SourceBatch) => {
      expect(next.has(batch.range)).toBe(true)
      const expected = next.get(batch.range)!
      expect(batch.fromOffset).toBe(expected)
      expect(batch.nextOffset).toBeGreaterThan(expected)
      next.set(batch.range, batch.nextOffset)
    }
    const change = () => {
      const partition = random.between(1, PARTITIONS - 1)
      const before = current(partition)
      if (before !== undefined) {
        next.delete(before)
        source.remove([partition])
      }
      if (random.chance(0.3)) return
      const added = range(partition, random.below(RECORDS))
      next.set(added, added.offset)
      source.add([added])
    }
    for (let step = 0; step < 60; step++) {
      change()
      const turns = random.below(4)
      for (let turn = 0; turn < turns; turn++) {
        for (let batch = source.poll(); batch !== undefined; batch = source.poll()) {
          take(batch)
          if (random.chance(0.5)) break
        }
        await new Promise((resolve) => setTimeout(resolve, random.below(8)))
      }
    }
    const isDone = () => {
      for (let batch = source.poll(); batch !== undefined; batch = source.poll()) take(batch)
      return [...next.values()].every((offset) => offset === RECORDS)
    }
    // Over fetch a source reads when it is asked.
    while (!isDone()) {
      const batch = await source.next()
      if (batch !== undefined) take(batch)
    }
    await until(isDone)
    await source.close()
  })
})
