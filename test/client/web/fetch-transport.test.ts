/** The transport over `fetch`, in Node, against a real broker: requests, errors, producing once only. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { type ConnectOptions, connectSettings } from '../../../client/connect-options.ts'
import type { AppendedBatch, BatchFate, ProducerNumbers } from '../../../client/transport.ts'
import { FetchTransport } from '../../../client/web/fetch-transport.ts'

const encoder = new TextEncoder()
const TIME = 1_735_689_600_000

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

const transportTo = (url: string, options: ConnectOptions = {}) =>
  new FetchTransport(connectSettings({ url, ...options }))

async function topicWith(name: string, config: Record<string, number | string> = {}) {
  const transport = transportTo(broker.url)
  await transport.request({
    method: 'POST',
    path: '/v1/topics',
    document: { name, partitions: 2, config },
  })
  return transport
}

/** What a promise rejects with. */
const failure = (promise: Promise<unknown>): Promise<SpoolError> =>
  promise.then(
    () => expect.fail('it did not fail'),
    (error: SpoolError) => error,
  )

describe('a request', () => {
  test('gives status, headers and document', async () => {
    const transport = transportTo(broker.url)
    const answer = await transport.request({
      method: 'POST',
      path: '/v1/topics',
      document: { name: 'asked' },
    })
    expect(answer.status).toBe(201)
    expect(answer.header('location')).toBe('/v1/topics/asked')
    expect(answer.document).toMatchObject({ name: 'asked' })
  })

  test('that is refused says what the broker said', async () => {
    const transport = transportTo(broker.url)
    const error = await failure(
      transport.request({ method: 'GET', path: '/v1/topics', query: { limit: -1 } }),
    )
    expect(error).toBeInstanceOf(SpoolError)
    expect(error.code).toBe('INVALID_REQUEST')
    expect(error.detail).toContain('limit')
  })

  test('nobody takes is NETWORK_EXCEPTION, and a write that was not sent is refused', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const transport = transportTo(`http://127.0.0.1:${port}`)
    const asked = await failure(transport.request({ method: 'GET', path: '/v1/topics' }))
    expect(asked).toMatchObject({ code: 'NETWORK_EXCEPTION', outcome: undefined })
    const written = await failure(transport.request({ method: 'POST', path: '/v1/producers' }))
    expect(written).toMatchObject({ code: 'NETWORK_EXCEPTION', outcome: 'refused' })
  })

  test('that is not answered in time, cut, redirected or answered by a stranger says so', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/cut') request.socket.destroy()
      if (request.url === '/leads') response.writeHead(302, { location: '/there' }).end()
      if (request.url === '/page')
        response.writeHead(502, { 'content-type': 'text/html' }).end('<p>')
      if (request.url === '/large') response.end('x'.repeat(100_000))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const transport = transportTo(`http://127.0.0.1:${port}`, { responseBytesMax: 65_536 })
      const post = (path: string) =>
        failure(transport.request({ method: 'POST', path, timeoutMs: 200 }))
      expect(await post('/silent')).toMatchObject({ code: 'REQUEST_TIMED_OUT', outcome: 'unknown' })
      expect(await post('/cut')).toMatchObject({ code: 'NETWORK_EXCEPTION', outcome: 'unknown' })
      expect(await post('/leads')).toMatchObject({ outcome: 'refused' })
      expect(await post('/page')).toMatchObject({ code: 'NETWORK_EXCEPTION', outcome: 'unknown' })
      expect(await post('/large')).toMatchObject({ code: 'MESSAGE_TOO_LARGE', outcome: 'unknown' })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  test('ends with its signal’s reason, or with the client', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      const transport = transportTo(`http://127.0.0.1:${port}`)
      const controller = new AbortController()
      const { signal } = controller
      const aborted = failure(transport.request({ method: 'GET', path: '/', signal }))
      controller.abort(new Error('enough'))
      expect(await aborted).toMatchObject({ message: 'enough' })
      const again = failure(transport.request({ method: 'GET', path: '/', signal }))
      expect(await again).toMatchObject({ message: 'enough' })
      const closed = failure(transport.request({ method: 'GET', path: '/' }))
      await transport.close()
      expect(await closed).toMatchObject({ code: 'CLIENT_CLOSED' })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('producing', () => {
  const produce = async (
    transport: FetchTransport,
    topic: string,
    values: readonly (Uint8Array | null)[],
    options: { producer?: ProducerNumbers; acks?: 'all' | 0; timestampMs?: number } = {},
  ): Promise<BatchFate> => {
    const batch = transport.newBatch({ compression: 'lz4', sizeBytes: 1_000 })
    const headers = [{ name: encoder.encode('h'), value: Uint8Array.of(0, 255) }]
    for (const value of values) {
      batch.append(options.timestampMs ?? TIME, encoder.encode('key'), value, headers)
    }
    const fates = await transport.produce({
      acks: options.acks ?? 'all',
      timeoutMs: 10_000,
      batches: [{ topic, partition: 1, batch: batch.seal(options.producer) }],
    })
    return fates[0]!
  }
  const ARRIVED: Partial<AppendedBatch> = { durability: 'flushed', duplicate: false, timestamp: -1 }

  test('stores bytes, keys, headers and times exactly', async () => {
    const transport = await topicWith('exact')
    const values = [encoder.encode('{"base64":"AAAA"}'), Uint8Array.of(0xff, 0), null]
    const fate = await produce(transport, 'exact', values)
    expect(fate).toMatchObject({ ...ARRIVED, baseOffset: 0, lastOffset: 2 })
    const page = await transport.request({
      method: 'GET',
      path: '/v1/topics/exact/partitions/1/records',
      query: { as: 'base64' },
    })
    const base64 = (bytes: Uint8Array | null) =>
      bytes && { base64: Buffer.from(bytes).toString('base64') }
    const headers = [['h', { base64: 'AP8=' }]]
    expect((page.document as { records: unknown }).records).toEqual(
      values.map((value, offset) => ({
        partition: 1,
        offset,
        timestamp: TIME,
        key: 'key',
        value: base64(value),
        headers,
      })),
    )
  })

  test('twice with the same numbers appends once', async () => {
    const transport = await topicWith('once')
    const answer = await transport.request({ method: 'POST', path: '/v1/producers' })
    const ids = answer.document as { producerId: number; producerEpoch: number }
    const values = [encoder.encode('a'), encoder.encode('b')]
    const first = { ...ids, baseSequence: 0 }
    await produce(transport, 'once', values, { producer: first })
    const again = await produce(transport, 'once', values, { producer: first })
    expect(again).toMatchObject({ baseOffset: 0, lastOffset: 1, duplicate: true })
    const next = { ...ids, baseSequence: 2 }
    expect(await produce(transport, 'once', values, { producer: next })).toMatchObject({
      baseOffset: 2,
      lastOffset: 3,
      duplicate: false,
    })
    const gap = { ...ids, baseSequence: 9 }
    const { error } = await produce(transport, 'once', values, { producer: gap })
    expect(error).toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', outcome: 'refused' })
  })

  test('a batch as large as it says it is becomes one batch', async () => {
    const transport = await topicWith('large', { 'max.message.bytes': 100_000 })
    const answer = await transport.request({ method: 'POST', path: '/v1/producers' })
    const ids = answer.document as { producerId: number; producerEpoch: number }
    const batch = transport.newBatch({ compression: 'lz4', sizeBytes: 100_000 })
    const small = encoder.encode('x')
    while (batch.sizeBytes < 99_900) batch.append(TIME, null, small, [])
    const sealed = batch.seal({ ...ids, baseSequence: 0 })
    const call = { acks: 'all', timeoutMs: 10_000 } as const
    const [fate] = await transport.produce({
      ...call,
      batches: [{ topic: 'large', partition: 0, batch: sealed }],
    })
    expect(fate).toMatchObject({ baseOffset: 0, lastOffset: batch.recordCount - 1 })
  })

  test('without waiting gives no offsets', async () => {
    const transport = await topicWith('unawaited')
    const fate = await produce(transport, 'unawaited', [null], { acks: 0 })
    expect(fate).toMatchObject({ baseOffset: -1, lastOffset: -1 })
  })

  test('into a topic that stamps its own time says that time', async () => {
    const transport = await topicWith('stamped', { 'message.timestamp.type': 'LogAppendTime' })
    const fate = (await produce(transport, 'stamped', [null, null])) as AppendedBatch
    expect(fate.timestamp).toBeGreaterThan(TIME)
  })

  test('that fails is the fate of its batch alone', async () => {
    const transport = await topicWith('there')
    const batch = transport.newBatch({ compression: 'lz4', sizeBytes: 100 })
    batch.append(TIME, null, null, [])
    const sealed = batch.seal(undefined)
    const fates = await transport.produce({
      acks: 'all',
      timeoutMs: 10_000,
      batches: [
        { topic: 'there', partition: 0, batch: sealed },
        { topic: 'nowhere', partition: 0, batch: sealed },
        { topic: 'there', partition: 7, batch: sealed },
      ],
    })
    expect(fates.map(({ error }) => error?.code)).toEqual([
      undefined,
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_OR_PARTITION',
    ])
    expect(fates[1]?.error?.outcome).toBe('refused')
  })
})
