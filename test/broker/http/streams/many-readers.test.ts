/** Very many readers, very many partitions, very many requests on one connection. */

import { randomUUID } from 'node:crypto'
import { createConnection } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeCursor } from '../../../../broker/http/records/cursor.ts'
import { StreamMemory } from '../../../../broker/http/streams/memory.ts'
import { streamPlan } from '../../../../broker/http/streams/plan.ts'
import { type PlaceSource, RecordStream } from '../../../../broker/http/streams/stream.ts'
import { noTotals } from '../../../../broker/http/streams/totals.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { systemClock } from '../../../../storage/clock.ts'
import { StreamReader } from '../../../durability/stream-reader.ts'
import { sendRaw } from '../raw-http.ts'
import { send, TestTopic } from '../records/topic-client.ts'
import { fill, pathOf, range, topicOf } from './numbered-topic.ts'
import { EVENTS, OpenStream, WAIT_MS_MAX } from './open-stream.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${broker.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

test('a thousand readers cost one reading of each batch', async () => {
  const topic = await topicOf(broker, [0])
  const readers = range(1_000).map(
    () => new StreamReader({ port: broker.port, path: pathOf(topic), from: [0], isStalled: false }),
  )
  await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(1_000)
  await expect
    .poll(() => broker.context.replicas.partition(topic.name, 0).waiters, { timeout: WAIT_MS_MAX })
    .toBe(1)
  const before = await metric('spool_stream_read_batches_total')
  const batches = 20
  for (let batch = 1; batch <= batches; batch++) {
    await fill(topic, 0, (batch - 1) * 5, batch * 5, 5)
    await expect
      .poll(() => readers.every(({ recordCount }) => recordCount === batch * 5), {
        timeout: WAIT_MS_MAX,
        interval: 5,
      })
      .toBe(true)
  }
  expect((await metric('spool_stream_read_batches_total')) - before).toBe(batches)
  expect(await metric('spool_stream_feeds')).toBe(1)
  expect(readers.map(({ problem }) => problem).filter(Boolean)).toEqual([])
  expect(new Set(readers.map(({ checksums }) => checksums[0])).size).toBe(1)
  for (const reader of readers) reader.leave()
  await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(0)
  expect(await metric('spool_stream_bytes')).toBe(0)
})

describe('over several partitions nobody is starved', () => {
  test('by the history of one', async () => {
    const topic = await TestTopic.create(broker, { partitions: 4 })
    const pad = 'x'.repeat(2_000)
    for (let i = 0; i < 20; i++) {
      await topic.produce({ records: range(200).map((n) => ({ partition: 1, value: { n, pad } })) })
    }
    for (const partition of [0, 2, 3]) await fill(topic, partition, 0, 5)
    const stream = await OpenStream.whole(broker, topic.path)
    expect(stream.records.length).toBe(4_000 + 15)
    for (const partition of [0, 2, 3]) {
      const at = stream.records.findLastIndex((record) => record.partition === partition)
      expect(at).toBeLessThan(2_000)
    }
  })

  test('by one that is written to without end', async () => {
    const topic = await topicOf(broker, [0, 0])
    using stream = await OpenStream.open(broker, topic.path, { accept: EVENTS })
    let isWriting = true
    let written = 0
    const writing = (async () => {
      while (isWriting) {
        await topic.produce({ records: Array(50).fill({ partition: 0, value: 'x'.repeat(500) }) })
        written += 50
      }
    })()
    await stream.has(200)
    for (let n = 0; n < 5; n++) {
      await fill(topic, 1, n, n + 1)
      await stream.until(({ places }) => places.includes(`1/${n}`))
    }
    isWriting = false
    await writing
    await stream.has(written + 5)
    const ofFirst = stream.records.filter(({ partition }) => partition === 0)
    expect(ofFirst.map(({ offset }) => offset)).toEqual(range(written))
  })
})

