/** What the machine refuses, and that it names the field, the value and the bounds. */

import { describe, expect, test } from 'vitest'
import type { JoinEvent } from '../../../broker/groups/group-event.ts'
import { beat, join, refusalOf, rigWith } from './group-events.ts'
import { GroupRig } from './group-rig.ts'

describe('refusals name the field, the value and the bounds', () => {
  test.each<[string, Partial<JoinEvent>, string, RegExp]>([
    ['no subscription', { details: {} }, 'INVALID_REQUEST', /topics or topicPattern/],
    ['an empty id', { memberId: '' }, 'INVALID_REQUEST', /memberId has 0 characters/],
    ['a long id', { memberId: 'x'.repeat(256) }, 'INVALID_REQUEST', /256 characters.*1 to 255/],
    ['half a character', { memberId: 'a\ud800' }, 'INVALID_REQUEST', /surrogate/],
    ['an instance id', { instanceId: '' }, 'INVALID_REQUEST', /instanceId has 0/],
    [
      'a short session',
      { details: { topics: ['orders'], sessionTimeoutMs: 10 } },
      'INVALID_SESSION_TIMEOUT',
      /sessionTimeoutMs is 10, not .* 1000 to 1800000/,
    ],
    [
      'a long rebalance',
      { details: { topics: ['orders'], rebalanceTimeoutMs: 1e9 } },
      'INVALID_REQUEST',
      /rebalanceTimeoutMs is 1000000000, not .* 1000 to 1800000/,
    ],
    [
      'a topic name',
      { details: { topics: ['orders', '../etc'] } },
      'INVALID_TOPIC_EXCEPTION',
      /1 to 249/,
    ],
    [
      'many topics',
      { details: { topics: Array.from({ length: 10_001 }, (_, index) => `t${index}`) } },
      'INVALID_REQUEST',
      /10001 names, more than 10000/,
    ],
    [
      'a client id',
      { details: { topics: ['orders'], clientId: 'x'.repeat(300) } },
      'INVALID_REQUEST',
      /clientId has 300/,
    ],
  ])('%s', (_, fields, code, detail) => {
    const rig = rigWith(1)
    const refusal = refusalOf(rig, join('a', fields))
    expect(refusal.code).toBe(code)
    expect(refusal.detail).toMatch(detail)
    expect(rig.group.isGone).toBe(true)
  })

  test('a full group takes nobody new, and everybody who is in it', () => {
    const rig = new GroupRig({ membersMax: 2 })
    rig.createTopic('orders', 1)
    rig.do(join('a'))
    rig.do(join('b', { instanceId: 'two' }))
    const refusal = refusalOf(rig, join('c'))
    expect(refusal.code).toBe('GROUP_MAX_SIZE_REACHED')
    expect(refusal.detail).toBe('group workers has 2 members; group.consumer.max.size is 2')
    rig.do(join('a'))
    rig.do({ kind: 'leave', memberId: 'b', isTemporary: true })
    rig.do(join('b2', { instanceId: 'two' }))
    expect(rig.group.memberCount).toBe(2)
  })

  test('an instance that another member took over fences the one before', () => {
    const rig = rigWith(1)
    rig.do(join('a', { instanceId: 'one' }))
    rig.do({ kind: 'leave', memberId: 'a', isTemporary: true })
    rig.do(join('b', { instanceId: 'one' }))
    const late = { ...beat('a', 1, [0], rig), instanceId: 'one' }
    expect(refusalOf(rig, late).code).toBe('FENCED_INSTANCE_ID')
    expect(refusalOf(rig, { kind: 'leave', memberId: 'a', instanceId: 'one' }).code).toBe(
      'FENCED_INSTANCE_ID',
    )
    expect(refusalOf(rig, beat('a', 1, [0], rig)).code).toBe('UNKNOWN_MEMBER_ID')
  })

  test('a member that is away keeps its place for its session, also over a restart', () => {
    const rig = rigWith(2)
    const minutes = (count: number) => count * 60_000
    const session = (count: number) => ({ topics: ['orders'], sessionTimeoutMs: minutes(count) })
    rig.do(join('a', { instanceId: 'one', details: session(20) }))
    rig.do(join('b', { details: session(30) }))
    // Asked back one of its two, and away before it let go of it.
    rig.do(beat('a', 1, [0, 1], rig))
    rig.do({ kind: 'leave', memberId: 'a', isTemporary: true })
    rig.crash()
    expect([...rig.passUntil(minutes(19))]).toEqual([])
    expect(rig.group.memberCount).toBe(2)
    for (const _ of rig.passUntil(minutes(21)));
    expect(rig.group.memberCount).toBe(1)
  })

  test('a member is told to heartbeat three times a session at least', () => {
    const rig = rigWith(1)
    const told = (memberId: string, details: object) =>
      rig.do(join(memberId, { details: { topics: ['orders'], ...details } })).reply
        .heartbeatIntervalMs
    expect(told('a', {})).toBe(rig.limits.heartbeatIntervalMs)
    expect(told('b', { sessionTimeoutMs: 1_000 })).toBe(333)
  })

  test('nobody was told epoch 0, so nobody comes with it: not after a reset, nor after any join', () => {
    const rig = rigWith(1, 'a')
    rig.do({
      kind: 'reset',
      targets: [
        { topic: 'orders', partition: 0, to: { offset: 1 }, logStartOffset: 0, logEndOffset: 9 },
      ],
    })
    expect(rig.do(join('b')).reply.memberEpoch).toBe(3)
    expect(refusalOf(rig, beat('b', 0, [], rig)).code).toBe('FENCED_MEMBER_EPOCH')
  })

  test('a member that is away is fenced, with whatever epoch it comes', () => {
    const rig = rigWith(1)
    rig.do(join('a', { instanceId: 'one' }))
    rig.do({ kind: 'leave', memberId: 'a', isTemporary: true })
    for (const epoch of [-2, 0, 1, 2]) {
      expect(refusalOf(rig, beat('a', epoch, [0], rig)).code).toBe('FENCED_MEMBER_EPOCH')
    }
    // Under its own id it is simply back.
    expect(rig.do(join('a', { instanceId: 'one' })).reply).toMatchObject({ memberEpoch: 1 })
  })

  test('a cumulative commit writes nothing for what is committed already, but is fenced all the same', () => {
    const rig = rigWith(2, 'a')
    const commit = (offset: number, memberEpoch = 1) =>
      rig.do({
        kind: 'commitOffsets',
        member: { memberId: 'a', memberEpoch },
        offsets: [{ topic: 'orders', partition: 0, offset, metadata: `at ${offset}` }],
        isCumulative: true,
      })
    expect(commit(5).records).toHaveLength(1)
    for (const offset of [4, 5]) {
      const { reply, records } = commit(offset)
      expect(reply.results).toEqual([
        { topic: 'orders', partition: 0, offset: 5, isChanged: false },
      ])
      expect(records).toEqual([])
    }
    expect(commit(6).records).toHaveLength(1)
    expect(commit(1, 7).reply.results[0]!.error?.code).toBe('FENCED_MEMBER_EPOCH')
    const { offsets } = rig.do({ kind: 'fetchOffsets' }).reply
    expect(offsets).toMatchObject([{ partition: 0, offset: 6, metadata: 'at 6' }])
  })

  test('a commit says for each partition what is wrong with it', () => {
    const rig = rigWith(2, 'a')
    const member = { memberId: 'a', memberEpoch: 1 }
    const { reply, records } = rig.do({
      kind: 'commitOffsets',
      member,
      offsets: [
        { topic: 'orders', partition: 0, offset: 5, metadata: 'é'.repeat(2_048) },
        { topic: 'orders', partition: 0, offset: 5, metadata: 'é'.repeat(2_049) },
        { topic: 'orders', partition: 0, offset: -1 },
        { topic: 'orders', partition: 0, offset: 2 ** 53 },
        { topic: 'orders', partition: 0, offset: 5, metadata: '\ud800' },
        { topic: 'orders', partition: 1, offset: 7, leaderEpoch: 4 },
      ],
    })
    expect(reply.results.map(({ error }) => error?.code)).toEqual([
      undefined,
      'OFFSET_METADATA_TOO_LARGE',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      undefined,
    ])
    expect(reply.results[1]!.error!.detail).toBe(
      'metadata has 4098 bytes; offset.metadata.max.bytes is 4096',
    )
    expect(records).toHaveLength(2)
    const { offsets } = rig.do({ kind: 'fetchOffsets' }).reply
    expect(offsets).toMatchObject([
      { partition: 0, offset: 5, leaderEpoch: -1, metadata: 'é'.repeat(2_048) },
      { partition: 1, offset: 7, leaderEpoch: 4, commitTimestampMs: rig.moment.wallMs },
    ])
  })

  test('reading offsets of partitions that have none says -1', () => {
    const rig = rigWith(2, 'a')
    const partitions = [
      { topic: 'orders', partition: 1 },
      { topic: 'nothing', partition: 0 },
    ]
    const { offsets } = rig.do({ kind: 'fetchOffsets', partitions }).reply
    expect(offsets).toMatchObject([
      { topic: 'orders', partition: 1, offset: -1 },
      { topic: 'nothing', partition: 0, offset: -1 },
    ])
  })

  test.each([
    [{ topic: 'orders', partition: 2, to: { offset: 1 } }, 'UNKNOWN_TOPIC_OR_PARTITION'],
    [{ topic: 'nothing', partition: 0, to: { offset: 1 } }, 'UNKNOWN_TOPIC_OR_PARTITION'],
    [{ topic: 'orders', partition: 0, to: { offset: -1 } }, 'INVALID_REQUEST'],
    [{ topic: 'orders', partition: 0, to: { shift: Number.NaN } }, 'INVALID_REQUEST'],
    [{ topic: 'orders', partition: 1, to: { offset: 1 } }, 'INVALID_REQUEST'],
  ])('a reset to %j is refused whole', (target, code) => {
    const rig = rigWith(2, 'a')
    const bounds = { logStartOffset: 0, logEndOffset: 9 }
    const good = { topic: 'orders', partition: 1, to: { offset: 1 }, ...bounds }
    const targets = [good, { ...target, ...bounds }]
    expect(refusalOf(rig, { kind: 'reset', targets }).code).toBe(code)
  })
})
