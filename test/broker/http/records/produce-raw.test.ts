/** Raw bodies: any bytes are the value of one record, its key and headers beside it. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { sendRaw } from '../raw-http.ts'
import { TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

describe('a raw body', () => {
  test('is the value, byte for byte, with its content type, key and headers', async () => {
    const topic = await TestTopic.create(broker)
    const body = Buffer.from([0, 1, 255, 10, 13])
    const reply = await topic.post(body, '', {
      'content-type': 'image/x-thing; a=b',
      'spool-key': '%C3%A9 x',
      'spool-header-Trace': 'a%25b',
      'spool-header-other': 'c',
      'spool-timestamp': '1700000000000',
      'spool-partition': '0',
    })
    expect(reply.json.offsets).toEqual([{ partition: 0, offset: 0, timestamp: 1_700_000_000_000 }])
    expect(await topic.stored()).toEqual([
      {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: '\u00c3\u00a9 x',
        value: '\u0000\u0001\u00ff\n\r',
        headers: [
          ['content-type', 'image/x-thing; a=b'],
          ['Trace', 'a%b'],
          ['other', 'c'],
        ],
      },
    ])
  })

  test('may be JSON, kept as it came, by body=value, with a key out of it', async () => {
    const topic = await TestTopic.create(broker)
    const webhook = ' { "order": {"id": 42}, "at": "2025-01-01T00:00:00Z" }\n'
    await topic.produce(webhook, '?body=value&keyFrom=/order/id&timestampFrom=/at')
    expect(await topic.stored()).toMatchObject([
      { key: '42', value: webhook, timestamp: Date.UTC(2025, 0, 1) },
    ])
    const missing = await topic.produce(webhook, '?body=value&keyFrom=/order/nr')
    expect(missing.status).toBe(422)
    expect((await topic.produce('{', '?body=value&keyFrom=/a')).status).toBe(400)
  })

  test('that is empty is an empty value, with spool-tombstone a null one', async () => {
    const topic = await TestTopic.create(broker)
    const text = { 'content-type': 'text/plain', 'spool-key': 'k' }
    expect((await topic.post('', '', text)).status).toBe(200)
    expect((await topic.post('', '', { 'spool-tombstone': 'true', 'spool-key': 'k' })).status).toBe(
      200,
    )
    expect((await topic.stored()).map(({ value }) => value)).toEqual(['', null])
    const full = await topic.post('x', '', { ...text, 'spool-tombstone': 'true' })
    expect(full.status).toBe(400)
  })

  test('too long for the topic is refused before it is sent', async () => {
    const topic = await TestTopic.create(broker, { config: { 'max.message.bytes': 1024 } })
    const reply = await sendRaw(
      broker.port,
      `POST ${topic.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n`,
    )
    expect(reply.status).toBe(413)
    expect(reply.text).not.toContain('100 Continue')
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'MESSAGE_TOO_LARGE', outcome: 'refused' })
  })

  test.each([
    ['spool-key', 'a%zz'],
    ['spool-header-x', '%1'],
    ['spool-timestamp', '-1'],
    ['spool-partition', '1.5'],
    ['spool-tombstone', 'yes'],
  ])('with %s: %s is 400', async (name, value) => {
    const topic = await TestTopic.create(broker)
    expect(
      (await topic.post('x', '', { 'content-type': 'text/plain', [name]: value })).status,
    ).toBe(400)
  })
})

describe('a header of ours', () => {
  test('spool headers on a body that describes its own records are 400', async () => {
    const topic = await TestTopic.create(broker)
    const reply = await topic.post('{"value":1}', '', {
      'content-type': 'application/json',
      'spool-key': 'k',
    })
    expect(reply.status).toBe(400)
  })

  test.each(['spool-offset', 'spool-ky', 'spool-', 'spool-header', 'spool-headers-omitted'])(
    'that is not known is 400 by its name (%s), whatever the body',
    async (name) => {
      const topic = await TestTopic.create(broker)
      for (const type of ['text/plain', 'application/json', 'application/x-ndjson']) {
        const reply = await topic.post('{"value":1}\n', '', { 'content-type': type, [name]: '1' })
        expect(reply.status).toBe(400)
        expect(reply.json).toMatchObject({ code: 'INVALID_REQUEST', outcome: 'refused' })
        expect(reply.json.detail).toContain(`"${name}"`)
      }
      expect(topic.count()).toBe(0)
    },
  )
})
