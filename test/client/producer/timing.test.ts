/** What comes late, or out of turn: answers after their time, a producer that is closed, a clock that jumps. */

import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Client, connect, type Producer } from '../../../client/index.ts'
import { failure } from './producer-rig.ts'
import {
  type Received,
  StandInBroker,
  type sendJson,
  sendResults,
  TOPIC,
} from './stand-in-broker.ts'

const QUICK = { retryBackoffMs: 5, retryBackoffMsMax: 20 }

afterEach(() => {
  vi.restoreAllMocks()
})

function numbers({ batch }: Received): number[] {
  return [batch.producerId, batch.producerEpoch, batch.baseSequence]
}

async function opened(
  options: object,
): Promise<AsyncDisposable & { broker: StandInBroker; client: Client; producer: Producer }> {
  const broker = await StandInBroker.start()
  const client = connect(broker.url)
  const producer = client.producer({ topic: TOPIC, ...QUICK, ...options })
  return {
    broker,
    client,
    producer,
    async [Symbol.asyncDispose]() {
      await client.close()
      await broker[Symbol.asyncDispose]()
    },
  }
}

describe('an answer that comes after the record was given up', () => {
  test('changes nothing of what was told, and the next goes on under the next number', async () => {
    await using all = await opened({ deliveryTimeoutMs: 1_500, requestTimeoutMs: 30_000 })
    const { broker, producer } = all
    await producer.send({ value: 'zero' })
    let late: (() => void) | undefined
    broker.scripts.produce = (received, response) => {
      late ??= () => sendResults(response, broker.appended(received))
    }
    const lost = await failure(producer.send({ value: 'one' }))
    expect([lost.code, lost.outcome]).toEqual(['REQUEST_TIMED_OUT', 'unknown'])
    delete broker.scripts.produce
    late!()
    await expect
      .poll(() => producer.send({ value: 'two' }).catch(() => {}))
      .toMatchObject({ offset: 2 })
    // The broker has seen all of the numbers: no new epoch is needed.
    expect(broker.received.map(numbers)).toEqual([
      [0, 0, 0],
      [0, 0, 1],
      [0, 0, 2],
    ])
  })

  test('and says that it is not there: the next begins a new epoch', async () => {
    await using all = await opened({ deliveryTimeoutMs: 1_500, requestTimeoutMs: 30_000 })
    const { broker, producer } = all
    await producer.send({ value: 'zero' })
    let late: (() => void) | undefined
    broker.scripts.produce = (_, response) => {
      late ??= () => {
        const error = { code: 'INVALID_RECORD', detail: 'no', outcome: 'refused' }
        sendResults(response, [{ topic: TOPIC, partition: 0, error }])
      }
    }
    expect((await failure(producer.send({ value: 'one' }))).outcome).toBe('unknown')
    delete broker.scripts.produce
    late!()
    await expect
      .poll(() => producer.send({ value: 'two' }).catch(() => {}))
      .toMatchObject({ offset: 1 })
    expect(broker.received.map(numbers).at(-1)).toEqual([0, 1, 0])
  })
})

test.each([
  ['OUT_OF_ORDER_SEQUENCE_NUMBER', [0, 1, 0]],
  ['INVALID_PRODUCER_EPOCH', [1, 0, 0]],
  ['UNKNOWN_PRODUCER_ID', [1, 0, 0]],
])('a broker that says %s gets the batch again under other numbers', async (code, expected) => {
  await using all = await opened({})
  const { broker, producer } = all
  await producer.send({ value: 'zero' })
  broker.scripts.produce = (_, response) => {
    delete broker.scripts.produce
    const error = { code, detail: 'what I know of it', outcome: 'refused' }
    sendResults(response, [{ topic: TOPIC, partition: 0, error }])
  }
  expect(await producer.send({ value: 'one' })).toMatchObject({ offset: 1 })
  expect(broker.received.map(numbers)).toEqual([[0, 0, 0], [0, 0, 1], expected])
})

