/** No commit is beyond the end of its partition: records written later would be skipped. */

import { expect, test } from 'vitest'
import { encodeToken } from '../../../../broker/groups/tokens.ts'
import { ServingGroupClient } from './group-client.ts'

const client = ServingGroupClient.serve()

const OUTSIDE = 'OFFSET_OUT_OF_RANGE'

test('a commit by offset beyond the end is refused, names both, and skips no record', async () => {
  await client.topic('short', 2, 4)
  const answer = await client.ask('PUT', '/v1/groups/hasty/offsets', {
    offsets: [
      { topic: 'short', partition: 0, offset: 1_000_000 },
      { topic: 'short', partition: 1, offset: 2 },
    ],
  })
  expect(answer).toMatchObject({
    status: 416,
    document: {
      code: OUTSIDE,
      outcome: 'partial',
      offsets: [{ topic: 'short', partition: 0, error: { code: OUTSIDE } }, { offset: 2 }],
    },
  })
  expect(answer.document.detail).toMatch(/offset is 1000000;.*partition 0 of short ends at 2/)
  const { memberId, assignment } = await client.join('hasty', { topics: ['short'] })
  expect(assignment.map(({ offset }) => offset)).toEqual([0, 2])
  await client.write('short', 2, 4, 6)
  const { records } = await client.poll('hasty', memberId)
  expect(records.map(({ value }) => value)).toEqual(expect.arrayContaining(['4', '5']))
})

test('a member’s commit, and a cumulative one, is bounded too; the end itself is fine', async () => {
  await client.topic('ends', 1, 3)
  const { memberId, memberEpoch } = await client.join('enders', { topics: ['ends'] })
  const commit = (offset: number, more: object = {}) =>
    client.ask('PUT', '/v1/groups/enders/offsets', {
      memberId,
      memberEpoch,
      offsets: [{ topic: 'ends', partition: 0, offset }],
      ...more,
    })
  const outside = { status: 416, document: { code: OUTSIDE, outcome: 'refused' } }
  expect(await commit(4)).toMatchObject(outside)
  expect(await commit(4, { cumulative: true })).toMatchObject(outside)
  expect(await commit(3)).toMatchObject({ status: 200 })
})

test('a token for records that the log lost is refused as well', async () => {
  await client.topic('torn', 1, 3)
  const { memberId, memberEpoch, assignment } = await client.join('torn', { topics: ['torn'] })
  const { topicId } = assignment[0]!
  const place = { topicId, partition: 0, memberId, memberEpoch }
  const tokens = [7, 3].map((offset) => encodeToken('torn', { ...place, offset }))
  const answer = await client.ask('POST', '/v1/groups/torn/commit', { tokens })
  expect(answer).toMatchObject({
    status: 416,
    document: { code: OUTSIDE, outcome: 'partial', offsets: [{ error: {} }, { offset: 3 }] },
  })
})

test('a reset beyond the end is clamped to it, and says so', async () => {
  await client.topic('clamped', 1, 3)
  const offsets = [{ topic: 'clamped', partition: 0, offset: 1 }]
  await client.get('PUT', '/v1/groups/clampers/offsets', { offsets })
  const to = { offsets: [{ topic: 'clamped', partition: 0, offset: 99 }] }
  const reset = await client.get('POST', '/v1/groups/clampers/offsets/reset', { to })
  expect(reset).toMatchObject({ partitions: [{ from: 1, to: 3, clamped: true }] })
})
