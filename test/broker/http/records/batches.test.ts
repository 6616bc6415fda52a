/** The binary routes: batches go in and come out as they are, and a bad one harms nobody else. */

import { createConnection } from 'node:net'
import { Packr, Unpackr } from 'msgpackr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { BatchBuilder } from '../../../../storage/record/batch-builder.ts'
import { ATTRIBUTES_AT, MAGIC_AT, RecordBatch } from '../../../../storage/record/record-batch.ts'
import { type Reply, send, TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ streamStalledMsMax: 500 })
})
afterAll(() => broker[Symbol.asyncDispose]())

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' })
const TYPE = { 'content-type': 'application/vnd.spool.batches' }

function batch(values: readonly string[], compression: 'none' | 'lz4' = 'none'): Buffer {
  const builder = new BatchBuilder({ compression })
  for (const value of values) builder.append(Date.now(), Buffer.from('k'), Buffer.from(value))
  return builder.build()
}

function frame(envelope: unknown, ...batches: Buffer[]): Buffer {
  const packed = packr.pack(envelope)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(packed.length)
  return Buffer.concat([length, packed, ...batches])
}

const post = (path: string, body: Buffer, headers: Record<string, string> = TYPE) =>
  send(broker, path, { method: 'POST', headers, body })

/** The envelope of an answer, and the bytes after it. */
// biome-ignore lint/suspicious/noExplicitAny: envelopes the test looks into
function opened(reply: Reply): { envelope: any; rest: Buffer } {
  expect(reply.headers['content-type']).toBe('application/vnd.spool.batches')
  const length = reply.bytes.readUInt32BE(0)
  return {
    envelope: unpackr.unpack(reply.bytes.subarray(4, 4 + length)),
    rest: reply.bytes.subarray(4 + length),
  }
}

interface Wanted {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
  readonly topicId?: string
}

function produce(wanted: readonly Wanted[], acks: number | string = 'all'): Promise<Reply> {
  const batches = wanted.map(({ bytes, ...place }) => ({ ...place, bytes: bytes.length }))
  const bodies = wanted.map(({ bytes }) => bytes)
  return post('/v1/produce', frame({ acks, timeoutMs: 5_000, batches }, ...bodies))
}

const fetchEnvelope = (partitions: readonly object[], more: object = {}) => ({
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1 << 20,
  partitions: partitions.map((each) => ({ offset: 0, maxBytes: 1 << 20, ...each })),
  ...more,
})

