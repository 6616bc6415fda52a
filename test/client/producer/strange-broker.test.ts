/**
 * Whatever answers a producer, it does not crash, hang or ask without end, and tells each record what is
 * true of it.
 */

import { describe, expect, test } from 'vitest'
import { Client } from '../../../client/client.ts'
import { connectSettings } from '../../../client/connect-options.ts'
import { connect, type ProducerOptions } from '../../../client/index.ts'
import { NodeTransport } from '../../../client/node/node-transport.ts'
import type { OpenBatch, OpenBatchOptions } from '../../../client/transport.ts'
import { failure } from './producer-rig.ts'
import {
  description,
  type Scripts,
  StandInBroker,
  sendBytes,
  sendJson,
  sendResults,
  TOPIC,
} from './stand-in-broker.ts'

const QUICK = { retryBackoffMs: 2, retryBackoffMsMax: 20 }

/** What one record is told, and one after it that the same server answers well. */
async function fates(scripts: Scripts, options: ProducerOptions = {}) {
  await using broker = await StandInBroker.start(scripts)
  await using client = connect({ url: broker.url, ...QUICK })
  await using producer = client.producer({ topic: TOPIC, ...QUICK, ...options })
  const error = await failure(producer.send({ value: 'one' }))
  for (const name of Object.keys(scripts) as (keyof Scripts)[]) delete scripts[name]
  const next = await producer.send({ value: 'two' })
  return { error, next, received: broker.received.flatMap(({ values }) => values) }
}

const PLACE = { topic: TOPIC, partition: 0, baseOffset: 0, lastOffset: 0, durability: 'flushed' }
const answerOf =
  (...results: unknown[]): Scripts['produce'] =>
  (_, response) =>
    sendResults(response, results)

test.each<[string, Scripts['produce'], string]>([
  ['nothing', (_, response) => sendBytes(response, ''), 'unknown'],
  ['text', (_, response) => sendBytes(response, 'hello there, this is no broker'), 'unknown'],
  ['JSON', (_, response) => sendJson(response, { results: [PLACE] }), 'unknown'],
  ['no list', (_, response) => sendResults(response, { length: 1 }), 'unknown'],
  ['too few results', answerOf(), 'unknown'],
  ['too many results', answerOf(PLACE, PLACE), 'unknown'],
  ['a result that is none', answerOf(null), 'unknown'],
  ['another topic', answerOf({ ...PLACE, topic: 'other' }), 'unknown'],
  ['another partition', answerOf({ ...PLACE, partition: 1 }), 'unknown'],
  ['no offsets', answerOf({ topic: TOPIC, partition: 0 }), 'unknown'],
  ['offsets below 0', answerOf({ ...PLACE, baseOffset: -1, lastOffset: -1 }), 'unknown'],
  ['offsets of more records', answerOf({ ...PLACE, lastOffset: 1 }), 'unknown'],
  ['no durability', answerOf({ ...PLACE, durability: 'great' }), 'unknown'],
  ['an error that is null', answerOf({ ...PLACE, error: null }), 'unknown'],
  ['an error that is a number', answerOf({ ...PLACE, error: 7 }), 'unknown'],
  ['an error nobody knows', answerOf({ ...PLACE, error: { code: 'PERHAPS' } }), 'unknown'],
  ['a failure without reason', (_, response) => response.writeHead(500).end('oops'), 'unknown'],
  ['no HTTP', (_, response) => response.socket?.end('SMTP ready\r\n'), 'unknown'],
  // A broker did not get it.
  ['a redirect', (_, to) => to.writeHead(307, { location: '/there' }).end(), 'refused'],
  ['a page', (_, response) => response.writeHead(403).end('<h1>No</h1>'), 'refused'],
])('%s as the answer to a batch: its fate is %s', async (_, produce, outcome) => {
  const { error, next, received } = await fates({ produce: produce! })
  expect(error.outcome).toBe(outcome)
  expect(next).toMatchObject({ topic: TOPIC, partition: 0 })
  // What may be there is not sent again.
  expect(received).toEqual(['one', 'two'])
})

test.each<[string, unknown]>([
  ['nothing', {}],
  ['null', null],
  ['text', { producerId: '1', producerEpoch: 0 }],
  ['no epoch', { producerId: 1 }],
  ['an epoch too large for a batch', { producerId: 1, producerEpoch: 40_000 }],
  ['an id below 0', { producerId: -1, producerEpoch: 0 }],
])('%s as a producer id: nothing is sent', async (_, document) => {
  const { error, received } = await fates({
    producers: (response) => sendJson(response, document, 201),
  })
  expect([error.code, error.outcome]).toEqual(['UNKNOWN_SERVER_ERROR', 'refused'])
  expect(received).toEqual(['two'])
})

test.each<[string, unknown]>([
  ['nothing', {}],
  ['null', null],
  ['no partitions', description(0)],
  ['partitions that are a number', description(1, { partitions: 4 })],
  ['no config', description(1, { config: undefined })],
  ['another partitioner', description(1, { config: { 'spool.partitioner': { value: 'fnv' } } })],
])('%s as the description of its topic: nothing is sent', async (_, document) => {
  const { error, received } = await fates({ describe: (response) => sendJson(response, document) })
  expect([error.code, error.outcome]).toEqual(['UNKNOWN_SERVER_ERROR', 'refused'])
  expect(received).toEqual(['two'])
})

