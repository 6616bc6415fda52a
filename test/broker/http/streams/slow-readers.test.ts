/** Readers that are slow or take nothing: paused in bounded memory, cut after a while, and no burden to others. */

import { randomBytes } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { TestTopic } from '../records/topic-client.ts'
import { fill, pathOf, range, topicOf } from './numbered-topic.ts'
import { EVENTS, NDJSON, OpenStream, WAIT_MS_MAX } from './open-stream.ts'

const MIB = 1024 * 1024
/** What the system holds for a connection on both sides, and more. */
const SOCKET_BYTES = 16 * MIB

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ streamStalledMsMax: 2_000, streamBytesMax: 8 * MIB })
})
afterAll(() => broker[Symbol.asyncDispose]())

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${broker.url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** A connection that asks for a stream and reads nothing. */
function deaf(path: string, accept: string): Socket {
  const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`)
  return socket
}

async function appendMuch(topic: TestTopic, partition: number, bytes: number): Promise<number> {
  // Nothing that compresses, so that the log is as long as what is read.
  const value = randomBytes(190_000).toString('base64')
  const count = Math.ceil(bytes / value.length)
  for (let i = 0; i < count; i++) await topic.produce({ partition, value })
  return count
}

const settled = async () => {
  await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(0)
  expect(await metric('spool_stream_bytes')).toBe(0)
  expect(await metric('spool_stream_feeds')).toBe(0)
  expect(await metric('spool_waiting_requests')).toBe(0)
}

describe('a reader that takes nothing', () => {
  test.each([
    ['history', '', NDJSON],
    ['history', '?follow=true', NDJSON],
    ['history', '', EVENTS],
  ])('of %s (%s %s) is given what fits a connection, and cut', async (_what, query, accept) => {
    const topic = await TestTopic.create(broker)
    await appendMuch(topic, 0, 2 * SOCKET_BYTES)
    const before = await metric('spool_stream_stalled_total')
    const sockets = range(8).map(() => deaf(`${pathOf(topic)}${query}`, accept))
    await expect.poll(() => metric('spool_streams'), { timeout: WAIT_MS_MAX }).toBe(8)
    let most = 0
    await expect
      .poll(
        async () => {
          most = Math.max(most, await metric('spool_stream_bytes'))
          return (await metric('spool_stream_stalled_total')) - before
        },
        { timeout: WAIT_MS_MAX },
      )
      .toBe(8)
    // Eight pieces of a log, eight chunks of a record each: not eight times the log.
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(10 * MIB)
    await settled()
    for (const socket of sockets) socket.destroy()
  })

  test('of the tail is cut, while another at the same tail gets everything', async () => {
    const topic = await topicOf(broker, [1, 1])
    const before = await metric('spool_stream_stalled_total')
    const sockets = range(8).map(() => deaf(topic.path, EVENTS))
    using reader = await OpenStream.open(broker, topic.path, { accept: EVENTS })
    await reader.has(2)
    const count = await appendMuch(topic, 0, 2 * SOCKET_BYTES)
    await reader.has(2 + count)
    await expect
      .poll(async () => (await metric('spool_stream_stalled_total')) - before, {
        timeout: WAIT_MS_MAX,
      })
      .toBe(8)
    await fill(topic, 1, 1, 20)
    await reader.has(2 + count + 19)
    expect(new Set(reader.places).size).toBe(reader.places.length)
    reader.close()
    await settled()
    for (const socket of sockets) socket.destroy()
  })
})

test('a reader that pauses and reads on gets every record once, in order', async () => {
  await using patient = await startBroker()
  const topic = await topicOf(patient, [0])
  using slow = await OpenStream.open(patient, `${pathOf(topic)}?follow=true`)
  using fast = await OpenStream.open(patient, `${pathOf(topic)}?follow=true`)
  await slow.until(({ checkpoints }) => checkpoints.length > 0)
  slow.pause()
  const count = await appendMuch(topic, 0, 2 * SOCKET_BYTES)
  await fast.has(count)
  slow.resume()
  await slow.has(count)
  await fill(topic, 0, count, count + 10)
  await slow.has(count + 10)
  expect(slow.offsets).toEqual(range(count + 10))
  await fast.has(count + 10)
  expect(fast.offsets).toEqual(range(count + 10))
})

test('a client that goes away leaves nothing behind', async () => {
  const topic = await topicOf(broker, [5, 5])
  const partition = broker.context.replicas.partition(topic.name, 0)
  const streams = await Promise.all(
    range(20).map((n) =>
      OpenStream.open(broker, `${n % 2 ? topic.path : pathOf(topic)}`, { accept: EVENTS }),
    ),
  )
  for (const stream of streams) await stream.has(5)
  await expect.poll(() => partition.waiters).toBe(1)
  for (const stream of streams) stream.close()
  await expect.poll(() => partition.waiters, { timeout: WAIT_MS_MAX }).toBe(0)
  await settled()
})

test('streams take slots of waiting.requests.max: one more is 429', async () => {
  await using small = await startBroker({ waitingRequestsMax: 3 })
  const topic = await topicOf(small, [1])
  const streams = await Promise.all(
    range(3).map(() => OpenStream.open(small, pathOf(topic), { accept: EVENTS })),
  )
  const refused = await OpenStream.whole(small, pathOf(topic), { accept: EVENTS })
  expect([refused.status, refused.document.code]).toEqual([429, 'LIMIT_EXCEEDED'])
  expect(refused.headers['retry-after']).toBe('1')
  streams[0]!.close()
  await expect
    .poll(async () => (await OpenStream.whole(small, pathOf(topic))).status, {
      timeout: WAIT_MS_MAX,
    })
    .toBe(200)
  for (const stream of streams) stream.close()
})