test('a topic whose places fit no cursor is refused before its stream begins', async () => {
  const clock = systemClock
  const places = range(7_000).map((partition) => ({ partition, nextOffset: 5 }))
  const source: PlaceSource = {
    places: [],
    untilMs: undefined,
    tellsAfterChunks: true,
    canEnd: true,
    outlivesTopics: false,
    endOf: () => Promise.resolve(0),
    cursor: (isEnd) => encodeCursor({ topicId: randomUUID(), places, isEnd }),
    hasMoreToTell: false,
    isChanged: () => false,
    change: () => ({ added: [], removed: [], told: [] }),
  }
  const stream = new RecordStream({
    manner: streamPlan({ follow: true }, 'application/x-ndjson', undefined),
    source,
    memory: new StreamMemory(4 * 1024 * 1024, clock),
    totals: noTotals(),
    clock,
    busyMsMax: 1_000,
  })
  await expect(stream.begin()).rejects.toMatchObject({ code: 'INVALID_REQUEST', httpStatus: 400 })
})

describe('HTTP', () => {
  const head = (path: string, accept: string, method = 'GET') =>
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`

  test('a pipeline of streams that end is answered in order, each of them whole', async () => {
    const topic = await topicOf(broker, [30])
    const one = head(`${pathOf(topic)}?limit=10`, 'application/x-ndjson')
    const two = head(`${pathOf(topic)}?limit=5&from=20`, EVENTS)
    const { text } = await sendRaw(broker.port, one + two + one)
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3)
    const offsets = [...text.matchAll(/"offset":(\d+)/g)].map(([, offset]) => Number(offset))
    expect(offsets).toEqual([...range(10), ...range(5, 20), ...range(10)])
    expect(text.match(/\r\n0\r\n\r\n/g)).toHaveLength(3)
  })

  test('a request behind a stream that follows waits for it, and holds nothing when both go', async () => {
    const topic = await topicOf(broker, [3])
    const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes
    })
    socket.write(head(pathOf(topic), EVENTS).repeat(3))
    await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(3)
    await expect.poll(() => text.match(/"offset":/g)?.length).toBe(3)
    socket.destroy()
    await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(0)
    expect(await metric('spool_stream_bytes')).toBe(0)
    expect(await metric('spool_waiting_requests')).toBe(0)
  })

  test('HEAD is refused, and the connection goes on', async () => {
    const topic = await topicOf(broker, [3])
    const { text } = await sendRaw(
      broker.port,
      head(pathOf(topic), EVENTS, 'HEAD') + head(`${pathOf(topic)}?limit=1`, EVENTS),
    )
    expect(text).toMatch(/^HTTP\/1\.1 405 /)
    expect(text.match(/"offset":/g)).toHaveLength(1)
  })

  test('a connection is used again after a stream that ended', async () => {
    const topic = await topicOf(broker, [3])
    for (let i = 0; i < 3; i++) {
      const reply = await send(broker, `${pathOf(topic)}`, {
        headers: { accept: 'application/x-ndjson' },
      })
      expect(reply.text.split('\n')).toHaveLength(4)
    }
  })
})

test.each([
  ['follow=false', EVENTS, 'follow'],
  ['control=false', EVENTS, 'control'],
  ['follow=true&control=false', 'application/x-ndjson', 'control'],
  ['follow=true&waitMs=5', 'application/x-ndjson', 'waitMs'],
  ['waitMs=5', EVENTS, 'waitMs'],
  ['maxBytes=5', EVENTS, 'maxBytes'],
  ['maxBytes=5', 'application/x-ndjson', 'maxBytes'],
  ['limit=0', EVENTS, 'limit'],
  ['follow=yes', 'application/x-ndjson', 'follow'],
  ['follow=true&follow=true', 'application/x-ndjson', 'follow'],
  ['until=soon', EVENTS, 'until'],
])('%s of %s is 400 and says why', async (query, accept, field) => {
  const topic = await topicOf(broker, [1])
  const stream = await OpenStream.whole(broker, `${pathOf(topic)}?${query}`, { accept })
  expect([stream.status, stream.document.code]).toEqual([400, 'INVALID_REQUEST'])
  expect(stream.document.detail).toContain(field)
})
