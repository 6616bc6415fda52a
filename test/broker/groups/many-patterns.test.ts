/**
 * A group whose members subscribe to many different patterns: when topics come, what is written of all of them
 * is one batch, and one that is too large would leave the group unable to do anything.
 */

import { expect, test } from 'vitest'
import { PATTERNS_MAX } from '../../../broker/groups/group-limits.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { GroupRig } from './group-rig.ts'

/** A hundredth of `topics.max` of a broker with default settings: the bytes are in proportion. */
const TOPICS = 100
const OF_ALL = 100
/** `max.message.bytes` of `__consumer_offsets`. */
const BATCH_BYTES_MAX = 64 * 1024 * 1024

const joinBy = (memberId: string, topicPattern: string) =>
  ({ kind: 'join', memberId, details: { topicPattern } }) as const

const patternOf = (index: number) => `[${'abcdefghijklmnopqrst'[index]}t].*`

function fullGroup(): GroupRig {
  const rig = new GroupRig()
  for (let index = 0; index < PATTERNS_MAX; index++) {
    rig.do(joinBy(`member-${index}`, patternOf(index)))
  }
  return rig
}

function refusalOf(run: () => unknown): SpoolError {
  try {
    run()
  } catch (error) {
    if (error instanceof SpoolError) return error
    throw error
  }
  throw new Error('it was not refused')
}

test(`a member with pattern number ${PATTERNS_MAX + 1} is refused, and told the limit`, () => {
  const rig = fullGroup()
  const refused = refusalOf(() => rig.do(joinBy('late', patternOf(PATTERNS_MAX))))
  expect(refused).toMatchObject({ code: 'LIMIT_EXCEEDED', extensions: { field: 'topicPattern' } })
  expect(refused.message).toContain(`${PATTERNS_MAX} different patterns`)
  const { memberEpoch } = rig.group.member('member-0', rig.topics)!
  // Alone with its pattern, a member may change it; one that shares it may not.
  rig.do(joinBy('shares', patternOf(0)))
  const details = { topicPattern: patternOf(PATTERNS_MAX) }
  const change = {
    kind: 'heartbeat',
    memberId: 'member-0',
    memberEpoch,
    owned: [],
    details,
  } as const
  expect(refusalOf(() => rig.do(change)).code).toBe('LIMIT_EXCEEDED')
  rig.do(joinBy('member-1', patternOf(PATTERNS_MAX)))
  expect([...rig.group.patterns]).toHaveLength(PATTERNS_MAX)
})

test('when all topics come, all patterns of a group fit into one batch', {
  timeout: 60_000,
}, () => {
  const rig = fullGroup()
  for (let index = 0; index < TOPICS; index++) {
    rig.createTopic(`t${String(index).padStart(4, '0')}`.padEnd(249, 'x'), 2)
  }
  rig.do({ kind: 'topicsChanged' })
  const { records } = rig.log.at(-1)!
  expect(records.length).toBeGreaterThanOrEqual(PATTERNS_MAX)
  const bytes = records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
  expect(bytes).toBeGreaterThan(PATTERNS_MAX * TOPICS * 249)
  expect(bytes * OF_ALL).toBeLessThan(BATCH_BYTES_MAX)
})
