/** Producing over HTTP, request by request: what is stored, what is answered, what is refused. */

import { Packr } from 'msgpackr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { RecordBatch } from '../../../../storage/record/record-batch.ts'
import { send, TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ httpBodyBytesMax: 1024 * 1024 })
})
afterAll(() => broker[Symbol.asyncDispose]())

const packr = new Packr({ useRecords: false, variableMapSize: true })
const MSGPACK = { 'content-type': 'application/msgpack' }

describe('JSON', () => {
  test('stores a record as sent and answers where it is', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.produce(
      '{"key":"u1","value":{ "a":1.0 },"headers":{"x":"é"},"timestamp":1700000000000}',
    )
    expect(reply.status).toBe(200)
    expect(reply.headers['content-type']).toBe('application/json')
    expect(reply.text.endsWith('}\n')).toBe(true)
    expect(reply.json).toEqual({
      topic: topic.name,
      durability: 'flushed',
      inSyncReplicas: 1,
      offsets: [{ partition: 0, offset: 0, timestamp: 1_700_000_000_000 }],
    })
    expect(await topic.stored()).toEqual([
      {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: 'u1',
        value: '{ "a":1.0 }',
        headers: [['x', '\u00c3\u00a9']],
      },
    ])
  })

  test('keeps values of every kind exactly', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce(
      '{"records":[{"value":"t\\u0065xt"},{"value":null},{"value":{"base64":"AP8="}},{"value":1e2},{"value":""}]}',
    )
    await topic.produce(
      '{"records":[{"value":"x"},{"value":{"base64":"AP8="}},{"value":null}]}',
      '?as=json',
    )
    expect((await topic.stored()).map(({ value }) => value)).toEqual([
      'text',
      null,
      '\u0000\u00ff',
      '1e2',
      '',
      '"x"',
      '{"base64":"AP8="}',
      null,
    ])
  })

  test('answers in the order of the records, whatever their partitions', async () => {
    const topic = await TestTopic.create(broker, { partitions: 4 })
    const records = Array.from({ length: 40 }, (_, i) => ({ key: `k${i % 9}`, value: String(i) }))
    const { json } = await topic.produce({ records })
    expect(json.offsets).toHaveLength(40)
    const stored = await Promise.all([0, 1, 2, 3].map((partition) => topic.stored(partition)))
    for (const [i, { partition, offset }] of json.offsets.entries()) {
      expect(stored[partition]![offset]!.value).toBe(String(i))
    }
    const partitionOfKey = new Map<string, number>()
    for (const [i, { partition }] of json.offsets.entries()) {
      const { key } = records[i]!
      expect(partitionOfKey.get(key) ?? partition).toBe(partition)
      partitionOfKey.set(key, partition)
    }
    expect(new Set(partitionOfKey.values()).size).toBeGreaterThan(1)
  })

  test('puts records without a key into one batch of one partition', async () => {
    const topic = await TestTopic.create(broker, { partitions: 8 })
    const { json } = await topic.produce({ records: Array(10).fill({ value: 'x' }) })
    expect(new Set(json.offsets.map((each: { partition: number }) => each.partition)).size).toBe(1)
  })

  test('obeys partition= and the partition of a record, and key= for those without', async () => {
    const topic = await TestTopic.create(broker, { partitions: 3 })
    expect((await topic.produce({ value: 'a' }, '?partition=2')).json.offsets[0].partition).toBe(2)
    expect((await topic.produce({ value: 'a', partition: 1 })).json.offsets[0].partition).toBe(1)
    const keyed = await topic.produce({ value: 'b' }, '?partition=2&key=%C3%A9')
    expect(keyed.status).toBe(200)
    expect((await topic.stored(2)).at(-1)).toMatchObject({ key: '\u00c3\u00a9', value: 'b' })
  })

  test('is refused whole when one record is, each refusal with its index', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.produce(
      '{"records":[{"value":1},{"key":1.5,"value":1},{"value":1,"partition":7},{"value":1,"timestamp":99999999999999}]}',
    )
    expect(reply.status).toBe(422)
    expect(reply.headers['content-type']).toBe('application/problem+json')
    expect(reply.json).toMatchObject({
      code: 'INVALID_RECORD',
      outcome: 'refused',
      errors: [
        { index: 1, code: 'INVALID_RECORD' },
        { index: 2, code: 'UNKNOWN_TOPIC_OR_PARTITION' },
        { index: 3, code: 'INVALID_TIMESTAMP' },
      ],
    })
    expect(topic.count()).toBe(0)
  })

  test.each([
    ['not JSON', '{"value":'],
    ['two texts', '{"value":1}{"value":2}'],
    ['a name twice', '{"value":1,"value":2}'],
    ['nesting beyond the limit', `{"value":${'['.repeat(200_000)}`],
    ['a byte order mark', '\ufeff{"value":1}'],
    ['NaN', '{"value":NaN}'],
    ['no records', '{"records":[]}'],
    ['nothing', ''],
  ])('that is %s is 400 and refused', async (_what, body) => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.post(body)
    expect(reply.status).toBe(400)
    expect(reply.json).toMatchObject({ code: 'INVALID_REQUEST', outcome: 'refused' })
    expect(topic.count()).toBe(0)
  })

  test.each([
    ['an unknown member', '{"value":1,"val":2}'],
    ['no value', '{"key":"a"}'],
    ['half of a surrogate pair', '{"value":"\\ud800"}'],
    ['broken base64', '{"value":{"base64":"AP8"}}'],
    ['a record that is an array', '[1]'],
  ])('with %s is 422', async (_what, body) => {
    const topic = await TestTopic.create(broker)
    expect((await topic.post(body)).status).toBe(422)
  })

  test('that is not UTF-8 is 400', async () => {
    const topic = await TestTopic.create(broker)
    const body = Buffer.concat([Buffer.from('{"value":"'), Buffer.from([0xff]), Buffer.from('"}')])
    expect((await topic.post(body)).status).toBe(400)
  })

  test('with __proto__ and constructor as names keeps them as names', async () => {
    const topic = await TestTopic.create(broker)
    const value = '{"__proto__":{"polluted":true},"constructor":1}'
    await topic.produce(`{"value":${value},"headers":{"__proto__":"h"}}`)
    expect(await topic.stored()).toMatchObject([{ value, headers: [['__proto__', 'h']] }])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('of more than the limit is 413, and so is a record beyond max.message.bytes', async () => {
    const topic = await TestTopic.create(broker, { config: { 'max.message.bytes': 10_000 } })
    expect((await topic.produce({ value: 'x'.repeat(2 * 1024 * 1024) })).status).toBe(413)
    const reply = await topic.produce({ records: [{ value: 'a' }, { value: 'x'.repeat(10_000) }] })
    expect(reply.status).toBe(413)
    expect(reply.json).toMatchObject({ code: 'MESSAGE_TOO_LARGE', errors: [{ index: 1 }] })
    expect(topic.count()).toBe(0)
  })

  test('that exceeds one batch in sum is stored in several', async () => {
    const topic = await TestTopic.create(broker, { config: { 'max.message.bytes': 10_000 } })
    const records = Array.from({ length: 10 }, (_, i) => ({ value: String(i).repeat(3_000) }))
    const { json } = await topic.produce({ records })
    expect(json.offsets.map((each: { offset: number }) => each.offset)).toEqual([
      ...Array(10).keys(),
    ])
    expect(topic.count()).toBe(10)
  })
})

