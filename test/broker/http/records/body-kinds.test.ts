/** Which bodies are taken as what, and what people with curl are told when they meant something else. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { send, TestTopic } from './topic-client.ts'

let broker: TestBroker
let topic: TestTopic
beforeAll(async () => {
  broker = await startBroker()
  topic = await TestTopic.create(broker)
})
afterAll(() => broker[Symbol.asyncDispose]())

const FORM = 'application/x-www-form-urlencoded'

describe('a body nobody chose a type for', () => {
  test.each([
    ['none', undefined, ''],
    ['curl -d', FORM, ''],
    ['curl -d', FORM, '?body=value'],
    ['curl -d', FORM, '?body=record'],
    ['curl -F', 'multipart/form-data; boundary=x', ''],
    ['curl -F', 'multipart/form-data; boundary=x', '?body=lines'],
  ])('(%s, %s, %s) is 415 with the flag to use', async (_what, type, query) => {
    const reply = await topic.post('a=1', query, type === undefined ? {} : { 'content-type': type })
    expect(reply.status).toBe(415)
    expect(reply.json.code).toBe('UNSUPPORTED_MEDIA_TYPE')
    expect(reply.json.outcome).toBe('refused')
    expect(reply.json.detail).toContain("-H 'content-type: text/plain'")
  })

  test.each([undefined, FORM, 'text/plain', 'application/octet-stream'])(
    'is fine with body=lines (%s)',
    async (type) => {
      const own = await TestTopic.create(broker)
      const headers = type === undefined ? {} : { 'content-type': type }
      const reply = await own.post('one\ntwo\n', '?body=lines', headers)
      expect(reply.status).toBe(200)
      expect((await own.stored()).map(({ value }) => value)).toEqual(['one', 'two'])
    },
  )
})

test('PUT, which curl -T sends alone, is 405 and says what to add', async () => {
  const reply = await send(broker, topic.path, { method: 'PUT', body: 'x' })
  expect(reply.status).toBe(405)
  expect(reply.headers.allow).toContain('POST')
  expect(reply.json.detail).toContain('-X POST -T')
})

test.each([
  ['text/plain', '?body=record'],
  ['application/json; charset=latin1', ''],
  ['not a type', ''],
])('%s%s is 415', async (type, query) => {
  expect((await topic.post('{"value":1}', query, { 'content-type': type })).status).toBe(415)
})

test('a compressed body is 415, not decompressed', async () => {
  const reply = await topic.post('x', '', {
    'content-type': 'application/json',
    'content-encoding': 'gzip',
  })
  expect(reply.status).toBe(415)
})

test('progress lines are for uploads', async () => {
  const reply = await topic.post('{"value":1}', '', {
    'content-type': 'application/json',
    accept: 'application/x-ndjson',
  })
  expect(reply.status).toBe(406)
})
