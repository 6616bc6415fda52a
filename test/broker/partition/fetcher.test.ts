/** Promises of a fetch over many partitions. */

import { describe, expect, test } from 'vitest'
import type { FetchRequest } from '../../../broker/partition/fetch-request.ts'
import { Serving, settled } from './serving.ts'

function request(over: Partial<FetchRequest>): FetchRequest {
  return { maxWaitMs: 0, minBytes: 1, maxBytes: 1_000, partitions: [], ...over }
}

function asking(...topics: string[]) {
  return topics.map((topic) => ({ topic, partition: 0, offset: 0 }))
}

function world(...topics: string[]): Serving {
  const made = new Serving({ waitingRequestsMax: 2 })
  for (const name of topics) made.put({ name })
  return made
}

describe('a fetch', () => {
  test('answers every partition in the order asked, up to the high watermark', async () => {
    const made = world('a', 'b')
    made.fill('b', [10, 20])
    made.append('b', 30)
    const [b, a] = await made.replicas.fetch(request({ partitions: asking('b', 'a') }))
    expect(b).toMatchObject({ topic: 'b', highWatermark: 2, nextOffset: 2, topicId: 'b-id' })
    expect(b?.bytes).toHaveLength(30)
    expect(a?.bytes).toHaveLength(0)
  })

  test('returns one whole batch though it is larger than asked, and only one such', async () => {
    const made = world('a', 'b')
    made.fill('a', [5_000])
    made.fill('b', [5_000])
    const lengths = new Set<string>()
    for (let turn = 0; turn < 2; turn += 1) {
      const parts = await made.replicas.fetch(request({ partitions: asking('a', 'b') }))
      lengths.add(parts.map((part) => part.bytes.length).join())
    }
    // By turns, so that neither is starved.
    expect(lengths).toEqual(new Set(['5000,0', '0,5000']))
  })

  test('splits the bytes between the partitions that have some', async () => {
    const made = world('a', 'b', 'empty')
    made.fill('a', Array(100).fill(10))
    made.fill('b', Array(100).fill(10))
    const parts = await made.replicas.fetch(request({ partitions: asking('a', 'empty', 'b') }))
    expect(parts.map((part) => part.bytes.length)).toEqual([500, 0, 500])
  })

  test('keeps to the limit of one partition', async () => {
    const made = world('a')
    made.fill('a', Array(100).fill(10))
    const partitions = [{ topic: 'a', partition: 0, offset: 0, maxBytes: 55 }]
    const [a] = await made.replicas.fetch(request({ partitions }))
    expect(a?.bytes).toHaveLength(50)
  })

  test('tells what is wrong with one partition in its place and serves the others', async () => {
    const made = world('a', 'b')
    made.fill('a', [10])
    const parts = await made.replicas.fetch(
      request({
        maxWaitMs: 1_000,
        partitions: [
          { topic: 'a', partition: 0, offset: 0 },
          { topic: 'nope', partition: 0, offset: 0 },
          { topic: 'b', partition: 0, offset: 7 },
          { topic: 'b', partition: 1, offset: 0 },
        ],
      }),
    )
    expect(parts.map((part) => part.error?.code)).toEqual([
      undefined,
      'UNKNOWN_TOPIC_OR_PARTITION',
      'OFFSET_OUT_OF_RANGE',
      'UNKNOWN_TOPIC_OR_PARTITION',
    ])
    expect(parts[0]?.bytes).toHaveLength(10)
  })

  test('refuses a reader that means another topic or another leader', async () => {
    const made = world('a')
    const codeFor = async (over: object) => {
      const partitions = [{ topic: 'a', partition: 0, offset: 0, ...over }]
      const [part] = await made.replicas.fetch(request({ partitions }))
      return part?.error?.code
    }
    expect(await codeFor({ topicId: 'a-id', currentLeaderEpoch: 3 })).toBeUndefined()
    expect(await codeFor({ topicId: 'old-id' })).toBe('INCONSISTENT_TOPIC_ID')
    expect(await codeFor({ currentLeaderEpoch: 2 })).toBe('FENCED_LEADER_EPOCH')
    expect(await codeFor({ currentLeaderEpoch: 4 })).toBe('UNKNOWN_LEADER_EPOCH')
    expect(await codeFor({ currentLeaderEpoch: -1 })).toBeUndefined()
  })

  test.each([
    [{ replicaId: 2 }, 'CLUSTER_AUTHORIZATION_FAILED'],
    [{ brokerEpoch: 1 }, 'CLUSTER_AUTHORIZATION_FAILED'],
    [{ partitions: asking('a', 'a') }, 'INVALID_REQUEST'],
    [{ maxBytes: -1 }, 'INVALID_REQUEST'],
    [{ maxBytes: 2 ** 31 - 1 }, 'INVALID_REQUEST'],
    [{ maxWaitMs: 2 ** 31 - 1 }, 'INVALID_REQUEST'],
    [{ minBytes: 1_001 }, 'INVALID_REQUEST'],
    [{ partitions: [{ topic: 'a', partition: 0, offset: 0, maxBytes: -1 }] }, 'INVALID_REQUEST'],
    [{ partitions: Array(10_001).fill(asking('a')[0]) }, 'INVALID_REQUEST'],
  ])('refuses as a whole %j', async (over, code) => {
    const made = world('a')
    await expect(made.replicas.fetch(request(over))).rejects.toMatchObject({ code })
  })
})

