/** Before it is ready and while it stops, a broker says so; requests under way are finished. */

import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { settingsWith } from '../../../broker/config.ts'
import type { BrokerContext } from '../../../broker/context.ts'
import { createHttpServer } from '../../../broker/http/server.ts'
import { startBroker } from '../../../broker/testing.ts'
import { systemClock, systemRandom } from '../../../storage/clock.ts'
import { silentLogger } from '../../../storage/logger.ts'

/** A context of which nothing is recovered yet. */
function recoveringContext(): BrokerContext {
  const notYet = (): never => {
    throw new Error('asked for before the broker is ready')
  }
  return {
    settings: settingsWith({ port: 0 }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    isReady: () => false,
    onFlush() {},
    get topics() {
      return notYet()
    },
    get replicas() {
      return notYet()
    },
    get producerIds() {
      return notYet()
    },
    get groups() {
      return notYet()
    },
    compactionTotals: () => undefined,
    clusterImage: notYet,
  }
}

test('while it recovers only health is answered, the rest is 503 with Retry-After', async () => {
  const server = createHttpServer(recoveringContext())
  const { url } = await server.listen()
  try {
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    for (const path of ['/health/ready', '/v1/topics', '/metrics', '/v1/cluster']) {
      const response = await fetch(`${url}${path}`)
      expect(response.status).toBe(503)
      expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(await response.json()).toMatchObject({ code: 'BROKER_NOT_READY', retriable: true })
    }
  } finally {
    await server.close()
  }
})

test('a request under way when it stops is finished, and its connection closed', async () => {
  await using broker = await startBroker()
  const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
  const body = '{"name":"last"}'
  socket.write(
    `POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  await delay(100)
  const stopped = broker.stop()
  await delay(100)
  socket.write(body)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'close')
  await stopped
  expect(text).toMatch(/^HTTP\/1\.1 (201|503) /)
  expect(text).toMatch(/\r\nconnection: close\r\n/i)
})

test('idle connections do not hold it up, and new ones are refused', async () => {
  const broker = await startBroker()
  await using _ = broker
  const idle = createConnection({ port: broker.port, host: '127.0.0.1' })
  idle.on('error', () => {})
  idle.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(idle, 'data')
  const closed = once(idle, 'close')
  await broker.stop()
  await closed
  await expect(fetch(`${broker.url}/health/live`)).rejects.toThrow()
})

test('connections that never asked anything, as browsers open them ahead, do not hold it up', async () => {
  const broker = await startBroker({ shutdownTimeoutMs: 600_000 })
  await using _ = broker
  const silent = createConnection({ port: broker.port, host: '127.0.0.1' })
  silent.on('error', () => {})
  await once(silent, 'connect')
  const closed = once(silent, 'close')
  await broker.stop()
  await closed
})

test('what hangs is cut after shutdown.timeout.ms', async () => {
  const broker = await startBroker({ shutdownTimeoutMs: 200 })
  await using _ = broker
  const hanging = createConnection({ port: broker.port, host: '127.0.0.1' })
  hanging.on('error', () => {})
  hanging.write(
    'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n',
  )
  await delay(50)
  const closed = once(hanging, 'close')
  await broker.stop()
  await closed
})
