/** Committed offsets over HTTP: by poll, by token and by number; lag; going back; what survives what. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeToken } from '../../../../broker/groups/tokens.ts'
import type {
  CommitReply,
  GroupOffsets,
  ResetReply,
} from '../../../../client/api/schemas/groups.ts'
import { BrokerProcess } from '../../../rigs/broker-process.ts'
import { GroupClient, ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve()

const offsetsOf = async (group: string, of: GroupClient = client) =>
  (await of.get<GroupOffsets>('GET', `/v1/groups/${group}/offsets`)).offsets

test('polling reads everything once, and what was committed is not read again', async () => {
  await client.topic('jobs', 3, 30)
  const { memberId } = await client.join('pollers', { topics: ['jobs'] })
  const values: number[] = []
  let token: string | undefined
  for (let polls = 0; values.length < 30 && polls < 30; polls++) {
    const answer = await client.poll('pollers', memberId, {
      limit: 4,
      ...(token === undefined ? {} : { after: token, commit: token }),
    })
    // A lost answer: the same question gives the same records.
    const again = await client.poll('pollers', memberId, {
      limit: 4,
      ...(token === undefined ? {} : { after: token }),
    })
    expect(again.records).toEqual(answer.records)
    values.push(...answer.records.map(({ value }) => Number(value)))
    token = answer.token
  }
  expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n))
  await client.poll('pollers', memberId, { after: token, commit: token })
  await client.get('DELETE', `/v1/groups/pollers/members/${memberId}`)
  const next = await client.join('pollers', { topics: ['jobs'] })
  expect((await client.poll('pollers', next.memberId)).records).toEqual([])
  expect(
    (await offsetsOf('pollers')).map(({ offset, lag, lagMs }) => [offset, lag, lagMs]),
  ).toEqual([10, 10, 10].map((offset) => [offset, 0, 0]))
})

test('a poll that waits is answered by the record that comes, and by a change of the assignment', async () => {
  await client.topic('waiting', 2)
  const { memberId } = await client.join('patient', { topics: ['waiting'] })
  const answered = client.poll('patient', memberId, { waitMs: 30_000 })
  await client.write('waiting', 2, 0, 1)
  const { records, token } = await answered
  expect(records.map(({ value }) => value)).toEqual(['0'])

  const moved = client.poll('patient', memberId, { after: token, waitMs: 30_000 })
  const { assignment: none, memberId: second } = await client.join('patient', {
    topics: ['waiting'],
  })
  expect(none).toEqual([])
  const after = await moved
  const then = await client.poll('patient', memberId, { after: after.token })
  expect(then.assignment).toHaveLength(1)
  expect((await client.poll('patient', second)).assignment).toHaveLength(1)
})

test('lag is told in records and in time', async () => {
  await client.topic('lagging', 1)
  const timestamp = Date.now() - 3_600_000
  const records = [0, 1, 2].map((n) => ({ value: n, timestamp: timestamp + n * 60_000 }))
  await client.get('POST', '/v1/topics/lagging/records?as=json', { records })
  await client.get('PUT', '/v1/groups/late/offsets', {
    offsets: [{ topic: 'lagging', partition: 0, offset: 1, metadata: 'halfway' }],
  })
  const [place] = await offsetsOf('late')
  expect(place).toMatchObject({ offset: 1, lag: 2, metadata: 'halfway', memberId: null })
  expect(place!.lagMs).toBeGreaterThanOrEqual(59 * 60_000)
  expect(place!.lagMs).toBeLessThan(62 * 60_000)
})

test('lag in time goes by the time of the append where the topic does', async () => {
  const config = { 'message.timestamp.type': 'LogAppendTime' }
  await client.get('PUT', '/v1/topics/appended', { partitions: 1, config })
  const records = [0, 1].map((value) => ({ value, timestamp: 1_000 }))
  await client.get('POST', '/v1/topics/appended/records?as=json', { records })
  for (const offset of [0, 1]) {
    const offsets = [{ topic: 'appended', partition: 0, offset }]
    await client.get('PUT', '/v1/groups/prompt/offsets', { offsets })
    expect((await offsetsOf('prompt'))[0]!.lagMs).toBeLessThan(60 * 60_000)
  }
})

test('without a member offsets are committed only while the group has none', async () => {
  await client.topic('guarded', 1, 5)
  const offsets = [{ topic: 'guarded', partition: 0, offset: 3 }]
  await client.get('PUT', '/v1/groups/guard/offsets', { offsets })
  const { memberId, memberEpoch, assignment } = await client.join('guard', { topics: ['guarded'] })
  expect(assignment[0]!.offset).toBe(3)
  const foreign = await client.ask('PUT', '/v1/groups/guard/offsets', { offsets })
  expect(foreign).toMatchObject({
    status: 409,
    document: { code: 'NON_EMPTY_GROUP', outcome: 'refused' },
  })
  await client.get('PUT', '/v1/groups/guard/offsets', {
    memberId,
    memberEpoch,
    offsets: [{ topic: 'guarded', partition: 0, offset: 4 }],
  })
  const unknown = await client.ask('PUT', '/v1/groups/guard/offsets', {
    memberId: 'nobody',
    memberEpoch: 1,
    offsets,
  })
  expect(unknown).toMatchObject({ status: 404, document: { code: 'UNKNOWN_MEMBER_ID' } })
  expect((await offsetsOf('guard'))[0]!.offset).toBe(4)
})

test('a cumulative commit never moves what is committed back; another does', async () => {
  await client.topic('cumulated', 2, 20)
  const commit = (body: object) =>
    client.get<CommitReply>('PUT', '/v1/groups/cumulative/offsets', body)
  const at = (...offsets: number[]) =>
    offsets.map((offset, partition) => ({ topic: 'cumulated', partition, offset }))
  const committed = async () => (await offsetsOf('cumulative')).map(({ offset }) => offset)
  await commit({ offsets: at(5), cumulative: true })
  const { offsets } = await commit({ offsets: at(3, 4), cumulative: true })
  // As with tokens: what is committed, and that is no failure.
  expect(offsets.map(({ offset, error }) => [offset, error])).toEqual([
    [5, undefined],
    [4, undefined],
  ])
  expect(await committed()).toEqual([5, 4])
  await commit({ offsets: at(5, 9), cumulative: true })
  expect(await committed()).toEqual([5, 9])
  await commit({ offsets: at(2, 9) })
  await commit({ offsets: at(2, 1), cumulative: false })
  expect(await committed()).toEqual([2, 1])
  const refused = await client.ask('PUT', '/v1/groups/cumulative/offsets', {
    offsets: at(9),
    cumulative: 'yes',
  })
  expect(refused).toMatchObject({ status: 400, document: { code: 'INVALID_REQUEST' } })
  expect(await committed()).toEqual([2, 1])
})

test('of several commits each has its own fate', async () => {
  await client.topic('partly', 1, 5)
  const answer = await client.ask('PUT', '/v1/groups/parts/offsets', {
    offsets: [
      { topic: 'partly', partition: 0, offset: 2 },
      { topic: 'partly', partition: 7, offset: 2 },
      { topic: 'nowhere', partition: 0, offset: 2 },
    ],
  })
  expect(answer.status).toBe(404)
  expect(answer.document).toMatchObject({
    code: 'UNKNOWN_TOPIC_OR_PARTITION',
    outcome: 'partial',
    offsets: [{ offset: 2 }, { error: {} }, { error: {} }],
  })
  expect((await offsetsOf('parts')).map(({ offset }) => offset)).toEqual([2])
})

test('a rewind of a running group: members read again from there, and nothing undoes it', async () => {
  await client.topic('rewound', 2, 20)
  const { memberId } = await client.join('replay', { topics: ['rewound'] })
  const read = await client.poll('replay', memberId)
  expect(read.records).toHaveLength(20)
  await client.poll('replay', memberId, { after: read.token, commit: read.token })

  const ask = (body: object) =>
    client.get<ResetReply>('POST', '/v1/groups/replay/offsets/reset', body)
  const preview = await ask({ to: { shift: -4 }, dryRun: true })
  expect(preview).toMatchObject({ dryRun: true, recordsAgain: 8 })
  expect((await offsetsOf('replay')).map(({ offset }) => offset)).toEqual([10, 10])
  const done = await ask({ to: { offsets: preview.to } })
  expect(done.from.map(({ offset }) => offset)).toEqual([10, 10])
  expect(done.to.map(({ offset }) => offset)).toEqual([6, 6])

  const late = await client.ask('POST', `/v1/groups/replay/members/${memberId}/poll`, {
    after: read.token,
    commit: read.token,
  })
  expect(late).toMatchObject({ status: 409, document: { code: 'FENCED_MEMBER_EPOCH' } })
  expect((await offsetsOf('replay')).map(({ offset }) => offset)).toEqual([6, 6])
  const again = await client.poll('replay', memberId)
  expect(again.records).toHaveLength(8)

  const undone = await ask({ to: { offsets: done.from } })
  expect(undone.to.map(({ offset }) => offset)).toEqual([10, 10])
})

test('a reset to a time, beyond the ends, and of what there is not', async () => {
  await client.topic('times', 2)
  const at = Date.parse('2025-06-01T00:00:00Z')
  const records = [0, 1, 2, 3].map((n) => ({
    value: n,
    partition: n % 2,
    timestamp: at + n * 3_600_000,
  }))
  await client.get('POST', '/v1/topics/times/records?as=json', { records })
  await client.get('PUT', '/v1/groups/timed/offsets', {
    offsets: [0, 1].map((partition) => ({ topic: 'times', partition, offset: 2 })),
  })
  const reset = (body: object) =>
    client.ask<ResetReply>('POST', '/v1/groups/timed/offsets/reset', body)
  const byTime = await reset({ topics: ['times'], to: '2025-06-01T02:00:00Z' })
  expect(byTime.document.to.map(({ offset }) => offset)).toEqual([1, 1])
  const beyond = await reset({ partitions: [{ topic: 'times', partition: 0 }], to: '99' })
  expect(beyond.document.partitions).toMatchObject([{ from: 1, to: 2, clamped: true }])
  expect((await reset({ to: '1' })).document).toMatchObject({ code: 'INVALID_REQUEST' })
  expect((await reset({ topics: ['nowhere'], to: 'earliest' })).status).toBe(404)
  expect((await reset({ to: 'tomorrow' })).status).toBe(400)
  const unknown = await client.ask('POST', '/v1/groups/nobody/offsets/reset', { to: 'earliest' })
  expect(unknown).toMatchObject({ status: 404, document: { code: 'GROUP_ID_NOT_FOUND' } })
})

test('a topic that is deleted takes its commits along, and one made anew begins at its beginning', async () => {
  await client.topic('reborn', 1, 5)
  await client.get('PUT', '/v1/groups/keeper/offsets', {
    offsets: [{ topic: 'reborn', partition: 0, offset: 5 }],
  })
  await client.get('DELETE', '/v1/topics/reborn')
  await client.topic('reborn', 1, 3)
  const { assignment } = await client.join('keeper', { topics: ['reborn'] })
  expect(assignment).toMatchObject([{ topic: 'reborn', partition: 0, offset: 0 }])
})

test('the token of a topic that is gone is refused by the topic’s id, for its name is gone', async () => {
  await client.topic('named', 1, 1)
  await client.topic('nameless', 1, 1)
  const { memberId, memberEpoch, assignment } = await client.join('namers', {
    topics: ['named', 'nameless'],
  })
  const tokens = assignment.map(({ topicId, partition }) =>
    encodeToken('namers', { topicId, partition, offset: 1, memberId, memberEpoch }),
  )
  await client.get('DELETE', '/v1/topics/nameless')
  const answer = await client.ask('POST', '/v1/groups/namers/commit', { tokens })
  const { topicId } = assignment.find(({ topic }) => topic === 'nameless')!
  expect(answer).toMatchObject({ status: 404, document: { outcome: 'partial' } })
  expect(answer.document.offsets).toEqual(
    assignment.map(({ topic, partition }) =>
      topic === 'named'
        ? { topic, partition, offset: 1 }
        : { topicId, partition, error: { code: 'UNKNOWN_TOPIC_ID', detail: expect.any(String) } },
    ),
  )
})

test('a group without members can be deleted, one with members can not', async () => {
  await client.topic('dropped', 1)
  const { memberId } = await client.join('doomed', { topics: ['dropped'] })
  const refused = await client.ask('DELETE', '/v1/groups/doomed')
  expect(refused).toMatchObject({ status: 409, document: { code: 'NON_EMPTY_GROUP' } })
  await client.get('DELETE', `/v1/groups/doomed/members/${memberId}`)
  await client.get('DELETE', '/v1/groups/doomed')
  expect((await client.ask('GET', '/v1/groups/doomed')).status).toBe(404)
})

test('the list of groups has pages', async () => {
  await client.topic('listed', 1, 1)
  for (const group of ['page-a', 'page-b', 'page-c']) {
    await client.get('PUT', `/v1/groups/${group}/offsets`, {
      offsets: [{ topic: 'listed', partition: 0, offset: 1 }],
    })
  }
  interface List {
    groups: { groupId: string }[]
    next?: string
  }
  const page = await client.get<List>('GET', '/v1/groups?limit=2&after=page')
  expect(page.groups.map(({ groupId }) => groupId)).toEqual(['page-a', 'page-b'])
  const rest = await client.get<List>('GET', `/v1/groups?limit=2&after=${page.next}`)
  expect(rest.groups[0]!.groupId).toBe('page-c')
})

test('what was acknowledged to a group is there after kill -9: members, assignment, offsets', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'spool-groups-'))
  try {
    let running = await BrokerProcess.start({ dataDir })
    let alive = new GroupClient(running.url)
    await alive.topic('kept', 2, 10)
    const member = await alive.join('survivors', { topics: ['kept'] })
    const { token } = await alive.poll('survivors', member.memberId, { limit: 4 })
    await alive.poll('survivors', member.memberId, { after: token, commit: token, limit: 1 })
    const before = await offsetsOf('survivors', alive)
    running.kill()
    await running.ended()

    running = await BrokerProcess.start({ dataDir })
    alive = new GroupClient(running.url)
    const after = await offsetsOf('survivors', alive)
    expect(after.map(({ partition, offset }) => [partition, offset])).toEqual(
      before.map(({ partition, offset }) => [partition, offset]),
    )
    // The member goes on as if nothing had happened.
    const next = await alive.poll('survivors', member.memberId, { after: token })
    expect(next.memberEpoch).toBe(member.memberEpoch)
    expect(next.records).toHaveLength(6)
    await running[Symbol.asyncDispose]()
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}, 60_000)

test('lag is in the metrics, by group, topic and partition', async () => {
  await client.topic('scraped', 1, 7)
  await client.get('PUT', '/v1/groups/watched/offsets', {
    offsets: [{ topic: 'scraped', partition: 0, offset: 3 }],
  })
  const metrics = await (await fetch(`${client.url}/metrics`)).text()
  const labels = '{group="watched",topic="scraped",partition="0"}'
  expect(metrics).toContain(`spool_group_lag_records${labels} 4`)
  expect(metrics).toMatch(
    new RegExp(`spool_group_lag_seconds${labels.replaceAll(/[{}]/g, '\\$&')} \\d`),
  )
})

test('a member that has committed nothing is behind by all there is, in the metrics, too', async () => {
  await client.topic('unstarted', 1, 5)
  await client.join('idle', { topics: ['unstarted'] })
  const metrics = await (await fetch(`${client.url}/metrics`)).text()
  const labels = '{group="idle",topic="unstarted",partition="0"}'
  expect(metrics).toContain(`spool_group_lag_records${labels} 5`)
})

test('a commit that names the topic’s id is for no topic that was created under its name since', async () => {
  await client.topic('remade', 1, 5)
  const before = await client.get<{ topicId: string }>('GET', '/v1/topics/remade')
  const at = (topicId: string) => ({
    offsets: [{ topic: 'remade', topicId, partition: 0, offset: 3 }],
  })
  const path = '/v1/groups/remade-readers/offsets'
  await client.get('PUT', path, at(before.topicId))
  await client.get('DELETE', '/v1/topics/remade')
  await client.topic('remade', 1, 4)
  const refused = await client.ask('PUT', path, at(before.topicId))
  expect(refused).toMatchObject({
    status: 410,
    document: { code: 'INCONSISTENT_TOPIC_ID', outcome: 'refused' },
  })
  const after = await client.get<{ topicId: string }>('GET', '/v1/topics/remade')
  await client.get('PUT', path, at(after.topicId))
  expect((await offsetsOf('remade-readers')).map(({ offset }) => offset)).toEqual([3])
})
