/** A worker by polling: whose token a token is, what it is good for after others came and went, and lost answers. */

import { expect, test } from 'vitest'
import { encodeToken } from '../../../../broker/groups/tokens.ts'
import type { GroupOffsets } from '../../../../client/api/schemas/groups.ts'
import { type PollAnswer, ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve()

const committedOf = async (group: string) =>
  (await client.get<GroupOffsets>('GET', `/v1/groups/${group}/offsets`)).offsets.map(
    ({ offset }) => offset,
  )

/** Partition → its offsets in the answer. */
const offsetsOf = ({ records }: PollAnswer) =>
  [...Map.groupBy(records, ({ partition }) => partition)]
    .map(([partition, of]) => [partition, of.map(({ offset }) => offset)] as const)
    .sort(([a], [b]) => a - b)

test('the token of one group is no token of another, even of a member with the same id', async () => {
  await client.topic('bound', 1, 3)
  for (const group of ['bound-a', 'bound-b']) {
    await client.join(group, { topics: ['bound'], memberId: 'w1' })
  }
  const { token } = await client.poll('bound-a', 'w1')
  for (const field of ['after', 'commit']) {
    const answer = await client.ask('POST', '/v1/groups/bound-b/members/w1/poll', {
      [field]: token,
    })
    expect(answer).toMatchObject({ status: 400, document: { code: 'INVALID_REQUEST', field } })
    expect(answer.document.detail).toContain('bound-b')
  }
  expect(await committedOf('bound-b')).toEqual([null])
  await client.poll('bound-a', 'w1', { commit: token })
  expect(await committedOf('bound-a')).toEqual([3])
})

test('the same token gives the same records, however often answers get lost and others join', async () => {
  await client.topic('lossy', 6, 60)
  const { memberId } = await client.join('losers', { topics: ['lossy'] })
  const first = await client.poll('losers', memberId, { limit: 12 })
  const read = new Map(offsetsOf(first))
  for (let joined = 0; joined < 4; joined++) {
    await client.join('losers', { topics: ['lossy'] })
    const again = await client.poll('losers', memberId, { after: first.token })
    const held = again.assignment.map(({ partition }) => partition)
    const rest = held.map((partition) => {
      const from = read.get(partition)?.length ?? 0
      return [partition, Array.from({ length: 10 - from }, (_, index) => from + index)] as const
    })
    expect(offsetsOf(again)).toEqual(rest.filter(([, offsets]) => offsets.length > 0))
  }
})

test('a partition that was another’s meanwhile goes on at what that one committed', async () => {
  await client.topic('lent', 2, 20)
  const { memberId } = await client.join('lenders', { topics: ['lent'] })
  const { token } = await client.poll('lenders', memberId, { limit: 4 })
  const other = await client.join('lenders', { topics: ['lent'] })
  const kept = await client.poll('lenders', memberId, { after: token })
  expect(kept.assignment).toHaveLength(1)
  const lent = await client.poll('lenders', other.memberId)
  expect(lent.records).toHaveLength(10)
  await client.poll('lenders', other.memberId, { after: lent.token, commit: lent.token })
  await client.get('DELETE', `/v1/groups/lenders/members/${other.memberId}`)

  const back = await client.poll('lenders', memberId, { after: token })
  expect(back.assignment).toHaveLength(2)
  expect(offsetsOf(back)).toEqual([[kept.assignment[0]!.partition, [2, 3, 4, 5, 6, 7, 8, 9]]])
})

test('a token from before a rewind is refused, and says what to do: poll without it', async () => {
  await client.topic('undone', 1, 6)
  const { memberId } = await client.join('undoers', { topics: ['undone'] })
  const { token } = await client.poll('undoers', memberId)
  await client.poll('undoers', memberId, { after: token, commit: token })
  await client.get('POST', '/v1/groups/undoers/offsets/reset', { to: '2' })
  for (const body of [{ after: token }, { commit: token }, { after: token, commit: token }]) {
    const answer = await client.ask('POST', `/v1/groups/undoers/members/${memberId}/poll`, body)
    expect(answer).toMatchObject({ status: 409, document: { code: 'FENCED_MEMBER_EPOCH' } })
    expect(answer.document.detail).toContain('poll without after')
    expect(answer.document.detail).not.toContain('join again')
  }
  expect(await committedOf('undoers')).toEqual([2])
  expect(offsetsOf(await client.poll('undoers', memberId))).toEqual([[0, [2, 3, 4, 5]]])
})

test('what was read of a topic that is gone is nothing to commit, and nothing to tell of', async () => {
  await client.topic('stays', 1, 2)
  await client.topic('goes', 1, 2)
  const { memberId } = await client.join('outlivers', { topics: ['stays', 'goes'] })
  const { token } = await client.poll('outlivers', memberId)
  await client.get('DELETE', '/v1/topics/goes')
  const next = await client.poll('outlivers', memberId, { after: token, commit: token })
  expect(next.fenced).toBeUndefined()
  expect(await committedOf('outlivers')).toEqual([2])

  // Nothing of it is left: the worker goes on all the same.
  await client.get('DELETE', '/v1/topics/stays')
  const last = await client.poll('outlivers', memberId, { after: token, commit: token })
  expect(last).toMatchObject({ records: [], assignment: [] })
})

test('partitions that others have by now are told, by name; the rest is committed', async () => {
  await client.topic('handed', 2, 4)
  const { memberId } = await client.join('handers', { topics: ['handed'] })
  const { token } = await client.poll('handers', memberId)
  await client.join('handers', { topics: ['handed'] })
  await client.poll('handers', memberId, { after: token })
  const next = await client.poll('handers', memberId, { after: token, commit: token })
  expect(next.fenced).toEqual([{ topic: 'handed', partition: 1 - next.assignment[0]!.partition }])
  expect((await committedOf('handers')).filter((offset) => offset === 2)).toHaveLength(1)
})

test('pretty=true indents a page for people', async () => {
  await client.topic('pretty', 1, 1)
  const { memberId } = await client.join('people', { topics: ['pretty'] })
  const ask = async (query: string) => {
    const response = await fetch(
      `${client.url}/v1/groups/people/members/${memberId}/poll${query}`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
    )
    expect(response.headers.get('content-type')).toBe('application/json')
    return await response.text()
  }
  const [plain, pretty] = [await ask(''), await ask('?pretty=true')]
  expect(plain.trimEnd()).not.toContain('\n')
  expect(pretty).toMatch(/^\{\n {2}"records": \[\n {4}\{\n {6}"topic": "pretty",\n/)
  expect(JSON.parse(pretty)).toEqual(JSON.parse(plain))
})

test('the token of a poll is none of a record, nor the other way round, and both say where they belong', async () => {
  await client.topic('mixed', 1, 1)
  const { memberId, memberEpoch, assignment } = await client.join('mixers', { topics: ['mixed'] })
  const { token } = await client.poll('mixers', memberId)
  const committed = await client.ask('POST', '/v1/groups/mixers/commit', { tokens: [token] })
  expect(committed).toMatchObject({ status: 400, document: { field: 'tokens[0]' } })
  expect(committed.document.detail).toContain('as commit of the next poll')

  const { topicId } = assignment[0]!
  const place = { topicId, partition: 0, offset: 1, memberId, memberEpoch }
  const path = `/v1/groups/mixers/members/${memberId}/poll`
  const polled = await client.ask('POST', path, { commit: encodeToken('mixers', place) })
  expect(polled).toMatchObject({ status: 400, document: { field: 'commit' } })
  expect(polled.document.detail).toContain('/commit')
  expect(await committedOf('mixers')).toEqual([null])
})
