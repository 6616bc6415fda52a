/** `100 Continue` comes after everything the head can be refused for, and only then. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { sendRaw } from './raw-http.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ httpBodyBytesMax: 1024 * 1024 })
  await fetch(`${broker.url}/v1/topics/there`, { method: 'PUT' })
})
afterAll(() => broker[Symbol.asyncDispose]())

function head(line: string, headers: Record<string, string | number>): string {
  const all = { Host: 'localhost', Expect: '100-continue', ...headers }
  return `${line} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
}

const JSON_BODY = { 'Content-Type': 'application/json' }

test('an accepted head is told to go on', async () => {
  const body = '{"name":"went-on"}'
  const reply = await sendRaw(
    broker.port,
    [head('POST /v1/topics', { ...JSON_BODY, 'Content-Length': body.length }), body],
    { pauseMs: 50, silenceMs: 500 },
  )
  expect(reply.text.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created')).toBe(true)
})

test.each<[string, string, Record<string, string | number>, number]>([
  ['an unknown path', 'POST /nope', { ...JSON_BODY, 'Content-Length': 10 }, 404],
  ['an unknown topic', 'PATCH /v1/topics/nowhere', { ...JSON_BODY, 'Content-Length': 10 }, 404],
  ['another method', 'PUT /v1/topics', { ...JSON_BODY, 'Content-Length': 10 }, 405],
  ['another media type', 'POST /v1/topics', { 'Content-Type': 'a/b', 'Content-Length': 9 }, 415],
  [
    'no acceptable answer',
    'POST /v1/topics',
    { ...JSON_BODY, Accept: 'a/b', 'Content-Length': 9 },
    406,
  ],
  ['too many bytes', 'POST /v1/topics', { ...JSON_BODY, 'Content-Length': 2 ** 31 }, 413],
  ['a wrong query', 'POST /v1/topics?x=1', { ...JSON_BODY, 'Content-Length': 10 }, 400],
  [
    'another origin',
    'POST /v1/topics',
    { ...JSON_BODY, Origin: 'http://evil', 'Content-Length': 9 },
    403,
  ],
])('%s is refused without asking for the body', async (_what, line, headers, status) => {
  const reply = await sendRaw(broker.port, head(line, headers), { silenceMs: 500 })
  expect(reply.text).not.toContain('100 Continue')
  expect(reply.status).toBe(status)
  expect(reply.headers.connection).toBe('close')
})

test('another expectation than 100-continue is refused', async () => {
  const reply = await sendRaw(broker.port, head('GET /health/live', { Expect: 'the-unexpected' }), {
    silenceMs: 500,
  })
  expect(reply.status).toBeGreaterThanOrEqual(400)
})