describe('produce', () => {
  test('appends the batches as they came and says where', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    const reply = await produce([
      { topic: topic.name, partition: 1, bytes: batch(['a', 'b'], 'lz4') },
      { topic: topic.name, partition: 0, bytes: batch(['c']) },
      { topic: topic.name, partition: 1, bytes: batch(['d']) },
    ])
    expect(reply.status).toBe(200)
    const topicId = expect.stringMatching(/^[\da-f-]{36}$/)
    const done = { topic: topic.name, topicId, logAppendTime: -1, durability: 'flushed' }
    expect(opened(reply).envelope.results).toEqual([
      { ...done, partition: 1, baseOffset: 0, lastOffset: 1 },
      { ...done, partition: 0, baseOffset: 0, lastOffset: 0 },
      { ...done, partition: 1, baseOffset: 2, lastOffset: 2 },
    ])
    expect((await topic.stored(1)).map(({ value }) => value)).toEqual(['a', 'b', 'd'])
    expect((await topic.stored(0)).map(({ value }) => value)).toEqual(['c'])
  })

  test('after many batches that are too large the rest of a request is refused unread', async () => {
    const topic = await TestTopic.create(broker)
    const bytes = batch(['x'.repeat(100_000)])
    const { topicId } = (await (await fetch(`${broker.url}/v1/topics/${topic.name}`)).json()) as {
      topicId: string
    }
    await fetch(`${broker.url}/v1/topics/${topic.name}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ config: { 'max.message.bytes': 1024 } }),
    })
    const many = Array.from({ length: 66 }, () => ({
      topic: topic.name,
      topicId,
      partition: 0,
      bytes,
    }))
    const reply = await produce(many)
    const results = opened(reply).envelope.results as { error: { code: string; outcome: string } }[]
    const codes = results.map(({ error }) => error.code)
    expect(codes.slice(0, 64)).toEqual(Array(64).fill('MESSAGE_TOO_LARGE'))
    expect(codes.slice(64)).toEqual(['LIMIT_EXCEEDED', 'LIMIT_EXCEEDED'])
    expect(results.every(({ error }) => error.outcome === 'refused')).toBe(true)
  })

  test('what is wrong with one batch stays with it', async () => {
    const topic = await TestTopic.create(broker)
    const broken = batch(['x'])
    broken[broken.length - 1]! ^= 1
    const old = batch(['x'])
    old[MAGIC_AT] = 1
    const control = batch(['x'])
    control[ATTRIBUTES_AT + 1]! |= 0x20
    const good = { topic: topic.name, partition: 0 }
    const reply = await produce([
      { ...good, bytes: broken },
      { ...good, bytes: batch(['good']) },
      { ...good, partition: 9, bytes: batch(['x']) },
      { ...good, topic: 'nowhere', bytes: batch(['x']) },
      { ...good, bytes: old },
      { ...good, bytes: control },
      { ...good, bytes: Buffer.alloc(0) },
      { ...good, bytes: Buffer.alloc(30) },
      { ...good, topicId: '00000000-0000-4000-8000-000000000000', bytes: batch(['x']) },
      { ...good, topic: '__internal', bytes: batch(['x']) },
    ])
    expect(reply.status).toBe(200)
    const { results } = opened(reply).envelope
    expect(results.map((each: { error?: { code: string } }) => each.error?.code)).toEqual([
      'CORRUPT_MESSAGE',
      undefined,
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_OR_PARTITION',
      expect.stringMatching(/INVALID_RECORD|CORRUPT_MESSAGE/),
      expect.stringMatching(/INVALID_RECORD|CORRUPT_MESSAGE/),
      expect.stringMatching(/INVALID_RECORD|CORRUPT_MESSAGE/),
      expect.stringMatching(/INVALID_RECORD|CORRUPT_MESSAGE/),
      'INCONSISTENT_TOPIC_ID',
      expect.stringMatching(/UNKNOWN_TOPIC_OR_PARTITION|INVALID_TOPIC_EXCEPTION/),
    ])
    expect(results[0].error.outcome).toBe('refused')
    expect((await topic.stored()).map(({ value }) => value)).toEqual(['good'])
  })

  test('acks=0 is 202 and nothing more', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await produce([{ topic: topic.name, partition: 0, bytes: batch(['a']) }], 0)
    expect([reply.status, reply.text]).toEqual([202, ''])
    await expect.poll(() => topic.count()).toBe(1)
  })

  test('a repeat of an idempotent batch is its first offsets', async () => {
    const topic = await TestTopic.create(broker)
    const { json } = await send(broker, '/v1/producers', { method: 'POST' })
    const builder = new BatchBuilder({ compression: 'none', ...json, baseSequence: 0 })
    builder.append(Date.now(), null, Buffer.from('once'))
    const wanted = () => [{ topic: topic.name, partition: 0, bytes: builder.build() }]
    await produce(wanted())
    const { results } = opened(await produce(wanted())).envelope
    expect(results[0]).toMatchObject({ baseOffset: 0, duplicate: true })
    expect(topic.count()).toBe(1)
  })
})

describe('a body that is not framed right', () => {
  const envelope = (bytes: number, more: object = {}) => ({
    acks: 'all',
    timeoutMs: 5_000,
    batches: [{ topic: 't', partition: 0, bytes, ...more }],
  })

  test.each([
    ['empty', Buffer.alloc(0)],
    ['shorter than its length', Buffer.from([0, 0])],
    ['with an envelope longer than the body', Buffer.from([0, 0, 1, 0, 0x80])],
    ['with bytes nobody announced', frame(envelope(0), Buffer.alloc(5))],
    ['with fewer bytes than announced', frame(envelope(500), Buffer.alloc(5))],
    ['with a negative size', frame(envelope(-1))],
    ['with a size beyond 2^53', frame(envelope(1, { bytes: 2n ** 60n }))],
    ['with an unknown field', frame(envelope(0, { leader: 1 }))],
    ['with an unknown acks', frame({ ...envelope(0), acks: 2 })],
    ['with no batches', frame({ acks: 'all', timeoutMs: 5, batches: [] })],
    [
      'with __proto__',
      frame(new Map<string, unknown>(Object.entries(envelope(0))).set('__proto__', {})),
    ],
    ['with an extension', frame({ ...envelope(0), at: new Date(0) })],
    ['that is JSON', Buffer.from('{"acks":1}')],
    ['with an array of 2^32 - 1', Buffer.from([0, 0, 0, 5, 0xdd, 255, 255, 255, 255])],
  ])('%s is refused', async (_what, body) => {
    const reply = await post('/v1/produce', body)
    expect([400, 413]).toContain(reply.status)
    expect(reply.json.outcome ?? 'refused').toBe('refused')
  })

  test('or typed otherwise is 415', async () => {
    for (const path of ['/v1/produce', '/v1/fetch']) {
      const reply = await post(path, Buffer.from('{}'), { 'content-type': 'application/json' })
      expect(reply.status).toBe(415)
    }
  })
})

describe('fetch', () => {
  test('gives the bytes that are on disk', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    const [one, two, three] = [batch(['a', 'b']), batch(['c'], 'lz4'), batch(['d'])]
    await produce([
      { topic: topic.name, partition: 0, bytes: one },
      { topic: topic.name, partition: 0, bytes: two },
      { topic: topic.name, partition: 1, bytes: three },
    ])
    const reply = await post(
      '/v1/fetch',
      frame(
        fetchEnvelope([
          { topic: topic.name, partition: 0, offset: 1 },
          { topic: topic.name, partition: 1 },
          { topic: topic.name, partition: 5 },
        ]),
      ),
    )
    const { envelope, rest } = opened(reply)
    const { topicId } = broker.context.topics.require(topic.name)
    expect(envelope.partitions).toEqual([
      {
        topic: topic.name,
        topicId,
        partition: 0,
        highWatermark: 3,
        lastStableOffset: 3,
        logStartOffset: 0,
        bytes: one.length + two.length,
      },
      {
        topic: topic.name,
        topicId,
        partition: 1,
        highWatermark: 1,
        lastStableOffset: 1,
        logStartOffset: 0,
        bytes: three.length,
      },
      {
        topic: topic.name,
        partition: 5,
        bytes: 0,
        error: { code: 'UNKNOWN_TOPIC_OR_PARTITION', detail: expect.any(String) },
      },
    ])
    const first = new RecordBatch(rest.subarray(0, one.length))
    expect(first.hasValidCrc()).toBe(true)
    // All but base offset and epoch is as it was sent.
    expect(rest.subarray(16, one.length)).toEqual(one.subarray(16))
    expect(rest.subarray(one.length + 16, one.length + two.length)).toEqual(two.subarray(16))
    expect(rest).toHaveLength(one.length + two.length + three.length)
  })

  test('out of range is told in its place', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await post(
      '/v1/fetch',
      frame(fetchEnvelope([{ topic: topic.name, partition: 0, offset: 7 }])),
    )
    expect(opened(reply).envelope.partitions[0]).toMatchObject({
      bytes: 0,
      highWatermark: 0,
      error: { code: 'OFFSET_OUT_OF_RANGE' },
    })
  })

  test('waits for bytes and is woken by them', async () => {
    const topic = await TestTopic.create(broker)
    const waiting = post(
      '/v1/fetch',
      frame(fetchEnvelope([{ topic: topic.name, partition: 0 }], { maxWaitMs: 20_000 })),
    )
    const partition = broker.context.replicas.partition(topic.name, 0)
    await expect.poll(() => partition.waiters).toBe(1)
    await produce([{ topic: topic.name, partition: 0, bytes: batch(['a']) }])
    expect(opened(await waiting).envelope.partitions[0].highWatermark).toBe(1)
    expect(partition.waiters).toBe(0)
  })

  test('of a client that went away leaves nobody waiting', async () => {
    const topic = await TestTopic.create(broker)
    const body = frame(fetchEnvelope([{ topic: topic.name, partition: 0 }], { maxWaitMs: 30_000 }))
    const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
    socket.write(
      `POST /v1/fetch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.spool.batches\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    socket.write(body)
    const partition = broker.context.replicas.partition(topic.name, 0)
    await expect.poll(() => partition.waiters).toBe(1)
    socket.destroy()
    await expect.poll(() => partition.waiters).toBe(0)
  })

  test.each([
    ['replicaId', { replicaId: 2 }, {}],
    ['flushedOffset', {}, { flushedOffset: 5 }],
    ['lastFetchedEpoch', {}, { lastFetchedEpoch: 0 }],
  ])('with %s is for brokers only', async (_name, more, ofPartition) => {
    const topic = await TestTopic.create(broker)
    const partitions = [{ topic: topic.name, partition: 0, ...ofPartition }]
    const reply = await post('/v1/fetch', frame(fetchEnvelope(partitions, more)))
    expect(reply.json.code).toBe('CLUSTER_AUTHORIZATION_FAILED')
  })

  test.each([
    ['a wait beyond the limit', { maxWaitMs: 10 ** 9 }],
    ['more than fetch.max.bytes', { maxBytes: 10 ** 12 }],
    ['minBytes above maxBytes', { minBytes: 5_000_000 }],
    ['no partitions', { partitions: [] }],
  ])('of %s is 400', async (_what, more) => {
    const topic = await TestTopic.create(broker)
    const reply = await post(
      '/v1/fetch',
      frame(fetchEnvelope([{ topic: topic.name, partition: 0 }], more)),
    )
    expect(reply.status).toBe(400)
  })

  test('that nobody reads is cut, and its bytes are let go', async () => {
    const topic = await TestTopic.create(broker)
    const large = batch(Array(40).fill('x'.repeat(100_000)))
    for (let i = 0; i < 6; i++) {
      await produce([{ topic: topic.name, partition: 0, bytes: Buffer.from(large) }])
    }
    const body = frame(
      fetchEnvelope([{ topic: topic.name, partition: 0, maxBytes: 1 << 25 }], {
        maxBytes: 1 << 25,
      }),
    )
    const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.pause()
    socket.write(
      `POST /v1/fetch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.spool.batches\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    socket.write(body)
    const queued = () =>
      fetch(`${broker.url}/metrics`)
        .then((reply) => reply.text())
        .then((text) => Number(/queued_bytes\S* (\d+)\n/.exec(text)?.[1]))
    await expect.poll(queued).toBeGreaterThan(20_000_000)
    await expect.poll(queued, { timeout: 5_000 }).toBe(0)
    socket.destroy()
  })
})
