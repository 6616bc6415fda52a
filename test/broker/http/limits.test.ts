/** What clients can make the broker hold has bounds, and who meets one is told. */

import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../../broker/testing.ts'
import { sendRaw } from './raw-http.ts'

const POST = 'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function answerOn(socket: Socket, request: string): Promise<string> {
  socket.write(request)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString('latin1')
}

const LIVE = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n'

describe('connections', () => {
  test('one too many is told 503, the others go on', async () => {
    await using broker = await startBroker({ connectionsMax: 2 })
    const first = await connect(broker.port)
    const second = await connect(broker.port)
    expect(await answerOn(second, LIVE)).toContain('200 OK')

    const refused = await sendRaw(broker.port, LIVE)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    expect(JSON.parse(refused.body).detail).toMatch(/connections\.max is 2/)
    expect(refused.isClosed).toBe(true)

    expect(await answerOn(first, LIVE)).toContain('200 OK')
    first.destroy()
    await once(first, 'close')
    await expect
      .poll(async () => (await sendRaw(broker.port, LIVE, { silenceMs: 100 })).status)
      .toBe(200)
    second.destroy()
  })
})

describe('bodies', () => {
  const sent = Buffer.alloc(3 * 1024 * 1024, ' ')

  test('one announced too large is 413, and the answer arrives while it is still being sent', async () => {
    await using broker = await startBroker()
    const head = `${POST}Content-Length: ${sent.length}\r\n\r\n`
    const reply = await sendRaw(broker.port, [head, sent])
    expect(reply.status).toBe(413)
    expect(reply.headers.connection).toBe('close')
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'REQUEST_TOO_LARGE', outcome: 'refused' })
    expect(reply.isClosed).toBe(true)
  })

  test('one that turns out too large is 413', async () => {
    await using broker = await startBroker()
    const chunk = `${sent.length.toString(16)}\r\n${sent.toString()}\r\n`
    const head = `${POST}Transfer-Encoding: chunked\r\n\r\n`
    const reply = await sendRaw(broker.port, [head, chunk, chunk, '0\r\n\r\n'])
    expect(reply.status).toBe(413)
    expect(reply.isClosed).toBe(true)
  })

  test('what is held together is bounded: 503 with Retry-After, and room comes back', async () => {
    await using broker = await startBroker({ queuedBytesMax: 1024 * 1024 })
    const half = 600 * 1024
    const begun = `${POST}Content-Length: ${half + 2}\r\n\r\n${' '.repeat(half)}`
    const holder = await connect(broker.port)
    holder.write(begun)
    const queued = async () => {
      const text = await (await fetch(`${broker.url}/metrics`)).text()
      return Number(/^spool_queued_bytes (\d+)$/m.exec(text)?.[1])
    }
    await expect.poll(queued).toBe(half)

    const refused = await sendRaw(broker.port, begun)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    expect(JSON.parse(refused.body).detail).toMatch(/queued\.max\.bytes 1048576/)

    expect(await answerOn(holder, '{}')).toContain('400 Bad Request')
    await expect.poll(queued).toBe(0)
    holder.destroy()
  })
})

test('an idle connection is closed after its time', async () => {
  await using broker = await startBroker({ httpKeepAliveMsMax: 200 })
  const reply = await sendRaw(broker.port, LIVE, { silenceMs: 4_000 })
  expect(reply.status).toBe(200)
  expect(reply.isClosed).toBe(true)
})
