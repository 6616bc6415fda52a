/** Commits and heartbeats of which the broker makes nothing for a while, or only in part. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TestBroker } from '../../../broker/testing.ts'
import { type Client, type ConnectOptions, connect } from '../../../client/index.ts'
import { failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, consume, Journal, newGroup, startGroupBroker } from './group-rig.ts'
import { MeddlingProxy, problem } from './meddling-proxy.ts'

const MINUTE_MS = 60_000
/** Longer than any test. */
const FOR_EVER_MS = 10_000_000

let broker: TestBroker
let proxy: MeddlingProxy
let writer: Client

beforeAll(async () => {
  broker = await startGroupBroker()
  proxy = await MeddlingProxy.start(broker.url)
  writer = connect({ url: broker.url })
})

beforeEach(() => {
  proxy.meddle = () => undefined
})

afterAll(async () => {
  await writer.close()
  await proxy[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

function throughProxy(options: Partial<ConnectOptions> = {}): Client {
  return connect({ url: proxy.url, ...options })
}

async function topicOf(count: number): Promise<string> {
  const topic = await newTopic(writer)
  await write(writer, topic, count)
  return topic
}

const isHeartbeat = ({ path }: { readonly path: string }) => path.endsWith('/heartbeat')
const isCommit = ({ method, path }: { readonly method: string; readonly path: string }) =>
  method === 'PUT' && path.endsWith('/offsets')
/** Leaves a consumer alone with what it has. */
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('a group that answers with 500 for longer than a session is joined anew', {
  timeout: MINUTE_MS,
}, async () => {
  await using own = await startGroupBroker()
  await using before = await MeddlingProxy.start(own.url)
  await using client = connect({ url: before.url })
  await using direct = connect({ url: own.url })
  const topic = await newTopic(direct)
  await write(direct, topic, 3)
  const journal = new Journal()
  const group = newGroup()
  const options = { group, topics: [topic], autoCommit: false, ...journal.hooks }
  const consumer = client.consumer({ ...options, sessionTimeoutMs: 1_000 })
  const reading = consume(consumer, journal)
  await until(() => journal.records.length === 3)
  before.meddle = (asked) =>
    isHeartbeat(asked) && journal.losses.length === 0
      ? problem(500, 'UNKNOWN_SERVER_ERROR')
      : undefined
  await until(() => journal.records.length === 6)
  expect(journal.losses[0]?.error.code).toBe('UNKNOWN_SERVER_ERROR')
  await consumer.close()
  await reading
})

test('who has no time left to close still says that it leaves', {
  timeout: MINUTE_MS,
}, async () => {
  const topic = await topicOf(1)
  const group = newGroup()
  await using client = throughProxy()
  proxy.meddle = async ({ method }) => {
    // Longer than the moment that is left of the time to close.
    if (method === 'DELETE') await sleep(50)
    return undefined
  }
  for (const closeTimeoutMs of [0, 300]) {
    const hooks = closeTimeoutMs === 0 ? {} : { onRevoked: () => sleep(FOR_EVER_MS) }
    const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs, ...hooks })
    for await (const _ of consumer) break
    expect((await writer.admin.describeGroup(group)).members).toEqual([])
  }
})

test('commit() keeps its time while a broker hangs', { timeout: MINUTE_MS }, async () => {
  const requestTimeoutMs = 400
  await using client = throughProxy({ requestTimeoutMs })
  const topic = await topicOf(5)
  const consumer = client.consumer({ group: newGroup(), topics: [topic], autoCommitIntervalMs: 20 })
  let hanging = 0
  for await (const record of consumer) {
    if (record.offset !== 3) continue
    proxy.meddle = (asked) => {
      if (!isCommit(asked)) return undefined
      hanging++
      return 'hangs'
    }
    await until(() => hanging > 0)
    await sleep(2 * requestTimeoutMs)
    const hungBefore = hanging
    const beganAtMs = performance.now()
    expect(await failure(consumer.commit(record))).toMatchObject({ code: 'REQUEST_TIMED_OUT' })
    expect((performance.now() - beganAtMs) / requestTimeoutMs).toBeLessThan(5)
    // One of the timer's may have been under way, and one may wait behind it.
    expect(hanging - hungBefore).toBeLessThan(4)
    proxy.meddle = () => undefined
    break
  }
})

test('of a commit, what is refused for a moment is said again', {
  timeout: MINUTE_MS,
}, async () => {
  await using client = throughProxy()
  const topic = await newTopic(writer, 2)
  await write(writer, topic, 4, { partitions: 2 })
  const group = newGroup()
  const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
  const inHand = new Map<number, unknown>()
  let refusals = 0
  proxy.meddle = (asked, body) => {
    if (!isCommit(asked) || refusals++ > 0) return undefined
    const { offsets } = body() as { offsets: object[] }
    const error = { code: 'NOT_ENOUGH_REPLICAS', detail: 'for a moment', retriable: true }
    const fates = offsets.map((it, index) => (index === 0 ? { ...it, error } : it))
    return problem(503, 'NOT_ENOUGH_REPLICAS', { offsets: fates })
  }
  for await (const record of consumer) {
    inHand.set(record.partition, record)
    if (inHand.size < 2) continue
    const both = [...inHand.keys()].map((partition) => ({ topic, partition, offset: 1 }))
    await consumer.commit(both)
    break
  }
  expect(refusals).toBe(2)
  expect(await committedOf(client, group)).toEqual([1, 1])
})