describe('MessagePack', () => {
  test('stores binary as it is', async () => {
    const topic = await TestTopic.create(broker)
    const record = {
      key: Buffer.from([255]),
      value: Buffer.from([0, 254]),
      headers: { h: Buffer.from([1]) },
    }
    const reply = await topic.post(Buffer.from(packr.pack({ records: [record] })), '', MSGPACK)
    expect(reply.status).toBe(200)
    expect(await topic.stored()).toMatchObject([
      { key: '\u00ff', value: '\u0000\u00fe', headers: [['h', '\u0001']] },
    ])
  })

  test.each([
    ['an extension', Buffer.from([0x81, 0xa5, ...Buffer.from('value'), 0xd4, 1, 0])],
    ['a count of 2^32 - 1', Buffer.from([0xdd, 255, 255, 255, 255])],
    ['deep nesting', Buffer.alloc(200_000, 0x91)],
    ['nothing', Buffer.alloc(0)],
  ])('with %s is 400', async (_what, body) => {
    const topic = await TestTopic.create(broker)
    expect((await topic.post(body, '', MSGPACK)).status).toBe(400)
  })
})

describe('acknowledgement', () => {
  test('acks=0 is 202 without offsets', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.produce({ value: 'x' }, '?acks=0')
    expect(reply.status).toBe(202)
    expect(reply.text).toBe('')
    await expect.poll(() => topic.count()).toBe(1)
  })

  test('of a topic that does not sync says written', async () => {
    const topic = await TestTopic.create(broker, { config: { 'flush.messages': 1_000 } })
    expect((await topic.produce({ value: 'x' })).json.durability).toBe('written')
  })

  test('acks=2 is refused by its name', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.produce({ value: 'x' }, '?acks=2')
    expect(reply.status).toBe(400)
    expect(reply.json.code).toBe('INVALID_REQUIRED_ACKS')
  })

  test('with LogAppendTime gives the time of the append', async () => {
    const topic = await TestTopic.create(broker, {
      config: { 'message.timestamp.type': 'LogAppendTime' },
    })
    const before = Date.now()
    const { json } = await topic.produce({ value: 'x', timestamp: 5 })
    expect(json.offsets[0].timestamp).toBeGreaterThanOrEqual(before)
    expect((await topic.stored())[0]!.timestamp).toBe(json.offsets[0].timestamp)
  })
})

