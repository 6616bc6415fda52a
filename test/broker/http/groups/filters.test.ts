/** Filters of a group's readers: few records come, and what was passed over is done all the same. */

import { describe, expect, test } from 'vitest'
import { CheckpointTurns, GivenPlace } from '../../../../broker/http/groups/given-places.ts'
import type { Place } from '../../../../broker/http/streams/place.ts'
import type { GroupOffsets } from '../../../../client/api/schemas/groups.ts'
import { ServingGroupClient } from './group-client.ts'
import { GroupWorkerClient } from './group-worker-client.ts'

const client = ServingGroupClient.serve({ cleanerBackoffMs: 100 })

const offsetsOf = async (group: string) =>
  (await client.get<GroupOffsets>('GET', `/v1/groups/${group}/offsets`)).offsets

const commit = (group: string, tokens: readonly string[]) =>
  client.ask('POST', `/v1/groups/${group}/commit`, { tokens })

const isOfTokens = ({ tokens }: { readonly tokens: readonly string[] }) => tokens.length > 0

/** Commits what checkpoints say until nothing is left to read. */
async function commitCheckpoints(worker: GroupWorkerClient, group: string): Promise<void> {
  while ((await offsetsOf(group)).some(({ lag }) => lag !== 0)) {
    const { tokens } = await worker.until('checkpoint', isOfTokens)
    expect((await commit(group, tokens)).status).toBe(200)
  }
}

/** Of ten records in turn one is wanted: the one whose number ends with 0. */
async function sparse(topic: string, partitions: number, from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, index) => {
    const number = from + index
    const isWanted = number % 10 === 0
    const color = isWanted ? 'red' : 'grey'
    return {
      key: isWanted ? 'wanted' : `k${number}`,
      value: `${color} ${number}`,
      headers: { color },
      partition: number % partitions,
    }
  })
  await client.get('POST', `/v1/topics/${topic}/records`, { records })
}

describe('a poll', () => {
  test.each([{ key: 'wanted' }, { header: 'color:red' }, { contains: 'red' }])(
    'with %j gives what passes, and its token is beyond what does not',
    async (filter) => {
      const name = `polled-${Object.keys(filter)[0]}`
      await client.topic(name, 1)
      await sparse(name, 1, 0, 105)
      const { memberId } = await client.join(name, { topics: [name] })
      const page = await client.poll(name, memberId, filter)
      expect(page.records.map(({ offset }) => offset)).toEqual([
        0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100,
      ])
      const next = await client.poll(name, memberId, {
        ...filter,
        after: page.token,
        commit: page.token,
      })
      expect(next.records).toEqual([])
      expect(await offsetsOf(name)).toMatchObject([{ offset: 105, lag: 0 }])
    },
  )

  test('an empty page has a token further on', async () => {
    await client.topic('nothing', 1)
    await sparse('nothing', 1, 1, 10)
    const { memberId } = await client.join('nothing', { topics: ['nothing'] })
    const page = await client.poll('nothing', memberId, { key: 'wanted' })
    expect(page.records).toEqual([])
    await sparse('nothing', 1, 10, 12)
    // Without the filter it goes on after what was passed over.
    const next = await client.poll('nothing', memberId, { after: page.token })
    expect(next.records.map(({ offset }) => offset)).toEqual([9, 10])
  })

  test('waits for a record that passes', async () => {
    await client.topic('awaited', 1)
    const { memberId } = await client.join('awaited', { topics: ['awaited'] })
    const polled = client.poll('awaited', memberId, { contains: 'red', waitMs: 30_000 })
    await sparse('awaited', 1, 1, 5)
    await sparse('awaited', 1, 10, 11)
    expect((await polled).records).toMatchObject([{ offset: 4, value: 'red 10' }])
  })

  test('shows values as asked for; what is no filter is refused by its name', async () => {
    await client.topic('shown', 1)
    await client.get('POST', '/v1/topics/shown/records', { value: { n: 1 } })
    const { memberId } = await client.join('shown', { topics: ['shown'] })
    const valueAs = async (as: string) =>
      (await client.poll('shown', memberId, { as })).records[0]!.value
    expect(await valueAs('json')).toEqual({ n: 1 })
    expect(await valueAs('base64')).toEqual({ base64: btoa('{"n":1}') })
    const path = `/v1/groups/shown/members/${memberId}/poll`
    for (const body of [{ header: 'color' }, { as: 'xml' }, { key: 'k'.repeat(4_097) }]) {
      const [field] = Object.keys(body)
      const refused = await client.ask('POST', path, body)
      expect(refused).toMatchObject({ status: 400, document: { code: 'INVALID_REQUEST', field } })
      expect(refused.document.detail).toContain(`field ${field}`)
    }
  })
})

