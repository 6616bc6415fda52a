/** A group whose members list many topics, and each of them others: it holds up nobody but itself. */

import { expect, test } from 'vitest'
import { LISTED_TOPICS_MAX, SUBSCRIBED_TOPICS_MAX } from '../../../broker/groups/group-limits.ts'
import { GroupRig } from './group-rig.ts'

const LISTS = LISTED_TOPICS_MAX / SUBSCRIBED_TOPICS_MAX

const listOf = (index: number) =>
  Array.from({ length: SUBSCRIBED_TOPICS_MAX }, (_, at) => (at === index ? 'other' : `t${at}`))

const joinBy = (memberId: string, topics: readonly string[]) =>
  ({ kind: 'join', memberId, details: { topics } }) as const

test('different lists are bounded together, lists that are alike are not', () => {
  const rig = new GroupRig()
  rig.createTopic('t1', 4)
  for (let index = 0; index < LISTS; index++) rig.do(joinBy(`m${index}`, listOf(index)))
  const late = joinBy('late', ['t1'])
  expect(() => rig.do(late)).toThrow(/10 different lists of 100000 topics in all; 1 more .* 100000/)
  const shares = rig.do(joinBy('shares', listOf(0)))
  // Whoever shares a list may not change it alone, whoever has it alone may.
  const { memberEpoch } = shares.reply
  const change = { kind: 'heartbeat', memberId: 'shares', memberEpoch, owned: [] } as const
  expect(() => rig.do({ ...change, details: { topics: listOf(LISTS) } })).toThrow(/different lists/)
  rig.do(joinBy('m1', listOf(LISTS)))
  rig.do({ kind: 'leave', memberId: 'm2' })
  expect(rig.do(late).reply.memberId).toBe('late')
})
