/** A worker in one request: the connection is the member, records come with tokens, nothing is committed by itself. */

import { expect, test } from 'vitest'
import type { GroupDescription, GroupOffsets } from '../../../../client/api/schemas/groups.ts'
import { partitionsOf, ServingGroupClient } from './group-client.ts'
import { type GroupLine, GroupWorkerClient } from './group-worker-client.ts'

const client = ServingGroupClient.serve()

const valuesOf = (records: readonly GroupLine[]) =>
  records.map(({ value }) => Number(value)).sort((a, b) => a - b)

test('records come with tokens; what is committed is not read again, what is not is', async () => {
  await client.topic('lines', 2, 10)
  {
    await using worker = await GroupWorkerClient.open(client.url, 'liners', 'topics=lines')
    const assigned = await worker.next('assigned')
    expect(partitionsOf(assigned.partitions)).toBe('lines/0 lines/1')
    const records = await worker.records(10)
    expect(valuesOf(records)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    const first = records.filter(({ partition }) => partition === 0)
    await client.get('POST', '/v1/groups/liners/commit', { tokens: [first[2]!.token] })
    // Cumulative: an earlier one changes nothing.
    await client.get('POST', '/v1/groups/liners/commit', { tokens: [first[0]!.token] })
  }
  await using again = await GroupWorkerClient.open(client.url, 'liners', 'topics=lines')
  expect(valuesOf(await again.records(7))).toEqual([1, 3, 5, 6, 7, 8, 9])
})

test('as events, which begin at what is committed whatever Last-Event-ID says', async () => {
  await client.topic('events', 1, 3)
  await using worker = await GroupWorkerClient.open(client.url, 'eventers', 'topics=events', {
    accept: 'text/event-stream',
    'last-event-id': 'anything',
  })
  expect(worker.contentType).toMatch('text/event-stream')
  expect(valuesOf(await worker.records(3))).toEqual([0, 1, 2])
  await client.write('events', 1, 3, 5)
  expect(valuesOf(await worker.records(2))).toEqual([3, 4])
})

test('a second worker gets its share once the first has done its own; nothing is read twice', async () => {
  await client.topic('shared', 2, 8)
  await using first = await GroupWorkerClient.open(client.url, 'sharers', 'topics=shared')
  const records = await first.records(8)
  await using second = await GroupWorkerClient.open(client.url, 'sharers', 'topics=shared')
  const revoked = await first.next('revoked')
  expect(revoked).toHaveLength(1)
  const [{ partition }] = revoked
  const last = records.findLast((record) => record.partition === partition)
  await client.get('POST', '/v1/groups/sharers/commit', { tokens: [last!.token] })
  const given = await second.until('assigned', ({ partitions }) => partitions.length === 1)
  expect(given.partitions).toMatchObject([{ topic: 'shared', partition, offset: 4 }])
  await client.write('shared', 2, 8, 10)
  expect(await second.records(1)).toMatchObject([{ partition, offset: 4 }])
})

test('a connection that ends gives its partitions away at once', async () => {
  await client.topic('cut', 2, 2)
  const first = await GroupWorkerClient.open(client.url, 'cutters', 'topics=cut')
  await first.records(2)
  await using second = await GroupWorkerClient.open(client.url, 'cutters', 'topics=cut')
  await first[Symbol.asyncDispose]()
  expect(valuesOf(await second.records(2))).toEqual([0, 1])
  const { members } = await client.get<GroupDescription>('GET', '/v1/groups/cutters')
  // A crash of the broker leaves it behind for this long, and no longer.
  expect(members).toMatchObject([{ sessionTimeoutMs: 10_000 }])
})

test('a rewind while it runs: told, read again, and old tokens are refused', async () => {
  await client.topic('again', 1, 6)
  await using worker = await GroupWorkerClient.open(client.url, 'agains', 'topics=again')
  const records = await worker.records(6)
  await client.get('POST', '/v1/groups/agains/commit', { tokens: [records[5]!.token] })
  await client.get('POST', '/v1/groups/agains/offsets/reset', { to: '2' })
  expect(await worker.next('reset')).toEqual([{ topic: 'again', partition: 0, from: 6, to: 2 }])
  const reread = await worker.records(4)
  expect(valuesOf(reread)).toEqual([2, 3, 4, 5])
  const late = await client.ask('POST', '/v1/groups/agains/commit', { tokens: [records[5]!.token] })
  expect(late).toMatchObject({ status: 409, document: { code: 'FENCED_MEMBER_EPOCH' } })
  const { offsets } = await client.get<GroupOffsets>('GET', '/v1/groups/agains/offsets')
  expect(offsets[0]!.offset).toBe(2)
  await client.get('POST', '/v1/groups/agains/commit', { tokens: [reread[3]!.token] })
})

test('topics that come later are read by whoever asked for them', async () => {
  await using worker = await GroupWorkerClient.open(client.url, 'early', 'topicPattern=late-.*')
  expect((await worker.next('assigned')).partitions).toEqual([])
  await client.topic('late-one', 1, 2)
  expect(valuesOf(await worker.records(2))).toEqual([0, 1])
})

test('a topic that is deleted ends its part of the stream; created again, it is read from its start', async () => {
  await client.topic('stays', 1, 1)
  await client.topic('goes', 1, 3)
  await using worker = await GroupWorkerClient.open(client.url, 'twice', 'topics=goes,stays')
  await worker.records(4)
  await client.get('DELETE', '/v1/topics/goes')
  await client.topic('goes', 1, 2)
  expect(await worker.records(2)).toMatchObject([
    { topic: 'goes', offset: 0 },
    { topic: 'goes', offset: 1 },
  ])
  await client.write('stays', 1, 1, 2)
  expect(await worker.records(1)).toMatchObject([{ topic: 'stays', offset: 1 }])
})

test('what can not be a worker is refused before the stream begins', async () => {
  const ask = (query: string) => client.ask('GET', `/v1/groups/refused/records?${query}`)
  expect(await ask('')).toMatchObject({ status: 400, document: { code: 'INVALID_REQUEST' } })
  expect(await ask('topics=a,,b')).toMatchObject({
    status: 400,
    document: { code: 'INVALID_TOPIC_EXCEPTION' },
  })
  expect(await ask('topics=a&limit=3')).toMatchObject({ status: 400 })
  expect(await ask('topics=a&from=never')).toMatchObject({ status: 400 })
  expect((await client.ask('GET', '/v1/groups/refused')).status).toBe(404)
})