describe('a worker in one request', () => {
  test.each(['application/x-ndjson', 'text/event-stream'])(
    'as %s: few of many records; with a checkpoint committed nothing is left to read',
    async (accept) => {
      const name = accept === 'text/event-stream' ? 'few-events' : 'few-lines'
      await client.topic(name, 2)
      await sparse(name, 2, 0, 1_005)
      const query = `topics=${name}&header=color:red`
      await using worker = await GroupWorkerClient.open(client.url, name, query, { accept })
      // All of them are in partition 0; 1 has only what is passed over.
      const records = await worker.records(101)
      expect(records.map(({ value }) => value)).toEqual(
        Array.from({ length: 101 }, (_, index) => `red ${index * 10}`),
      )
      await commit(name, [records.at(-1)!.token])
      expect((await offsetsOf(name)).map(({ lag }) => lag)).toEqual([2, 502])
      await commitCheckpoints(worker, name)
      // And at the tail, where records come from what all readers share.
      await sparse(name, 2, 1_001, 1_009)
      await commitCheckpoints(worker, name)
      await worker[Symbol.asyncDispose]()
      await using again = await GroupWorkerClient.open(client.url, name, `topics=${name}`, {
        accept,
      })
      await sparse(name, 2, 2_001, 2_002)
      expect(await again.records(1)).toMatchObject([{ value: 'grey 2001' }])
    },
  )

  test('the token of a partition that is asked back lets go of it at once', async () => {
    await client.topic('moved', 2)
    await sparse('moved', 2, 0, 40)
    // The time-out is so long that waiting for it would be noticed.
    const query = 'topics=moved&contains=red&rebalanceTimeoutMs=600000'
    await using first = await GroupWorkerClient.open(client.url, 'movers', query)
    await first.records(4)
    // Of both partitions: what nothing was given of is let go of anyway.
    for (let told = 0; told < 2; ) {
      told += (await first.until('checkpoint', isOfTokens)).tokens.length
    }
    await using second = await GroupWorkerClient.open(client.url, 'movers', query)
    const revoked = await first.next('revoked')
    expect(revoked).toMatchObject([{ topic: 'moved' }])
    const { status, document } = await commit('movers', [revoked[0].token])
    expect({ status, document }).toMatchObject({
      status: 200,
      document: { offsets: [{ offset: 20 }] },
    })
    const { partitions } = await second.until('assigned', (note) => note.partitions.length === 1)
    expect(partitions).toMatchObject([{ partition: revoked[0].partition, offset: 20 }])
  })

  test('a checkpoint from before a rewind commits nothing after it', async () => {
    await client.topic('rewound', 1)
    await sparse('rewound', 1, 1, 10)
    const query = 'topics=rewound&contains=red'
    await using worker = await GroupWorkerClient.open(client.url, 'rewinders', query)
    const before = await worker.until('checkpoint', isOfTokens)
    expect((await commit('rewinders', before.tokens)).status).toBe(200)
    await client.get('POST', '/v1/groups/rewinders/offsets/reset', { to: '2' })
    expect(await worker.next('reset')).toMatchObject([{ from: 9, to: 2 }])
    expect(await commit('rewinders', before.tokens)).toMatchObject({
      status: 409,
      document: { code: 'FENCED_MEMBER_EPOCH' },
    })
    expect(await offsetsOf('rewinders')).toMatchObject([{ offset: 2, lag: 7 }])
    const after = await worker.until('checkpoint', isOfTokens)
    expect((await commit('rewinders', after.tokens)).status).toBe(200)
    expect(await offsetsOf('rewinders')).toMatchObject([{ offset: 9, lag: 0 }])
  })

  test('what was compacted away is passed over', async () => {
    const config = {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': 0,
      'segment.bytes': 1_024,
    }
    await client.get('PUT', '/v1/topics/compacted', { partitions: 1, config })
    for (let at = 0; at < 20; at++) {
      const record = { key: 'same', value: `${at} ${'x'.repeat(100)}` }
      await client.get('POST', '/v1/topics/compacted/records', record)
    }
    const page = '/v1/topics/compacted/partitions/0/records?from=0&limit=1'
    const first = async () =>
      (await client.get<{ records: { offset: number }[] }>('GET', page)).records[0]!.offset
    while ((await first()) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    const query = 'topics=compacted&contains=nowhere'
    await using worker = await GroupWorkerClient.open(client.url, 'compacted', query)
    await commitCheckpoints(worker, 'compacted')
    expect(await offsetsOf('compacted')).toMatchObject([{ offset: 20, lag: 0 }])
  })

  test('a header without a colon is refused, and nobody has joined', async () => {
    const answer = await client.ask('GET', '/v1/groups/nobody/records?topics=a&header=color')
    expect(answer).toMatchObject({ status: 400, document: { field: 'header' } })
    expect((await client.ask('GET', '/v1/groups/nobody')).status).toBe(404)
  })
})

test('of very many partitions each has its turn in a checkpoint, also while all of them move on', () => {
  const places = Array.from({ length: 1_200 }, () => ({ nextOffset: 1, givenTo: 0 }))
  const given = places.map((place) => new GivenPlace(place as Place))
  const turns = new CheckpointTurns()
  const told = new Set<GivenPlace>()
  for (let checkpoint = 0; checkpoint < 3; checkpoint++) {
    const chosen = turns.next(given)
    expect(chosen.length).toBeLessThanOrEqual(500)
    expect(turns.hasMore).toBe(true)
    for (const each of chosen) {
      each.tell()
      told.add(each)
    }
    for (const place of places) place.nextOffset++
  }
  expect(told.size).toBe(1_200)
  for (let checkpoint = 0; turns.hasMore; checkpoint++) {
    expect(checkpoint).toBeLessThan(4)
    for (const each of turns.next(given)) each.tell()
  }
  expect(given.every(({ isBeyond }) => !isBeyond)).toBe(true)
})