describe('what does not fit', () => {
  test('an unknown topic is 404 with the command that makes it', async () => {
    const reply = await send(broker, '/v1/topics/nowhere/records', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"value":1}',
    })
    expect(reply.status).toBe(404)
    expect(reply.json.detail).toContain('curl -X PUT')
  })

  test('a partition that is not there is 404', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    expect((await topic.produce({ value: 1 }, '?partition=2')).status).toBe(404)
  })

  test.each([
    'unknown=1',
    'acks=1&acks=1',
    'partition=-1',
    'partition=1.0',
    'partition=99999999999',
    'timeoutMs=0',
    'timeoutMs=1e3',
    'body=lines2',
    'as=xml',
    'keyFrom=/a',
    'timestampFrom=/a',
    'onError=skip',
    'body=value&as=json',
    'body=value&keyFrom=a',
    'body=value&keyFrom=/a&key=b',
    'expectOffset=9007199254740992&partition=0',
    'key=%ff',
  ])('?%s is 400 and says why', async (query) => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.produce({ value: 1 }, `?${query}`)
    expect(reply.status).toBe(400)
    expect(reply.json.detail.length).toBeGreaterThan(20)
    expect(topic.count()).toBe(0)
  })
})

describe('batches', () => {
  async function firstBatch(topic: TestTopic): Promise<RecordBatch> {
    const { bytes } = await broker.context.replicas
      .partition(topic.name, 0)
      .read(0, { maxBytes: 1 })
    return new RecordBatch(bytes)
  }

  test('are compressed by the broker where that helps', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce({ records: Array(200).fill({ value: 'the same again' }) })
    expect((await firstBatch(topic)).compression).toBe('lz4')
    const small = await TestTopic.create(broker)
    await small.produce({ value: 'small' })
    expect((await firstBatch(small)).compression).toBe('none')
  })

  test('obey compression.type', async () => {
    const topic = await TestTopic.create(broker, { config: { 'compression.type': 'zstd' } })
    await topic.produce({ value: 'small' })
    expect((await firstBatch(topic)).compression).toBe('zstd')
    expect(await topic.stored()).toMatchObject([{ value: 'small' }])
  })
})

describe('whatever goes wrong', () => {
  test.each([
    ['an unknown topic', '/v1/topics/nowhere/records', {}, 404],
    ['an unknown partition', '?partition=7', {}, 404],
    ['an unknown parameter', '?acls=1', {}, 400],
    ['a value out of bounds', '?timeoutMs=0', {}, 400],
    ['a type nobody has', '', { accept: 'text/plain' }, 406],
    ['another site', '', { origin: 'https://elsewhere.example' }, 403],
    ['another host', '', { host: 'elsewhere.example' }, 403],
    ['no JSON', '', {}, 400],
  ])('%s: the failure says that nothing is appended', async (_what, where, headers, status) => {
    const topic = await TestTopic.create(broker)
    const path = where.startsWith('/') ? where : `${topic.path}${where}`
    const sent = { 'content-type': 'application/json', ...headers }
    const body = status === 400 && where === '' ? '{' : '{"value":1}'
    const reply = await send(broker, path, { method: 'POST', headers: sent, body })
    expect(reply.status).toBe(status)
    expect(reply.json.outcome).toBe('refused')
    expect(topic.count()).toBe(0)
  })

  test('the binary route says it too', async () => {
    const headers = { 'content-type': 'application/vnd.spool.batches' }
    const envelope = packr.pack({ acks: 1, bogus: true })
    const length = Buffer.alloc(4)
    length.writeUInt32BE(envelope.length)
    const body = Buffer.concat([length, envelope])
    const reply = await send(broker, '/v1/produce', { method: 'POST', headers, body })
    expect(reply.json).toMatchObject({ status: 400, outcome: 'refused' })
    const unknown = await send(broker, '/v1/produce?x=1', { method: 'POST', headers, body })
    expect(unknown.json).toMatchObject({ status: 400, outcome: 'refused' })
  })
})

test('pretty=true indents the answer, whether of one record or of several', async () => {
  const topic = await TestTopic.create(broker)
  for (const body of ['{"value":1}', '{"records":[{"value":1},{"value":2}]}']) {
    const reply = await topic.produce(body, '?pretty=true')
    expect(reply.text).toBe(`${JSON.stringify(reply.json, null, 2)}\n`)
  }
})
