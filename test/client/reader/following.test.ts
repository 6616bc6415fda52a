/** Readers that follow: what comes later, ends that are times, partitions added, topics that go. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import type { Client } from '../../../client/index.ts'
import { collect, DOORS, failure, NODE, newTopic, sorted, until, write } from './doors.ts'

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
  beforeAll(() => {
    // Partitions are looked for as often as metadata grows old.
    client = connect({ url: broker.url, metadataMaxAgeMs: 200 })
  })
  afterAll(() => client.close())

  test('records come in as they are written, in all partitions', async () => {
    const topic = await newTopic(writer, 3)
    const before = await write(writer, topic, 30, { partitions: 3 })
    const reading = collect(client.reader(topic), 60)
    const after = await write(writer, topic, 30, { partitions: 3, from: 30 })
    expect(sorted(await reading)).toEqual(sorted([...before, ...after]))
  })

  test('from the end, only what comes after', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const reader = client.reader(topic, { from: 'latest' })
    const reading = collect(reader, 5)
    await until(() => reader.position()[0] === 10)
    const after = await write(writer, topic, 5, { from: 10 })
    expect(await reading).toEqual(after)
  })

  test('an offset that is not written yet ends a reader when it is', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const reading = collect(client.reader(topic, { from: 5, until: 15 }))
    await write(writer, topic, 10, { from: 10 })
    expect((await reading).map(({ offset }) => offset)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14])
  })

  test('partitions added later are read from their beginning', async () => {
    const topic = await newTopic(writer, 1)
    const first = await write(writer, topic, 10)
    const reader = client.reader(topic, { maxWaitMs: 30_000 })
    const loop = reader[Symbol.asyncIterator]()
    for (let at = 0; at < 10; at++) await loop.next()
    const waiting = loop.next()
    await writer.admin.alterTopic(topic, { partitions: 3 })
    const later = await write(writer, topic, 30, { partitions: 3, from: 10 })
    const { value } = await waiting
    const found = [value!]
    while (found.length < later.length) found.push((await loop.next()).value!)
    const read = found.map(({ partition, offset, value }) => ({
      partition,
      offset,
      value: String(value),
    }))
    expect(sorted([...first, ...read])).toEqual(sorted([...first, ...later]))
    expect(reader.position()).toEqual({ 0: 20, 1: 10, 2: 10 })
    await loop.return?.()
  })

  test('who named partitions, or an end, is not given others', async () => {
    const topic = await newTopic(writer, 1)
    await write(writer, topic, 10)
    const named = client.reader(topic, { partitions: [0] })
    const ending = client.reader(topic, { until: 20 })
    const reading = [collect(named, 20), collect(ending)]
    await until(() => named.position()[0] === 10 && ending.position()[0] === 10)
    await writer.admin.alterTopic(topic, { partitions: 2 })
    const later = await write(writer, topic, 20, { partitions: 2, from: 10 })
    expect(later.filter(({ partition }) => partition === 1)).toHaveLength(10)
    for (const records of await Promise.all(reading)) {
      expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([0]))
      expect(records).toHaveLength(20)
    }
  })

  test('a time to come ends every partition when it comes', async () => {
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 10, { partitions: 2 })
    const end = Date.now() + 1_500
    const reader = client.reader(topic, { until: new Date(end), maxWaitMs: 30_000 })
    const reading = collect(reader)
    await until(() => reader.position()[0] === 5 && reader.position()[1] === 5)
    // Of an hour ago, so before the end, whenever it is written.
    await write(writer, topic, 10, { partitions: 2, from: 3_600_000 })
    expect(await reading).toHaveLength(20)
    expect(Date.now()).toBeGreaterThanOrEqual(end)
    await write(writer, topic, 10, { partitions: 2 })
    expect(await collect(reader)).toEqual([])
  })

  test('the first record of that time is the end, also before it comes', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const end = Date.now() + 3_600_000
    const reader = client.reader(topic, { until: `@${end}` })
    const reading = collect(reader)
    await until(() => reader.position()[0] === 10)
    await using producer = writer.producer({ topic })
    const times = [end - 2, end - 1, end, end - 1, end + 1]
    await producer.sendMany(times.map((timestamp) => ({ value: `at ${timestamp}`, timestamp })))
    expect((await reading).map(({ offset }) => offset).slice(10)).toEqual([10, 11])
    expect(reader.position()).toEqual({ 0: 12 })
  })

  test('a record of that time that is there already is the end as well', async () => {
    const topic = await newTopic(writer)
    const end = Date.now() + 3_600_000
    await using producer = writer.producer({ topic })
    for (const timestamp of [1, end + 1, 2]) await producer.send({ value: 'x', timestamp })
    const reader = client.reader(topic, { until: new Date(end) })
    expect((await collect(reader)).map(({ offset }) => offset)).toEqual([0])
  })

  test('loops that go on later still end at that time', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const end = Date.now() + 700
    const reader = client.reader(topic, { until: new Date(end) })
    expect(await collect(reader, 3)).toHaveLength(3)
    await new Promise((resolve) => setTimeout(resolve, end + 100 - Date.now()))
    await write(writer, topic, 10, { from: Date.now() })
    expect((await collect(reader)).map(({ offset }) => offset)).toEqual([3, 4, 5, 6, 7, 8, 9])
  })

  test('a topic made anew ends a reader, whether it waits or not', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const waiting = client.reader(topic)
    const idle = client.reader(topic)
    expect(await collect(idle, 3)).toHaveLength(3)
    const reading = failure(collect(waiting))
    await until(() => waiting.position()[0] === 10)
    await writer.admin.deleteTopic(topic)
    await writer.admin.createTopic({ name: topic })
    await write(writer, topic, 10)
    const found = (await reading) as { code: string }
    // It may have looked in between, when there was none.
    expect(['INCONSISTENT_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION']).toContain(found.code)
    expect(await failure(collect(idle))).toMatchObject({
      code: 'INCONSISTENT_TOPIC_ID',
      retriable: true,
    })
  })

  test('a deleted topic ends a reader', async () => {
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 10, { partitions: 2 })
    const reader = client.reader(topic, { maxWaitMs: 30_000 })
    const reading = failure(collect(reader))
    await until(() => reader.position()[0] === 5 && reader.position()[1] === 5)
    await writer.admin.deleteTopic(topic)
    expect(await reading).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  test('an offset that is trimmed away while a reader pauses is an error, or is passed over', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 100)
    const strict = client.reader(topic, { until: 'latest' })
    const lenient = client.reader(topic, { until: 'latest', outOfRange: 'earliest' })
    for (const reader of [strict, lenient]) expect(await collect(reader, 3)).toHaveLength(3)
    await writer.admin.trim(topic, 0, 60)
    expect(await failure(collect(strict))).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
    expect((await collect(lenient)).map(({ offset }) => offset)[0]).toBe(60)
  })

  test('a broker that stops and comes back is waited for', async () => {
    const own = await startBroker()
    await using setup = NODE.connect(own.url)
    const topic = await newTopic(setup, 2)
    await write(setup, topic, 10, { partitions: 2 })
    await using reading = connect(own.url)
    const reader = reading.reader(topic)
    const collecting = collect(reader, 30)
    await until(() => reader.position()[0] === 5 && reader.position()[1] === 5)
    await own.stop()
    await using again = await startBroker({ dataDir: own.dataDir, port: own.port })
    await write(setup, topic, 20, { partitions: 2, from: 10 })
    const found = sorted(await collecting)
    expect(found.map(({ partition, offset }) => [partition, offset])).toEqual(
      [0, 1].flatMap((partition) => Array.from({ length: 15 }, (_, offset) => [partition, offset])),
    )
    await again.stop()
    await own[Symbol.asyncDispose]()
  })
})
