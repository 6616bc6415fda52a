/**
 * A broker, or what stands before it, that answers wrongly or not at all for a moment: what was done is
 * committed, the group is left, and nobody waits for long. A way in between does the harm; all else is real.
 */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestBroker } from '../../../broker/testing.ts'
import type { Client } from '../../../client/index.ts'
import { NODE, newTopic, write } from '../reader/doors.ts'
import { committedOf, consume, Journal, newGroup, startGroupBroker } from './group-rig.ts'
import { MeddlingProxy } from './meddling-proxy.ts'

type Harm = (method: string, path: string) => 'none' | 'broken' | 'silent'

let broker: TestBroker
let writer: Client
let harm: Harm = () => 'none'
const PAGE = { status: 500, document: '<h1>Internal Server Error</h1>' }
let way: MeddlingProxy

beforeAll(async () => {
  broker = await startGroupBroker()
  writer = NODE.connect(broker.url)
  way = await MeddlingProxy.start(broker.url)
  way.meddle = ({ method, path }) => {
    const done = harm(method, path)
    if (done === 'none') return undefined
    return done === 'silent' ? 'hangs' : PAGE
  }
})

afterAll(async () => {
  await writer.close()
  await way[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

test('a heartbeat that is answered with an error page is no reason to end', async () => {
  let broken = 0
  harm = (_, path) => (path.endsWith('/heartbeat') && broken++ < 2 ? 'broken' : 'none')
  const topic = await newTopic(writer)
  await using client = NODE.connect(way.url)
  const consumer = client.consumer({ group: newGroup(), topics: [topic] })
  const journal = new Journal()
  const reading = consume(consumer, journal)
  await expect.poll(() => broken, { timeout: 20_000 }).toBeGreaterThan(3)
  await write(writer, topic, 1)
  await expect.poll(() => journal.records, { timeout: 20_000 }).toEqual(['0/0'])
  await consumer.close()
  await reading
})

test('a dead letter that finds no answer holds up no end', async () => {
  harm = (_, path) => (path === '/v1/produce' ? 'silent' : 'none')
  const topic = await newTopic(writer)
  await write(writer, topic, 1)
  await using client = NODE.connect(way.url)
  const group = newGroup()
  const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs: 300 })
  let attempts = 0
  const running = consumer.run({ deadLetter: true, retry: { attempts: 1 } }, () => {
    attempts++
    throw new Error('poison')
  })
  await expect.poll(() => attempts, { timeout: 20_000 }).toBe(1)
  let isClosed = false
  const closing = consumer.close().then(() => {
    isClosed = true
  })
  // Not the 30 s that a producer has by itself.
  await expect.poll(() => isClosed, { timeout: 15_000 }).toBe(true)
  await Promise.all([closing, running])
  expect((await writer.admin.describeGroup(group)).members).toEqual([])
})

test('who closes while a partition is asked back commits what is done of it, and hears of no loss', async () => {
  harm = () => 'none'
  const topic = await newTopic(writer, 2)
  await write(writer, topic, 20, { partitions: 2 })
  await using client = NODE.connect(way.url)
  const group = newGroup()
  const journal = new Journal()
  const options = { group, topics: [topic], autoCommitIntervalMs: 60_000 }
  const first = client.consumer({ ...options, ...journal.hooks })
  const gate = Promise.withResolvers<void>()
  let held = 0
  const running = first.run({ concurrency: 2 }, async ({ offset }) => {
    if (offset < 5) return
    held++
    await gate.promise
  })
  await expect.poll(() => held, { timeout: 20_000 }).toBe(2)
  const other = client.consumer(options)
  const second = consume(other, new Journal())
  const revoking = async () =>
    (await writer.admin.describeGroup(group)).members.flatMap((member) => member.revoking)
  await expect.poll(revoking, { timeout: 20_000 }).toHaveLength(1)
  // The first of its commits does not get through.
  let silent = 0
  harm = (method) => (method === 'PUT' && silent++ === 0 ? 'broken' : 'none')
  const closing = first.close()
  gate.resolve()
  await closing
  await running
  expect(journal.losses).toEqual([])
  const committed = await committedOf(writer, group)
  expect(committed).toEqual([6, 6])
  await other.close()
  await second
})