describe('a broker that is busy for good is asked now and then', () => {
  test.each(['describe', 'producers', 'produce'] as const)('at %s', async (name) => {
    const busy = { code: 'BROKER_BUSY', status: 503, detail: 'busy' }
    await using broker = await StandInBroker.start({
      [name]: (...given: unknown[]) => {
        const response = given.at(-1) as Parameters<typeof sendJson>[0]
        response
          .writeHead(503, { 'content-type': 'application/problem+json' })
          .end(JSON.stringify(busy))
      },
    })
    // Each round of questions is over before the first pause would be.
    const timeouts = { requestTimeoutMs: 5, retryBackoffMs: 50, retryBackoffMsMax: 50 }
    await using client = connect({ url: broker.url, ...timeouts })
    const producer = client.producer({ topic: TOPIC, ...timeouts, deliveryTimeoutMs: 1_000 })
    await Promise.all([
      failure(producer.send({ value: 'one' })),
      failure(producer.sendMany([{ value: 'two' }])),
    ])
    await producer.close()
    // At least 25 ms lie between two questions of one kind, and two kinds of waiting ask.
    expect(broker.asked.length).toBeLessThan(2 * (1_000 / 25) + 20)
  })
})

test('a connection on which nothing is said holds nobody up for longer than they try', async () => {
  let isFirst = true
  await using broker = await StandInBroker.start({})
  broker.scripts.produce = (received, response) => {
    if (!isFirst) sendResults(response, broker.appended(received))
    isFirst = false
  }
  await using client = connect(broker.url)
  await using producer = client.producer({ topic: TOPIC, ...QUICK, deliveryTimeoutMs: 500 })
  const lost = await failure(producer.send({ value: 'one' }))
  expect([lost.code, lost.outcome]).toEqual(['REQUEST_TIMED_OUT', 'unknown'])
  const again = () => producer.send({ value: 'two' }).catch(() => undefined)
  await expect.poll(again, { timeout: 25_000 }).toMatchObject({ topic: TOPIC })
}, 30_000)

describe('a batch that can not be made', () => {
  /** A client whose batches are not to be had as bytes while `isBroken()`. */
  function clientOf(url: string, isBroken: () => boolean): Client {
    const settings = connectSettings(url)
    const transport = new NodeTransport(settings)
    const newBatch = transport.newBatch.bind(transport)
    transport.newBatch = (options: OpenBatchOptions): OpenBatch => {
      const batch = newBatch(options)
      const seal = batch.seal.bind(batch)
      batch.seal = (producer) => {
        if (isBroken()) throw new Error('no such library')
        return seal(producer)
      }
      return batch
    }
    return new Client(transport, settings)
  }

  test.each<[string, ProducerOptions, number]>([
    ['small, at the end of a tick', {}, 10],
    ['full, in the middle of one', { batchBytes: 100 }, 50],
    ['compressed elsewhere', {}, 100_000],
    ['perhaps too large', {}, 1_500_000],
  ])('fails alone: %s', async (_, options, bytes) => {
    await using broker = await StandInBroker.start()
    let isBroken = true
    await using client = clientOf(broker.url, () => isBroken)
    await using producer = client.producer({ topic: TOPIC, ...options })
    const value = 'v'.repeat(bytes)
    const errors = await Promise.all([1, 2, 3].map(() => failure(producer.send({ value }))))
    for (const { code, outcome, detail } of errors) {
      expect([code, outcome]).toEqual(['UNSUPPORTED_COMPRESSION_TYPE', 'refused'])
      expect(detail).toContain('no such library')
    }
    isBroken = false
    await producer.send({ value: 'good' })
    expect(broker.received.flatMap(({ values }) => values)).toEqual(['good'])
    expect(producer.bufferedBytes).toBe(0)
  })
})

test.each(['before', 'after'])(
  'what is known of a topic is not taken from a question asked before it changed: answered %s the newer',
  async (when) => {
    await using broker = await StandInBroker.start()
    let late: (() => void) | undefined
    // The first answer says what was so when it was asked, and is held back.
    broker.scripts.describe = (response) => {
      if (late === undefined) late = () => sendJson(response, description(1))
      else sendJson(response, description(4))
    }
    await using client = connect(broker.url)
    await using first = client.producer({ topic: TOPIC })
    const early = first.send({ value: 'early' })
    await expect.poll(() => late).toBeDefined()
    await client.admin.alterTopic(TOPIC, { partitions: 4 })
    await using second = client.producer({ topic: TOPIC })
    const sent = second.send({ value: 'x', partition: 3 })
    if (when === 'after') await sent
    late!()
    expect(await sent).toMatchObject({ partition: 3 })
    await early
    // Nor has it put itself in place of the newer one.
    await using third = client.producer({ topic: TOPIC })
    expect(await third.send({ value: 'z', partition: 3 })).toMatchObject({ partition: 3 })
  },
)
