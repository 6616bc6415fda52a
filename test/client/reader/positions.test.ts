/** Where a reader begins and ends: every form of the grammar, for all partitions or for each. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import type { Client, ReaderOptions } from '../../../client/index.ts'
import { collect, DOORS, failure, NODE, newTopic, sorted, write } from './doors.ts'

let broker: TestBroker
let writer: Client

beforeAll(async () => {
  broker = await startBroker()
  writer = NODE.connect(broker.url)
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  let one: string
  let three: string
  beforeAll(async () => {
    client = connect(broker.url)
    one = await newTopic(writer)
    await write(writer, one, 100)
    three = await newTopic(writer, 3)
    await write(writer, three, 90, { partitions: 3 })
  })
  afterAll(() => client.close())

  const offsetsOf = async (topic: string, options: ReaderOptions): Promise<number[]> =>
    (await collect(client.reader(topic, options))).map(({ offset }) => offset)
  const range = (from: number, until: number) =>
    Array.from({ length: until - from }, (_, index) => from + index)

  // Record n of topic `one` has offset n and time 1000 + n.
  const cases: [ReaderOptions['from'], ReaderOptions['until'], number, number][] = [
    [undefined, 'latest', 0, 100],
    ['earliest', 'latest', 0, 100],
    ['latest', 'latest', 100, 100],
    [17, 20, 17, 20],
    ['17', '20', 17, 20],
    [0, 1, 0, 1],
    [100, 100, 100, 100],
    [60, 20, 60, 60],
    ['-10', 'latest', 90, 100],
    [-10, '-5', 90, 95],
    ['-1000', '-99', 0, 1],
    ['@1040', '@1042', 40, 42],
    ['@0', '@1000', 0, 0],
    ['@5000', 'latest', 100, 100],
    [new Date(1_040), new Date(1_042), 40, 42],
    ['1970-01-01T00:00:01.040Z', '1970-01-01T01:00:01.042+01:00', 40, 42],
    ['@1040', '-PT1H', 40, 100],
    ['-PT1H', 'latest', 100, 100],
    ['earliest', new Date(-1), 0, 0],
    [{ 0: 17 }, { 0: '-80' }, 17, 20],
  ]
  test.each(cases)('from %j until %j', async (from, until, first, end) => {
    const options = { ...(from === undefined ? {} : { from }), until } as ReaderOptions
    expect(await offsetsOf(one, options)).toEqual(range(first, end))
  })

  test('several partitions share a position, each meaning its own', async () => {
    const read = await collect(client.reader(three, { from: '-2', until: 'latest' }))
    expect(sorted(read).map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 28],
      [0, 29],
      [1, 28],
      [1, 29],
      [2, 28],
      [2, 29],
    ])
  })

  test('a map names some partitions; others begin at their first record', async () => {
    const reader = client.reader(three, {
      from: { 0: 28, 2: '@1089' },
      until: { 0: 'latest', 1: 2, 2: 30 },
    })
    const read = sorted(await collect(reader)).map(({ partition, offset }) => [partition, offset])
    expect(read).toEqual([
      [0, 28],
      [0, 29],
      [1, 0],
      [1, 1],
      [2, 29],
    ])
  })

  test('only the partitions that were asked for', async () => {
    const reader = client.reader(three, { partitions: [2, 1, 2], until: 'latest' })
    const read = await collect(reader)
    expect(new Set(read.map(({ partition }) => partition))).toEqual(new Set([1, 2]))
    expect(read).toHaveLength(60)
    expect(reader.position()).toEqual({ 1: 30, 2: 30 })
  })

  test('of one partition among several, an offset is enough', async () => {
    expect(await offsetsOf(three, { partitions: [1], from: 28, until: 'latest' })).toEqual([28, 29])
  })

  test('hundreds of partitions, each with a little', async () => {
    const topic = await newTopic(writer, 300)
    const written = await write(writer, topic, 900, { partitions: 300 })
    const reader = client.reader(topic, { until: 'latest' })
    expect(sorted(await collect(reader))).toEqual(sorted(written))
    expect(new Set(Object.values(reader.position()))).toEqual(new Set([3]))
  })

  test('a partition with much does not hold up those with little', async () => {
    const topic = await newTopic(writer, 2)
    await using producer = writer.producer({ topic, compression: 'none', batchBytes: 100_000 })
    await producer.sendMany(
      Array.from({ length: 20_000 }, () => ({ partition: 0, value: 'x'.repeat(1_000) })),
    )
    await producer.send({ partition: 1, value: 'alone' })
    let before = 0
    for await (const { partition } of client.reader(topic, { until: 'latest' })) {
      if (partition === 1) break
      before++
    }
    expect(before).toBeLessThan(10_000)
  })

  test('an end stays where it was when the reader began', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const reader = client.reader(topic, { until: 'latest' })
    expect(await collect(reader, 3)).toHaveLength(3)
    await write(writer, topic, 10, { from: 10 })
    expect((await collect(reader)).map(({ offset }) => offset)).toEqual(range(3, 10))
  })

  test('what is no position is refused before anything is asked', () => {
    const nowhere = connect('http://127.0.0.1:9')
    const refusals: [ReaderOptions, string][] = [
      [{ from: 'soon' }, 'soon'],
      [{ from: 1.5 }, '1.5'],
      [{ from: new Date(Number.NaN) }, 'Date'],
      [{ until: { 0: '2025-01-01' } }, '2025-01-01'],
      [{ from: { one: 1 } as never }, 'one'],
      [{ partitions: [] }, 'partitions'],
      [{ partitions: [-1] }, 'partitions'],
      [{ outOfRange: 'nearest' as never }, 'nearest'],
      [{ prefetchBytes: 0 }, 'prefetchBytes'],
      [{ maxWaitMs: 30_001 }, 'maxWaitMs'],
      [{ form: 'earliest' } as never, 'form'],
    ]
    for (const [options, words] of refusals) {
      expect(() => nowhere.reader('any', options), words).toThrow(words)
    }
  })

  test('what the topic does not have is refused in words', async () => {
    const refusals: [string, ReaderOptions, string, string][] = [
      [three, { from: 5 }, 'INVALID_REQUEST', 'offset 5'],
      [three, { until: 5 }, 'INVALID_REQUEST', 'until'],
      [three, { partitions: [3] }, 'UNKNOWN_TOPIC_OR_PARTITION', 'partition 3'],
      [three, { from: { 4: 0 } }, 'UNKNOWN_TOPIC_OR_PARTITION', 'partition 4'],
      ['nowhere', {}, 'UNKNOWN_TOPIC_OR_PARTITION', 'nowhere'],
      [one, { from: 101 }, 'OFFSET_OUT_OF_RANGE', '101'],
      ['..', {}, 'INVALID_TOPIC_EXCEPTION', '..'],
    ]
    for (const [topic, options, code, words] of refusals) {
      const error = await failure(collect(client.reader(topic, options)))
      expect(error).toMatchObject({ code, retriable: code === 'UNKNOWN_TOPIC_OR_PARTITION' })
      expect(String(error)).toContain(words)
    }
  })

  test('an offset that is gone is an error, or goes on at either end', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 50)
    await writer.admin.trim(topic, 0, 20)
    const error = await failure(collect(client.reader(topic, { from: 5, until: 'latest' })))
    expect(error).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    expect(String(error)).toContain('outOfRange')
    const earliest = { from: 5, until: 'latest', outOfRange: 'earliest' } as const
    expect(await offsetsOf(topic, earliest)).toEqual(range(20, 50))
    expect(await offsetsOf(topic, { ...earliest, outOfRange: 'latest' })).toEqual([])
    const ahead = client.reader(topic, { from: 90, outOfRange: 'earliest' })
    expect(await collect(ahead, 2)).toMatchObject([{ offset: 20 }, { offset: 21 }])
    expect(ahead.position()).toEqual({ 0: 22 })
  })
})