describe('a fetch that waits', () => {
  test('answers as soon as there is something to see, and leaves nothing behind', async () => {
    const made = world('a', 'b')
    const fetching = made.replicas.fetch(
      request({ maxWaitMs: 1_000, partitions: asking('a', 'b') }),
    )
    await settled()
    expect(made.replicas.purgatory.waiting).toBe(1)
    made.fill('b', [10])
    expect((await fetching).map((part) => part.bytes.length)).toEqual([0, 10])
    expect(made.replicas.purgatory.waiting).toBe(0)
    expect(made.replicas.partition('a', 0).waiters).toBe(0)
    expect(made.replicas.partition('b', 0).waiters).toBe(0)
    expect(made.clock.pendingTimers).toBeLessThanOrEqual(1)
  })

  test('for many bytes reads what comes once to count it and once to answer', async () => {
    const made = world('a')
    made.fill('a', [10])
    const fetching = made.replicas.fetch(
      request({ maxWaitMs: 1_000, minBytes: 100, partitions: asking('a') }),
    )
    for (let more = 0; more < 9; more += 1) {
      await settled()
      expect(made.replicas.purgatory.waiting).toBe(1)
      made.fill('a', [10])
    }
    expect((await fetching)[0]?.bytes).toHaveLength(100)
    expect(made.log('a').reads).toBe(1 + 9 + 1)
  })

  test('answers with what there is when time is up', async () => {
    const made = world('a')
    made.fill('a', [10])
    const fetching = made.replicas.fetch(
      request({ maxWaitMs: 1_000, minBytes: 100, partitions: asking('a') }),
    )
    await settled()
    made.clock.advance(1_000)
    expect((await fetching)[0]?.bytes).toHaveLength(10)
  })

  test('is told when a partition goes away', async () => {
    const made = world('a', 'b')
    const fetching = made.replicas.fetch(
      request({ maxWaitMs: 1_000, partitions: asking('a', 'b') }),
    )
    await settled()
    made.remove('a')
    const parts = await fetching
    expect(parts.map((part) => part.error?.code)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', undefined])
  })

  test('ends with its client, and is refused where too many wait', async () => {
    const made = world('a')
    const client = new AbortController()
    const waiting = { maxWaitMs: 1_000, partitions: asking('a'), signal: client.signal }
    const two = [made.replicas.fetch(request(waiting)), made.replicas.fetch(request(waiting))]
    await settled()
    await expect(made.replicas.fetch(request(waiting))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    })
    client.abort()
    expect((await Promise.all(two)).flat().map((part) => part.bytes.length)).toEqual([0, 0])
    expect(made.replicas.partition('a', 0).waiters).toBe(0)
  })
})
