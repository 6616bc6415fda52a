/** One record by its address: raw for browsers and curl, safe to show, cacheable for ever. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { type Reply, send, TestTopic } from './topic-client.ts'

const ALLOWED_ORIGIN = 'https://console.example'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ corsAllowedOrigins: [ALLOWED_ORIGIN] })
})
afterAll(() => broker[Symbol.asyncDispose]())

async function get(
  topic: TestTopic,
  offset: number | string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Reply> {
  const path = `/v1/topics/${topic.name}/partitions/0/records/${offset}`
  return send(broker, path, { headers, method })
}

describe('raw', () => {
  test('is what was posted, under its own content type, with key and headers', async () => {
    const topic = await TestTopic.create(broker)
    const body = Buffer.from([137, 80, 78, 71, 0, 255])
    await topic.post(body, '', {
      'content-type': 'image/png',
      'spool-key': '%C3%A9%0A"',
      'spool-header-a': '1',
      'spool-header-b': 'x%20y',
    })
    const reply = await get(topic, 0)
    expect(reply.bytes).toEqual(body)
    expect(reply.headers).toMatchObject({
      'content-type': 'image/png',
      'spool-key': '%C3%A9%0A%22',
      'spool-header-a': '1',
      'spool-header-b': 'x%20y',
      'spool-partition': '0',
      'spool-offset': '0',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    })
    expect(reply.headers['content-disposition']).toBeUndefined()
    expect(Number(reply.headers['spool-timestamp'])).toBeGreaterThan(0)
    expect(reply.headers['spool-header-content-type']).toBeUndefined()
  })

  test.each([
    ['text/html', true],
    ['image/svg+xml', true],
    ['application/x-anything', true],
    ['text/plain; charset=utf-8', false],
    ['application/json', false],
    ['image/webp', false],
  ])('%s is a download: %s', async (type, isAttachment) => {
    const topic = await TestTopic.create(broker)
    await topic.post('{}', '?body=value', { 'content-type': type })
    const { headers } = await get(topic, 0)
    expect(headers['content-type']).toBe(type)
    expect(headers['content-disposition']).toBe(isAttachment ? 'attachment' : undefined)
  })

  test('of a value without a content type gets one told from its bytes', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce(
      '{"records":[{"value":{"a":1}},{"value":"é"},{"value":{"base64":"/w=="}},{"value":""}]}',
    )
    const types = await Promise.all(
      [0, 1, 2, 3].map(async (o) => (await get(topic, o)).headers['content-type']),
    )
    expect(types).toEqual([
      'application/json',
      'text/plain; charset=utf-8',
      'application/octet-stream',
      'text/plain; charset=utf-8',
    ])
  })

  test('never puts a stored content type into the head that is none', async () => {
    const topic = await TestTopic.create(broker)
    for (const type of ['text/html\r\nx-evil: 1', 'nonsense', 'a/b; c=é', 'x'.repeat(300)]) {
      const value = JSON.stringify({ value: 'x', headers: [['content-type', type]] })
      const { json } = await topic.produce(value)
      const reply = await get(topic, json.offsets[0].offset)
      expect(reply.status).toBe(200)
      expect(reply.headers['content-type']).toBe('text/plain; charset=utf-8')
      expect(reply.headers['x-evil']).toBeUndefined()
    }
  })

  test('leaves out and counts what can not be a header', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce({
      key: 'k'.repeat(5_000),
      value: 'x',
      headers: [
        ['no token', '1'],
        ['nul', null],
        ['fits', 'y'],
        ['large', 'z'.repeat(5_000)],
      ],
    })
    const { headers } = await get(topic, 0)
    expect(headers['spool-key']).toHaveLength(5_000)
    expect(headers['spool-header-fits']).toBe('y')
    expect(headers['spool-header-large']).toBeUndefined()
    expect(headers['spool-headers-omitted']).toBe('3')
  })

  test('null is 204 with its key', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce({ key: 'k', value: null })
    const reply = await get(topic, 0)
    expect(reply.status).toBe(204)
    expect(reply.headers['spool-key']).toBe('k')
    const shown = await get(topic, 0, { accept: 'application/json' })
    expect(shown.json).toMatchObject({ key: 'k', value: null })
  })

  test('HEAD is the same without the value', async () => {
    const topic = await TestTopic.create(broker)
    await topic.post('hello', '', { 'content-type': 'text/plain' })
    const reply = await get(topic, 0, {}, 'HEAD')
    expect(reply.status).toBe(200)
    expect(reply.headers['content-length']).toBe('5')
    expect(reply.bytes).toHaveLength(0)
  })
})

describe('by Accept', () => {
  test.each([
    [undefined, 'image/png'],
    ['*/*', 'image/png'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8', 'image/png'],
    ['image/*', 'image/png'],
    ['application/json', 'application/json'],
    ['application/msgpack', 'application/msgpack'],
  ])('%s is %s', async (accept, type) => {
    const topic = await TestTopic.create(broker)
    await topic.post('x', '', { 'content-type': 'image/png' })
    const { status, headers } = await get(topic, 0, accept === undefined ? {} : { accept })
    expect([status, headers['content-type']]).toEqual([200, type])
    expect(headers.vary).toContain('Accept')
  })

  test('says what it depends on, beside the Origin', async () => {
    const topic = await TestTopic.create(broker)
    await topic.post('x', '', { 'content-type': 'image/png' })
    expect((await get(topic, 0, { origin: ALLOWED_ORIGIN })).headers.vary).toBe('Origin, Accept')
  })

  test('that nothing fits is 406', async () => {
    const topic = await TestTopic.create(broker)
    await topic.post('x', '', { 'content-type': 'image/png' })
    expect((await get(topic, 0, { accept: 'audio/ogg' })).status).toBe(406)
  })
})

