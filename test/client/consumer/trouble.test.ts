/** A program hears that its consumer waits for a broker: once when that has gone on for a while, once when it is over. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type Client,
  type Consumer,
  type ConsumerOptions,
  connect,
  type Trouble,
} from '../../../client/index.ts'
import { BrokerProcess } from '../../rigs/broker-process.ts'
import { failure, until } from '../reader/doors.ts'

/** So a silence of half a second counts. */
const FLAGS = [
  ...['--group-consumer-session-timeout-ms', '2000'],
  ...['--group-consumer-heartbeat-interval-ms', '100'],
]
const MINUTE_MS = 60_000

let dataDir: string
let broker: BrokerProcess
let client: Client
let found: number
let told: (Trouble | 'recovered')[]

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'spool-trouble-'))
  broker = await BrokerProcess.start({ dataDir, flags: FLAGS })
  client = connect({ url: broker.url })
  await client.admin.createTopic({ name: 'work', partitions: 1 })
  found = 0
  told = []
})

afterEach(async () => {
  await client.close()
  await broker.kill()
  rmSync(dataDir, { recursive: true })
})

function consumerOf(options: Partial<ConsumerOptions> = {}): Consumer {
  return client.consumer({
    group: 'g',
    topics: ['work'],
    closeTimeoutMs: 1_000,
    onTrouble: (trouble) => told.push(trouble),
    onRecovered: () => told.push('recovered'),
    ...options,
  })
}

async function sendOne(): Promise<void> {
  await using producer = client.producer({ topic: 'work' })
  await producer.send({ value: 'one' })
}

test.each(['hangs', 'is away'])('a broker that %s', { timeout: 3 * MINUTE_MS }, async (how) => {
  const consumer = consumerOf()
  const running = consumer.run(() => {
    found++
  })
  await sendOne()
  await until(() => found === 1)
  expect(told).toEqual([])
  for (const round of [1, 2]) {
    if (how === 'hangs') broker.signal('SIGSTOP')
    else await broker.kill()
    await until(() => told.length === 2 * round - 1)
    const { error, silentMs } = told.at(-1) as Trouble
    expect(['NETWORK_EXCEPTION', 'REQUEST_TIMED_OUT']).toContain(error.code)
    expect(silentMs).toBeGreaterThanOrEqual(490)
    // However long it lasts, it is told once.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(told).toHaveLength(2 * round - 1)
    if (how === 'hangs') broker.signal('SIGCONT')
    else broker = await BrokerProcess.start({ dataDir, flags: FLAGS, port: broker.port })
    await until(() => told.length === 2 * round)
    expect(told.at(-1)).toBe('recovered')
    await sendOne()
    await until(() => found >= 1 + round)
  }
  await consumer.close()
  await running
})

test('what the hook throws ends the run, and who is being closed is told nothing', {
  timeout: 3 * MINUTE_MS,
}, async () => {
  const enough = new Error('enough')
  const throwing = consumerOf({
    onTrouble: () => {
      throw enough
    },
  })
  const running = throwing.run(() => {
    found++
  })
  await sendOne()
  await until(() => found === 1)
  broker.signal('SIGSTOP')
  expect(await failure(running)).toBe(enough)
  broker.signal('SIGCONT')
  const closing = consumerOf()
  const other = closing.run(() => {
    found++
  })
  await sendOne()
  await until(() => found >= 2)
  broker.signal('SIGSTOP')
  await closing.close()
  await other
  expect(told).toEqual([])
  broker.signal('SIGCONT')
})
