/** A producer whose broker is away: what waits, what gives up, what it may say then. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, connect, type ProducerOptions, SpoolError } from '../../../client/index.ts'
import { connect as connectOverFetch } from '../../../client/web.ts'
import { readPartition } from '../../durability/trial-verdict.ts'
import { BrokerProcess } from '../../rigs/broker-process.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'spool-away-'))
let broker: BrokerProcess
let port: number
let client: Client
let topics = 0

beforeAll(async () => {
  broker = await BrokerProcess.start({ dataDir })
  port = broker.port
  client = connect(broker.url)
})

afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
  rmSync(dataDir, { recursive: true })
})

async function newTopic(): Promise<string> {
  const name = `topic-${topics++}`
  await client.admin.createTopic({ name, partitions: 1 })
  return name
}

async function restart(): Promise<void> {
  broker = await BrokerProcess.start({ dataDir, port })
}

async function values(topic: string): Promise<string[]> {
  return (await readPartition(broker.url, topic, 0, [])).map(({ value }) => value)
}

async function failure(promise: Promise<unknown>): Promise<SpoolError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(SpoolError)
  return error as SpoolError
}

const PATIENCE = { timeout: 20_000 }
/** How long a hasty producer tries: on a busy machine what is to succeed takes a while, too. */
const HASTY_MS = 2_000
const FAST: ProducerOptions = { retryBackoffMs: 5, retryBackoffMsMax: 50 }

test.each([
  ['Node', () => client],
  ['fetch', () => connectOverFetch(broker.url)],
])(
  'over %s, records given while it is away are there when it is back, once, in order',
  async (_, of) => {
    const topic = await newTopic()
    const own = of()
    const producer = own.producer({ topic, ...FAST, batchBytes: 300 })
    const all = Array.from({ length: 300 }, (_, at) => `value ${at}`)
    const first = all.slice(0, 100).map((value) => producer.send({ value }))
    await broker.kill()
    const second = all.slice(100).map((value) => producer.send({ value }))
    await restart()
    const sent = await Promise.all([...first, ...second])
    expect(await values(topic)).toEqual(all)
    expect(sent.map(({ offset }) => offset)).toEqual(all.map((_, at) => at))
    await producer.close()
    if (own !== client) await own.close()
  },
)

test('time runs out: what was never sent is refused, and is not there', async () => {
  const topic = await newTopic()
  const producer = client.producer({ topic, ...FAST, deliveryTimeoutMs: HASTY_MS })
  await producer.send({ value: 'before' })
  await broker.kill()
  const lost = await failure(producer.send({ value: 'meanwhile' }))
  expect([lost.code, lost.outcome]).toEqual(['REQUEST_TIMED_OUT', 'refused'])
  expect(lost.detail).toContain(`${HASTY_MS} ms`)
  await restart()
  await producer.send({ value: 'after' })
  expect(await values(topic)).toEqual(['before', 'after'])
  await producer.close()
})

test('a record of a topic not known yet waits for it no longer either', async () => {
  const topic = await newTopic()
  await broker.kill()
  const producer = client.producer({ topic, ...FAST, deliveryTimeoutMs: 100 })
  const lost = await failure(producer.send({ value: 'x' }))
  expect([lost.code, lost.outcome]).toEqual(['REQUEST_TIMED_OUT', 'refused'])
  await restart()
  await expect
    .poll(() => producer.send({ value: 'after' }).catch(() => undefined), PATIENCE)
    .toBeDefined()
  await producer.close()
})

test('close gives up what can not be sent, and says that it was refused', async () => {
  const topic = await newTopic()
  const producer = client.producer({ topic, ...FAST, closeTimeoutMs: 50 })
  await producer.send({ value: 'before' })
  await broker.kill()
  const sent = failure(producer.send({ value: 'never' }))
  await producer.close()
  const lost = await sent
  expect([lost.code, lost.outcome]).toEqual(['CLIENT_CLOSED', 'refused'])
  await restart()
  expect(await values(topic)).toEqual(['before'])
})

test('what was sent when the broker stopped answering is unknown', async () => {
  const topic = await newTopic()
  const producer = client.producer({ topic, ...FAST, deliveryTimeoutMs: HASTY_MS })
  await producer.send({ value: 'before' })
  broker.signal('SIGSTOP')
  const lost = await failure(producer.send({ value: 'perhaps' }))
  expect([lost.code, lost.outcome]).toEqual(['REQUEST_TIMED_OUT', 'unknown'])
  broker.signal('SIGCONT')
  await expect
    .poll(() => producer.send({ value: 'after' }).catch(() => undefined), PATIENCE)
    .toBeDefined()
  expect((await values(topic)).filter((value) => value === 'perhaps').length).toBeLessThan(2)
  await producer.close()
})

test('a full buffer and a broker that is away: waiting ends, and says so', async () => {
  const topic = await newTopic()
  const producer = client.producer({
    topic,
    ...FAST,
    bufferBytesMax: 100,
    deliveryTimeoutMs: HASTY_MS,
    closeTimeoutMs: 0,
  })
  await producer.send({ value: 'before' })
  await broker.kill()
  const outcomes = await Promise.all(
    Array.from({ length: 3 }, () => failure(producer.send({ value: 'v'.repeat(100) }))),
  )
  for (const { outcome } of outcomes) expect(outcome).toBe('refused')
  await producer.close()
  await restart()
  expect(await values(topic)).toEqual(['before'])
})
