/** Bytes that are no HTTP, are two things at once, or come too slowly: answered if possible, and closed. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { sendRaw } from './raw-http.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ httpHeadersMsMax: 400, httpIdleMsMax: 300, httpRequestMsMax: 900 })
})
afterAll(() => broker[Symbol.asyncDispose]())

const POST = 'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
const BODY = '{"name":"smuggled"}'

async function expectAlive() {
  const response = await fetch(`${broker.url}/health/ready`)
  expect(response.status).toBe(200)
  expect((await fetch(`${broker.url}/v1/topics/smuggled`)).status).toBe(404)
}

describe('is 400 and closed', () => {
  test.each<[string, string]>([
    ['noise', '\x00\x01\x02\x03\x04\x05\x06\x07\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a Kafka request', '\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x00\x01'],
    ['HTTP/9.9', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    [
      'a length and chunks at once',
      `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['two lengths', `${POST}Content-Length: 19\r\nContent-Length: 20\r\n\r\n${BODY}`],
    ['a negative length', `${POST}Content-Length: -1\r\n\r\n${BODY}`],
    ['a length with a sign', `${POST}Content-Length: +19\r\n\r\n${BODY}`],
    ['a length that is none', `${POST}Content-Length: 0x13\r\n\r\n${BODY}`],
    ['a space before the colon', `${POST}Content-Length : 19\r\n\r\n${BODY}`],
    ['a header without a colon', `${POST}nonsense\r\n\r\n`],
    ['a header folded over lines', `${POST}X-A: b\r\n c\r\nContent-Length: 19\r\n\r\n${BODY}`],
    [
      'a bare line feed',
      `POST /v1/topics HTTP/1.1\nHost: localhost\nContent-Length: 19\n\n${BODY}`,
    ],
    ['a NUL in a header', `${POST}X-A: b\x00c\r\n\r\n`],
    ['another encoding than chunked', `${POST}Transfer-Encoding: gzip\r\n\r\n`],
    ['chunked twice', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
    ['a chunk size that is none', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['no Host', 'GET /v1/topics HTTP/1.1\r\n\r\n'],
    ['a Host that is none', 'GET /v1/topics HTTP/1.1\r\nHost: a b/c\r\n\r\n'],
    [
      'another authority in the target',
      'GET http://evil/v1/topics HTTP/1.1\r\nHost: localhost\r\n\r\n',
    ],
  ])('%s', async (_what, bytes) => {
    const reply = await sendRaw(broker.port, Buffer.from(bytes, 'latin1'), { silenceMs: 700 })
    expect(reply.status).toBe(400)
    expect(reply.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(reply.body.split('\n')[0] ?? '')).toMatchObject({ status: 400 })
    expect(reply.text.match(/HTTP\/1\.1 2\d\d/)).toBeNull()
    await expectAlive()
  })
})

test('two Host headers are not two opinions', async () => {
  const reply = await sendRaw(
    broker.port,
    'GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n',
    { silenceMs: 500 },
  )
  expect(reply.status).toBe(400)
})

test('headers beyond 16 KiB are 431 and closed', async () => {
  const reply = await sendRaw(
    broker.port,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`,
  )
  expect(reply.status).toBe(431)
  expect(reply.isClosed).toBe(true)
  await expectAlive()
})

test('a path of 10 KiB is 414', async () => {
  const reply = await sendRaw(
    broker.port,
    `GET /v1/topics/${'x'.repeat(10_000)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  )
  expect(reply.status).toBe(414)
})

describe('too slow', () => {
  test('headers, byte by byte, are 408 and closed', async () => {
    const pieces = [...'GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: yes']
    const reply = await sendRaw(broker.port, pieces, { pauseMs: 100, silenceMs: 4_000 })
    expect(reply.status).toBe(408)
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'REQUEST_BODY_TIMEOUT' })
    expect(reply.isClosed).toBe(true)
  })

  test('a connection that says nothing is closed', async () => {
    const reply = await sendRaw(broker.port, [], { silenceMs: 4_000 })
    expect(reply.isClosed).toBe(true)
  })

  test('a body that stops is 408 and closed', async () => {
    const reply = await sendRaw(broker.port, `${POST}Content-Length: 19\r\n\r\n{"na`, {
      silenceMs: 4_000,
    })
    expect(reply.status).toBe(408)
    expect(reply.headers.connection).toBe('close')
    expect(reply.isClosed).toBe(true)
  })

  test('a body that trickles is 408 when its time is over', async () => {
    const pieces = [`${POST}Content-Length: 1000\r\n\r\n`, ...Array<string>(60).fill(' ')]
    const reply = await sendRaw(broker.port, pieces, { pauseMs: 50, silenceMs: 4_000 })
    expect(reply.status).toBe(408)
    expect(JSON.parse(reply.body).detail).toMatch(/900 ms/)
    await expectAlive()
  })
})

test('a client that goes away in the middle leaves nothing behind', async () => {
  for (let i = 0; i < 20; i++) {
    await sendRaw(broker.port, `${POST}Content-Length: 1000\r\n\r\n{`, { silenceMs: 1 })
  }
  await expectAlive()
  const metrics = await (await fetch(`${broker.url}/metrics`)).text()
  expect(metrics).toMatch(/^spool_queued_bytes 0$/m)
})
