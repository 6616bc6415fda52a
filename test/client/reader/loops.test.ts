/** Loops over a reader: what they give, how they end, and where the next one goes on. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import type { Client } from '../../../client/index.ts'
import {
  collect,
  DOORS,
  failure,
  NODE,
  newTopic,
  sorted,
  until,
  type Written,
  write,
} from './doors.ts'

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
  let topic: string
  let written: Written[]
  beforeAll(async () => {
    client = connect(broker.url)
    topic = await newTopic(writer, 3)
    written = sorted(await write(writer, topic, 300, { partitions: 3 }))
  })
  afterAll(() => client.close())

  test('a loop that goes on where the last one stopped repeats nothing and leaves nothing out', async () => {
    const reader = client.reader(topic, { until: 'latest' })
    const found: Written[] = []
    for (const count of [1, 2, 40, 0, 100, 1]) found.push(...(await collect(reader, count)))
    expect(found).toHaveLength(144)
    found.push(...(await collect(reader)))
    expect(sorted(found)).toEqual(written)
    expect(await collect(reader)).toEqual([])
  })

  test('position() counts what was taken, no more, and begins another reader', async () => {
    const reader = client.reader(topic, { until: 'latest' })
    expect(reader.position()).toEqual({})
    const taken: Written[] = []
    for await (const { partition, offset, value } of reader) {
      taken.push({ partition, offset, value: String(value) })
      const of = (number: number) => taken.filter((it) => it.partition === number).length
      expect(reader.position()).toEqual({ 0: of(0), 1: of(1), 2: of(2) })
      if (taken.length === 130) break
    }
    const other = client.reader(topic, { from: reader.position(), until: 'latest' })
    expect(sorted([...taken, ...(await collect(other))])).toEqual(written)
    expect(other.position()).toEqual({ 0: 100, 1: 100, 2: 100 })
  })

  test('batches hold the same records, with nothing decoded before', async () => {
    const reader = client.reader(topic, { from: { 0: 13 }, until: { 0: 77, 1: 50, 2: 'latest' } })
    const found: Written[] = []
    let ends: Record<number, number> = { 0: 13, 1: 0, 2: 0 }
    for await (const batch of reader.batches()) {
      const { partition, fromOffset, untilOffset, recordCount, sizeBytes, highWatermark } = batch
      expect(fromOffset).toBe(ends[partition])
      ends = { ...ends, [partition]: Math.min(batch.nextOffset, untilOffset) }
      expect(reader.position()).toEqual(ends)
      expect(recordCount).toBe(batch.nextOffset - batch.baseOffset)
      expect(sizeBytes).toBeGreaterThan(0)
      expect(highWatermark).toBeGreaterThanOrEqual(batch.nextOffset)
      for (const record of batch) {
        found.push({ partition, offset: record.offset, value: String(record.value) })
      }
    }
    const asked = written.filter(
      ({ partition, offset }) =>
        (partition === 0 && offset >= 13 && offset < 77) ||
        (partition === 1 && offset < 50) ||
        partition === 2,
    )
    expect(sorted(found)).toEqual(asked)
  })

  test('a batch can be iterated again, and after its reader is closed', async () => {
    const reader = client.reader(topic, { partitions: [1], until: 'latest' })
    const { value: batch } = await reader.batches().next()
    await reader.close()
    if (batch === undefined) return expect.unreachable()
    const once = [...batch].map(({ value }) => value)
    expect([...batch].map(({ value }) => value)).toEqual(once)
    expect(once[0]).toBe('value 1')
  })

  test('loops of records and of batches take turns', async () => {
    const reader = client.reader(topic, { until: 'latest' })
    const found = await collect(reader, 7)
    for await (const batch of reader.batches()) {
      for (const { partition, offset, value } of batch) {
        found.push({ partition, offset, value: String(value) })
      }
      break
    }
    found.push(...(await collect(reader)))
    expect(sorted(found)).toEqual(written)
  })

  test('calls of next() that do not wait for each other are answered in their order', async () => {
    const reader = client.reader(topic, { partitions: [0], until: 'latest' })
    const loop = reader[Symbol.asyncIterator]()
    const results = await Promise.all(Array.from({ length: 103 }, () => loop.next()))
    const offsets = results.map(({ value }) => value?.offset)
    expect(offsets).toEqual([...Array(100).keys(), undefined, undefined, undefined])
    expect(results.map(({ done }) => done)).toEqual(
      Array.from({ length: 103 }, (_, at) => at >= 100),
    )
  })

  test('a second loop at the same time is refused, and leaves the first alone', async () => {
    const reader = client.reader(topic, { partitions: [0], until: 'latest' })
    const first = reader[Symbol.asyncIterator]()
    await first.next()
    const error = await failure(reader.batches().next())
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await first.next()).toMatchObject({ value: { offset: 1 } })
    await first.return?.()
    expect(await collect(reader, 1)).toMatchObject([{ offset: 2 }])
  })

  test('a loop that waits for records ends at once, whoever ends it', async () => {
    const aborting = new AbortController()
    const endings = {
      close: (reader: { close(): Promise<void> }) => reader.close(),
      return: (_: unknown, loop: AsyncIterator<unknown>) => loop.return?.(),
      abort: () => aborting.abort(new Error('enough')),
    }
    for (const [name, end] of Object.entries(endings)) {
      const reader = client.reader(topic, {
        from: 'latest',
        maxWaitMs: 30_000,
        ...(name === 'abort' ? { signal: aborting.signal } : {}),
      })
      const loop = reader[Symbol.asyncIterator]()
      const waiting = loop.next()
      // It is surely under way once it knows where it is.
      await until(() => Object.keys(reader.position()).length === 3)
      await end(reader, loop)
      if (name === 'abort') expect(await failure(waiting)).toEqual(new Error('enough'))
      else expect(await waiting).toEqual({ done: true, value: undefined })
      expect(await loop.next()).toEqual({ done: true, value: undefined })
    }
  })

  test('an abort ends a loop in the middle of what lies ready', async () => {
    const aborting = new AbortController()
    const reader = client.reader(topic, { until: 'latest', signal: aborting.signal })
    let count = 0
    const reading = (async () => {
      for await (const _ of reader) if (++count === 5) aborting.abort('enough')
    })()
    expect(await failure(reading)).toBe('enough')
    expect(count).toBe(5)
    const { 0: a = 0, 1: b = 0, 2: c = 0 } = reader.position()
    expect(a + b + c).toBe(5)
    expect(await failure(collect(reader))).toBe('enough')
  })

  test('a signal that is aborted already ends a loop before anything is asked', async () => {
    const nowhere = connect('http://127.0.0.1:9')
    const reader = nowhere.reader('any', { signal: AbortSignal.abort('before') })
    expect(await failure(collect(reader))).toBe('before')
  })

  test('a closed reader ends its loop and refuses another; closing again is nothing', async () => {
    const reader = client.reader(topic, { until: 'latest' })
    let count = 0
    for await (const _ of reader) if (++count === 5) await reader.close()
    expect(count).toBe(5)
    await reader.close()
    expect(await failure(collect(reader))).toMatchObject({ code: 'CLIENT_CLOSED' })
  })

  test('await using closes it', async () => {
    const following = client.reader(topic, { from: 'latest' })
    const loop = following[Symbol.asyncIterator]()
    const waiting = loop.next()
    {
      await using _reader = following
      await until(() => Object.keys(following.position()).length === 3)
    }
    expect(await waiting).toMatchObject({ done: true })
  })

  test('closing the client ends its readers without an error', async () => {
    const own = connect(broker.url)
    const readers = [own.reader(topic, { from: 'latest' }), own.reader(topic, { until: 'latest' })]
    const [following, idle] = readers
    const waiting = collect(following!)
    expect(await collect(idle!, 1)).toHaveLength(1)
    await until(() => Object.keys(following!.position()).length === 3)
    await own.close()
    expect(await waiting).toEqual([])
    expect(await failure(collect(idle!))).toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(() => own.reader(topic)).toThrow('closed')
  })

  test('a loop body that throws ends the loop, and the next goes on after that record', async () => {
    const reader = client.reader(topic, { partitions: [2], until: 'latest' })
    const failing = (async () => {
      for await (const record of reader) if (record.offset === 9) throw new Error('not this one')
    })()
    expect(await failure(failing)).toEqual(new Error('not this one'))
    expect(await collect(reader, 1)).toMatchObject([{ offset: 10 }])
  })

  test('other work goes on while records lie ready', async () => {
    const busy = await newTopic(writer)
    await write(writer, busy, 30_000, { batchBytes: 100_000 })
    let rounds = 0
    const timer = setInterval(() => {
      rounds++
    }, 1)
    let spinning = 0
    for await (const { offset } of client.reader(busy, { until: 'latest' })) {
      for (let i = 0; i < 5_000; i++) spinning += offset ^ i
    }
    clearInterval(timer)
    expect(spinning).not.toBe(0)
    expect(rounds).toBeGreaterThan(5)
  })
})