describe('caching', () => {
  test('an ETag that is known is 304, by shape', async () => {
    const topic = await TestTopic.create(broker)
    await topic.post('x', '', { 'content-type': 'image/png' })
    const first = await get(topic, 0)
    const etag = String(first.headers.etag)
    expect(first.headers['cache-control']).toBe('private, no-cache')
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      expect((await get(topic, 0, { 'if-none-match': known })).status).toBe(304)
    }
    const json = await get(topic, 0, { 'if-none-match': etag, accept: 'application/json' })
    expect(json.status).toBe(200)
    expect(json.headers.etag).not.toBe(etag)
  })

  test('with the topic id in the URL it never changes', async () => {
    const topic = await TestTopic.create(broker)
    await topic.post('x', '', { 'content-type': 'text/plain' })
    const { topicId } = broker.context.topics.require(topic.name)
    const reply = await get(topic, `0?topicId=${topicId}`)
    expect(reply.headers['cache-control']).toBe('private, max-age=86400, immutable')
    expect((await get(topic, '0?topicId=00000000-0000-4000-8000-000000000000')).status).toBe(410)
  })
})

test('beyond the end is 404, before the start 410, no number 400', async () => {
  const topic = await TestTopic.create(broker)
  await topic.produce({ records: [{ value: 1 }, { value: 2 }] })
  expect((await get(topic, 2)).json).toMatchObject({ status: 404, code: 'RECORD_NOT_FOUND' })
  await broker.context.replicas.partition(topic.name, 0).deletePrefix(1)
  expect((await get(topic, 0)).json).toMatchObject({ status: 410, code: 'RECORD_GONE' })
  expect((await get(topic, 1)).text).toBe('2')
  for (const offset of ['-1', '1.5', 'x', '9007199254740992']) {
    expect((await get(topic, offset)).status).toBe(400)
  }
})

test('a refusal for its media type carries nothing of the record', async () => {
  const topic = await TestTopic.create(broker)
  await topic.post('{}', '?body=value&key=secret')
  const reply = await get(topic, 0, { accept: 'text/html' })
  expect(reply.status).toBe(406)
  expect(reply.headers['spool-key']).toBeUndefined()
  expect(reply.json.detail).toBe('the record can be had as application/json, application/msgpack')
})