describe('close', () => {
  const busy = (response: Parameters<typeof sendJson>[0]) =>
    response
      .writeHead(503, { 'content-type': 'application/problem+json' })
      .end(JSON.stringify({ code: 'BROKER_BUSY', status: 503, detail: 'busy', outcome: 'refused' }))

  test.each([
    ['describing the topic', { describe: busy }],
    ['giving producer ids', { producers: busy }],
    ['taking batches', { produce: (_: unknown, response: never) => busy(response) }],
  ])(
    'while the broker is too busy for %s ends every record, and the asking',
    async (_, scripts) => {
      await using all = await opened({ closeTimeoutMs: 100, batchBytes: 200 })
      const { broker, client, producer } = all
      Object.assign(broker.scripts, scripts)
      const value = 'v'.repeat(100)
      const calls = Array.from({ length: 10 }, () => failure(producer.send({ value })))
      const many = failure(producer.sendMany(Array.from({ length: 10 }, () => ({ value }))))
      await producer.close()
      const errors = await Promise.all([...calls, many])
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['CLIENT_CLOSED']))
      expect(producer.bufferedBytes).toBe(0)
      await client.close()
      const asked = broker.asked.length
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(broker.asked.length).toBe(asked)
    },
  )

  test('with a batch on its way tells it unknown, what waits behind it refused, and hears no answer', async () => {
    await using all = await opened({ closeTimeoutMs: 50, batchBytes: 200 })
    const { broker, producer } = all
    await producer.send({ value: 'zero' })
    let late: (() => void) | undefined
    broker.scripts.produce = (received, response) => {
      late ??= () => sendResults(response, broker.appended(received))
    }
    const value = 'v'.repeat(150)
    const calls = Array.from({ length: 20 }, () => failure(producer.send({ value })))
    await expect.poll(() => late).toBeDefined()
    await producer.close()
    const outcomes = (await Promise.all(calls)).map(({ outcome }) => outcome)
    // Five may be on their way.
    expect(outcomes.slice(0, 5)).toEqual(Array(5).fill('unknown'))
    expect(outcomes.slice(5)).toEqual(Array(15).fill('refused'))
    late!()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(producer.bufferedBytes).toBe(0)
  })
})

test('the clock of the machine may jump: records go, each with the time it was given at', async () => {
  await using all = await opened({ lingerMs: 1 })
  const { broker, producer } = all
  const real = Date.now()
  const day = 86_400_000
  const times = [real, real - 10_000 * day, real + 10_000 * day, 0, real]
  const calls = []
  for (const [at, time] of times.entries()) {
    vi.spyOn(Date, 'now').mockReturnValue(time)
    calls.push(producer.send({ value: `${at}` }))
    // One pair shares a batch, others do not.
    if (at % 2 === 1) await Promise.all(calls)
  }
  const sent = await Promise.all(calls)
  expect(sent.map(({ timestamp }) => timestamp)).toEqual(times)
  const records = broker.received.flatMap(({ records }) => records)
  expect(records.map(({ timestamp }) => timestamp)).toEqual(times)
  expect(broker.received.length).toBeLessThan(times.length)
})

test('records for a topic nothing is known of count against the buffer, with their headers', async () => {
  await using all = await opened({ bufferBytesMax: 100_000, closeTimeoutMs: 0 })
  const { broker, producer } = all
  broker.scripts.describe = () => {}
  const headers = { note: 'h'.repeat(5_000) }
  let taken = 0
  while (producer.enqueue({ value: 'v', headers })) taken += 1
  expect(taken).toBeLessThan(20)
  expect(() => producer.enqueue({ value: 'v' })).toThrow('bufferBytesMax')
  expect(producer.bufferedBytes).toBeLessThan(106_000)
  await failure(producer.close())
  expect(producer.bufferedBytes).toBe(0)
})
