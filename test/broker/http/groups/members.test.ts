/** What members of a group are promised over HTTP: one owner for each partition, and progress that stays. */

import { expect, test } from 'vitest'
import type {
  GroupDescription,
  GroupOffsets,
  JoinedGroup,
  ResetReply,
} from '../../../../client/api/schemas/groups.ts'
import { partitionsOf, ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve()

test('the first member has everything; a second gets its half once the first let go of it', async () => {
  await client.topic('orders', 4)
  const first = await client.join('halves', { topics: ['orders'] })
  expect(partitionsOf(first.assignment)).toBe('orders/0 orders/1 orders/2 orders/3')

  const second = await client.join('halves', { topics: ['orders'] })
  expect(second.assignment).toEqual([])

  // Told to let go of two, the first has not yet: nobody else has them.
  const asked = await client.heartbeat('halves', first, first.assignment.map(place))
  expect(asked.assignment).toHaveLength(2)
  expect((await client.heartbeat('halves', second, [])).assignment).toEqual([])

  await client.heartbeat('halves', { ...asked }, asked.assignment.map(place))
  const given = await client.heartbeat('halves', second, [])
  expect(given.assignment).toHaveLength(2)
  expect(partitionsOf([...asked.assignment, ...given.assignment])).toBe(
    'orders/0 orders/1 orders/2 orders/3',
  )
})

test('a partition on its way to another member is still where the group stands, and is reset with the rest', async () => {
  await client.topic('moving', 4, 8)
  const first = await client.join('movers', { topics: ['moving'] })
  await client.join('movers', { topics: ['moving'] })
  const asked = await client.heartbeat('movers', first, first.assignment.map(place))
  expect(asked.assignment).toHaveLength(2)
  const places = async () =>
    (await client.get<GroupOffsets>('GET', '/v1/groups/movers/offsets')).offsets.map(
      ({ partition, lag, memberId }) => [partition, lag, memberId],
    )
  expect(await places()).toEqual([0, 1, 2, 3].map((partition) => [partition, 2, first.memberId]))
  const { to } = await client.get<ResetReply>('POST', '/v1/groups/movers/offsets/reset', {
    to: 'latest',
  })
  expect(to.map(({ partition, offset }) => [partition, offset])).toEqual(
    [0, 1, 2, 3].map((partition) => [partition, 2]),
  )
})

test('a member that leaves gives its partitions away at once', async () => {
  await client.topic('tasks', 2)
  const first = await client.join('leaving', { topics: ['tasks'] })
  const second = await client.join('leaving', { topics: ['tasks'] })
  await client.get('DELETE', `/v1/groups/leaving/members/${first.memberId}`)
  const { assignment } = await client.heartbeat('leaving', second, [])
  expect(partitionsOf(assignment)).toBe('tasks/0 tasks/1')
  const gone = await client.ask('POST', `/v1/groups/leaving/members/${first.memberId}/heartbeat`, {
    memberEpoch: first.memberEpoch,
  })
  expect(gone).toMatchObject({ status: 404, document: { code: 'UNKNOWN_MEMBER_ID' } })
})

test('a member that falls silent loses its partitions after its session', async () => {
  await client.topic('silence', 1)
  await client.join('silent', { topics: ['silence'], sessionTimeoutMs: 1_000 })
  const second = await client.join('silent', { topics: ['silence'] })
  await expect
    .poll(async () => (await client.heartbeat('silent', second, [])).assignment.length, {
      timeout: 20_000,
      interval: 100,
    })
    .toBe(1)
})

test('partitions that a topic gets, and topics that a pattern finds, are picked up', async () => {
  await client.topic('log-a', 1)
  const member = await client.join('growing', { topicPattern: 'log-.*' })
  expect(partitionsOf(member.assignment)).toBe('log-a/0')
  await client.get('PATCH', '/v1/topics/log-a', { partitions: 2 })
  await client.topic('log-b', 1)
  await client.topic('other', 1)
  const state = { ...member }
  await expect
    .poll(
      async () => {
        const reply = await client.heartbeat('growing', state, state.assignment.map(place))
        Object.assign(state, reply)
        return partitionsOf(reply.assignment)
      },
      { timeout: 20_000, interval: 50 },
    )
    .toBe('log-a/0 log-a/1 log-b/0')
})

test('from=latest is committed with the join: what comes while the worker is away is not skipped', async () => {
  await client.topic('news', 2, 10)
  const first = await client.join('fresh', { topics: ['news'], from: 'latest' })
  expect(first.assignment.map(({ offset }) => offset)).toEqual([5, 5])
  await client.get('DELETE', `/v1/groups/fresh/members/${first.memberId}`)
  await client.write('news', 2, 10, 14)
  const second = await client.join('fresh', { topics: ['news'], from: 'latest' })
  expect(second.assignment.map(({ offset }) => offset)).toEqual([5, 5])
  const { records } = await client.poll('fresh', second.memberId)
  expect(records.map(({ value }) => Number(value)).sort((a, b) => a - b)).toEqual([10, 11, 12, 13])
})

test('a poll that waits while a topic of its member is deleted goes on with the others', async () => {
  await client.topic('kept', 1)
  await client.topic('dropped', 1)
  const member = await client.join('droppers', { topics: ['kept', 'dropped'] })
  const waiting = client.poll('droppers', member.memberId, { waitMs: 30_000 })
  await expect.poll(() => client.broker.context.replicas.purgatory.waiting).toBe(1)
  await client.get('DELETE', '/v1/topics/dropped')
  await client.write('kept', 1, 0, 1)
  const { records } = await waiting
  expect(records).toMatchObject([{ topic: 'kept', offset: 0 }])
})

test('a static member that comes back has its partitions still', async () => {
  await client.topic('static', 2)
  const first = await client.join('named', { topics: ['static'], instanceId: 'one' })
  const twin = await client.ask('POST', '/v1/groups/named/members', {
    topics: ['static'],
    instanceId: 'one',
  })
  expect(twin).toMatchObject({ status: 409, document: { code: 'UNRELEASED_INSTANCE_ID' } })
  await client.get('DELETE', `/v1/groups/named/members/${first.memberId}?temporary=true`)
  const other = await client.join('named', { topics: ['static'], instanceId: 'two' })
  const back = await client.join('named', { topics: ['static'], instanceId: 'one' })
  expect(back.assignment.length + other.assignment.length).toBeLessThanOrEqual(2)
  expect(back.assignment.length).toBeGreaterThanOrEqual(1)
})

test('a member can be looked at where joining says it is, present or away', async () => {
  await client.topic('seen', 2)
  const body = { topics: ['seen'], instanceId: 'a/b', memberId: 'a member / ü', clientId: 'me' }
  const joined = await client.ask<JoinedGroup>('POST', '/v1/groups/look%20here/members', body)
  const place = joined.headers.get('location')!
  const { memberId, memberEpoch } = joined.document
  const seen = await client.get('GET', place)
  expect(seen).toMatchObject({
    memberId,
    memberEpoch,
    instanceId: 'a/b',
    clientId: 'me',
    topics: ['seen'],
    topicPattern: null,
    assignment: [0, 1].map((partition) => ({ topic: 'seen', partition })),
    revoking: [],
  })
  const { members } = await client.get<GroupDescription>('GET', '/v1/groups/look%20here')
  expect(members).toEqual([seen])
  await client.get('DELETE', `${place}?temporary=true`)
  expect(await client.get('GET', place)).toMatchObject({ memberEpoch: -2 })
  await client.get('POST', '/v1/groups/look%20here/members', body)
  await client.get('DELETE', place)
  expect(await client.ask('GET', place)).toMatchObject({
    status: 404,
    document: { code: 'UNKNOWN_MEMBER_ID' },
  })
  expect(await client.ask('GET', '/v1/groups/nowhere/members/x')).toMatchObject({
    status: 404,
    document: { code: 'GROUP_ID_NOT_FOUND' },
  })
})

test.each([
  ['neither topics nor pattern', {}, 400, 'INVALID_REQUEST'],
  ['both', { topics: ['a'], topicPattern: 'a' }, 400, 'INVALID_REQUEST'],
  ['a pattern that is none', { topicPattern: '(' }, 400, 'INVALID_REGULAR_EXPRESSION'],
  ['a look-behind', { topicPattern: '(?<=a)b' }, 400, 'INVALID_REGULAR_EXPRESSION'],
  ['an assignor nobody knows', { topics: ['a'], assignor: 'x' }, 400, 'UNSUPPORTED_ASSIGNOR'],
  ['too short a session', { topics: ['a'], sessionTimeoutMs: 1 }, 400, 'INVALID_SESSION_TIMEOUT'],
  ['no topic name', { topics: ['../x'] }, 400, 'INVALID_TOPIC_EXCEPTION'],
  ['no topics', { topics: [] }, 400, 'INVALID_REQUEST'],
  ['an unknown field', { topics: ['a'], colour: 'red' }, 400, 'INVALID_REQUEST'],
  ['no position', { topics: ['a'], from: 'yesterday' }, 400, 'INVALID_REQUEST'],
])('a join with %s is refused, and begins no group', async (_what, body, status, code) => {
  const answer = await client.ask('POST', '/v1/groups/refused/members', body)
  expect(answer).toMatchObject({ status, document: { code } })
  expect((await client.ask('GET', '/v1/groups/refused')).status).toBe(404)
})

test.each([['%00'], ['a%0Ab'], ['%1b%5b31m'], ['x'.repeat(250)]])(
  'the group id %s is refused',
  async (group) => {
    const answer = await client.ask('POST', `/v1/groups/${group}/members`, { topics: ['a'] })
    expect(answer.status).toBe(400)
    expect(answer.document.code).toMatch(/INVALID_GROUP_ID|INVALID_REQUEST/)
  },
)

test('group names of any characters work, percent-encoded', async () => {
  await client.topic('strange', 1)
  const group = encodeURIComponent('Straße / 100% «ok»')
  const { memberId } = await client.join(group, { topics: ['strange'] })
  expect(await client.get('GET', `/v1/groups/${group}`)).toMatchObject({
    groupId: 'Straße / 100% «ok»',
    members: [{ memberId }],
  })
})

function place({ topic, partition }: { topic: string; partition: number }) {
  return { topic, partition }
}

test('who owns a partition of a topic that is gone does not own one of the topic made under its name', async () => {
  await client.topic('again', 2)
  const details = { topics: ['again'] }
  const first = await client.join('owners', details)
  const old = first.assignment.map(({ topic, topicId, partition }) => ({
    topic,
    topicId,
    partition,
  }))
  await client.get('DELETE', '/v1/topics/again')
  await client.topic('again', 2)
  // It hears of the new partitions, and says that it still works on the old ones.
  const given = await client.heartbeat('owners', first, [])
  expect(partitionsOf(given.assignment)).toBe('again/0 again/1')
  const second = await client.join('owners', details)
  const asked = await client.heartbeat('owners', { ...first, ...given }, old)
  expect(asked.assignment).toHaveLength(1)
  // Nothing of the new topic was in its hands: the other one has its half at once.
  expect((await client.heartbeat('owners', second, [])).assignment).toHaveLength(1)
})
