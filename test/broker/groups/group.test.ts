/**
 * What the machine promises its coordinator, and what it refuses. How members share partitions is in
 * `stories/`; what holds whatever happens is in `invariants.test.ts`.
 */

import { describe, expect, test } from 'vitest'
import type { GroupEvent, JoinEvent } from '../../../broker/groups/group-event.ts'
import type { GroupRecord } from '../../../broker/groups/records/group-record.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { GROUP_ID, GroupRig } from './group-rig.ts'

function join(memberId: string, fields: Partial<JoinEvent> = {}): JoinEvent {
  return { kind: 'join', memberId, details: { topics: ['orders'] }, ...fields }
}

function rigWith(partitions: number, ...members: readonly string[]): GroupRig {
  const rig = new GroupRig()
  rig.createTopic('orders', partitions)
  for (const memberId of members) rig.do(join(memberId))
  return rig
}

function refusalOf(rig: GroupRig, event: GroupEvent): SpoolError {
  try {
    rig.group.handle(event, rig.moment)
  } catch (error) {
    if (error instanceof SpoolError) return error
    throw error
  }
  throw new Error(`${event.kind} was not refused`)
}

const beat = (
  memberId: string,
  memberEpoch: number,
  partitions: readonly number[] | null,
  rig: GroupRig,
) =>
  ({
    kind: 'heartbeat',
    memberId,
    memberEpoch,
    owned: partitions && [{ topicId: rig.topics.byName('orders')!.topicId, partitions }],
  }) as const

describe('deciding and accepting', () => {
  test('a step that is dropped has changed nothing, and the same event may come again', () => {
    const rig = rigWith(2, 'a')
    const before = rig.group.presentRecords()
    const deadline = rig.group.nextDeadlineMs
    const dropped = rig.group.handle(join('b'), rig.moment)
    expect(dropped.records.length).toBeGreaterThan(0)
    expect(rig.group.presentRecords()).toEqual(before)
    expect(rig.group.nextDeadlineMs).toBe(deadline)
    expect(rig.group.memberCount).toBe(1)
    expect(rig.do(join('b')).records).toEqual(dropped.records)
  })

  test('a step is not accepted on another state than it was decided on', () => {
    const rig = rigWith(2, 'a')
    const first = rig.group.handle(join('b'), rig.moment)
    const second = rig.group.handle(join('c'), rig.moment)
    rig.group.accept(first)
    expect(() => rig.group.accept(second)).toThrow(/decided on state 1; the present one is 2/)
  })

  test('heartbeats that change nothing write nothing', () => {
    const rig = rigWith(2, 'a')
    const step = rig.do(beat('a', 1, [0, 1], rig))
    expect(step.records).toEqual([])
    expect(step.movesPartitions).toBe(false)
    expect(step.reply).toMatchObject({ memberEpoch: 1, isChanged: false })
  })

  test('a deadline moves with each heartbeat, and a tick before it does nothing', () => {
    const rig = rigWith(1, 'a')
    expect(rig.group.nextDeadlineMs).toBe(45_000)
    rig.monotonicMs = 30_000
    rig.do(beat('a', 1, [0], rig))
    // The bound may be early; a tick at it makes it exact.
    rig.monotonicMs = rig.group.nextDeadlineMs!
    expect(rig.do({ kind: 'tick' }).reply.fencedMembers).toEqual([])
    expect(rig.group.nextDeadlineMs).toBe(75_000)
    rig.monotonicMs = 75_000
    expect(rig.do({ kind: 'tick' }).reply.fencedMembers).toEqual(['a'])
    expect(rig.group.nextDeadlineMs).toBeUndefined()
  })

  test('a wall clock that jumps ends no session', () => {
    const rig = rigWith(1, 'a')
    const inAYear = { ...rig.moment, wallMs: rig.moment.wallMs + 365 * 86_400_000 }
    expect(rig.group.handle({ kind: 'tick' }, inAYear).records).toEqual([])
  })

  test('says which heartbeats would bring something', () => {
    const rig = rigWith(4, 'a')
    expect(rig.group.membersToWake()).toEqual([])
    expect(rig.do(join('b')).movesPartitions).toBe(true)
    // a has to let go of something; b waits for a.
    expect(rig.group.membersToWake()).toEqual(['a'])
    rig.do(beat('a', 1, [0, 1, 2, 3], rig))
    // Told so, it is a's turn to let go: another heartbeat on its behalf would be of no use.
    expect(rig.group.membersToWake()).toEqual([])
    rig.do(beat('a', 1, [0, 1], rig))
    expect(rig.group.membersToWake()).toEqual(['b'])
    rig.do(beat('b', 2, [], rig))
    expect(rig.group.membersToWake()).toEqual([])
    expect(rig.group.describe(rig.topics).state).toBe('stable')
  })

  test('nobody is woken to hear of an epoch alone', () => {
    const rig = rigWith(1, 'a')
    rig.do(join('b'))
    expect(rig.group.membersToWake()).toEqual([])
    expect(rig.do(beat('a', 1, [0], rig)).reply).toMatchObject({ memberEpoch: 2, isChanged: false })
  })

  test('a group is gone before its first record and after its last', () => {
    const rig = rigWith(1)
    expect(rig.group.isGone).toBe(true)
    const group = rig.group
    rig.do({ kind: 'commitOffsets', offsets: [{ topic: 'orders', partition: 0, offset: 3 }] })
    expect(group.isGone).toBe(false)
    rig.do({ kind: 'deleteGroup' })
    expect(group.isGone).toBe(true)
  })

  test('a member that lets go of everything at once needs one heartbeat less', () => {
    // What a caller does that holds nothing between two requests, such as a poll.
    const rig = rigWith(2, 'a', 'b')
    const reply = rig.do({ kind: 'heartbeat', memberId: 'a', memberEpoch: 1, owned: [] }).reply
    expect(reply).toMatchObject({ memberEpoch: 2, assignment: [{ partitions: [0] }] })
    expect(rig.do(beat('b', 2, [], rig)).reply.assignment).toMatchObject([{ partitions: [1] }])
  })

  test('a heartbeat that does not say what is owned lets go of nothing', () => {
    const rig = rigWith(2, 'a', 'b')
    for (let round = 0; round < 3; round++) {
      expect(rig.do(beat('a', 1, null, rig)).reply.memberEpoch).toBe(1)
    }
    expect(rig.do(beat('b', 2, [], rig)).reply.assignment).toEqual([])
  })
})

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

describe('topics that changed while nobody said so', () => {
  test('are seen by the next heartbeat, once', () => {
    const rig = rigWith(1, 'a')
    rig.topics = rig.topics.with('orders', 2)
    const step = rig.do(beat('a', 1, [0], rig))
    expect(step.reply).toMatchObject({ memberEpoch: 2, assignment: [{ partitions: [0, 1] }] })
    expect(rig.do(beat('a', 2, [0, 1], rig)).records).toEqual([])
  })

  test('are seen again when the step that saw them was dropped', () => {
    const rig = rigWith(1, 'a')
    rig.topics = rig.topics.with('orders', 2)
    rig.group.handle(beat('a', 1, [0], rig), rig.moment)
    expect(rig.do(beat('a', 1, [0], rig)).reply.memberEpoch).toBe(2)
  })

  test('are seen after a load', () => {
    const rig = rigWith(1, 'a')
    rig.group = rig.replayed()
    rig.group.loaded(rig.moment)
    rig.topics = rig.topics.with('orders', 2)
    expect(rig.do(beat('a', 1, [0], rig)).reply.memberEpoch).toBe(2)
  })
})

describe('details of a member', () => {
  test('what a heartbeat leaves out stays; another subscription assigns anew', () => {
    const rig = rigWith(1, 'a')
    rig.createTopic('clicks', 1)
    const details = { topics: ['clicks'], clientId: 'new' }
    const step = rig.do({ ...beat('a', 1, [0], rig), details })
    expect(rig.group.describe(rig.topics)).toMatchObject({
      groupEpoch: 2,
      members: [{ topics: ['clicks'], clientId: 'new', target: [{ topic: 'clicks' }] }],
    })
    expect(step.reply.assignment).toEqual([])
    rig.do({ ...beat('a', 1, [], rig), details: { clientId: 'newer' } })
    expect(rig.group.describe(rig.topics).members).toMatchObject([{ topics: ['clicks'] }])
    expect(rig.group.describe(rig.topics).groupEpoch).toBe(2)
  })

  test('a join says everything anew', () => {
    const rig = rigWith(1)
    rig.do(
      join('a', { details: { topicPattern: 'o.*', clientId: 'one', sessionTimeoutMs: 2_000 } }),
    )
    rig.do(join('a', { details: { topics: ['orders'] } }))
    expect(rig.group.describe(rig.topics).members).toMatchObject([
      { topicPattern: null, clientId: '', sessionTimeoutMs: 45_000, topics: ['orders'] },
    ])
  })

  test('a session time-out of its own survives a crash', () => {
    const rig = rigWith(1)
    rig.do(join('a', { details: { topics: ['orders'], sessionTimeoutMs: 600_000 } }))
    rig.monotonicMs = 1_000
    rig.crash()
    expect(rig.group.nextDeadlineMs).toBe(601_000)
  })
})

describe('a log that other software wrote', () => {
  const topicId = (rig: GroupRig) => rig.topics.byName('orders')!.topicId

  function loaded(rig: GroupRig, records: readonly GroupRecord[]): void {
    for (const record of records) rig.group.replay(record, rig.moment.wallMs)
    rig.group.loaded(rig.moment)
  }

  const member = (rig: GroupRig): GroupRecord[] => {
    rig.do(join('a'))
    const records = rig.group.presentRecords()
    rig.group = rig.replayed([])
    return [...records]
  }

  test('a rise of the epoch that no target followed is caught up with at the next heartbeat', () => {
    const rig = rigWith(2)
    const records = member(rig).map(
      (record): GroupRecord =>
        record.kind === 'groupEpoch'
          ? { ...record, value: { epoch: 5, metadataHash: 9n } }
          : record,
    )
    loaded(rig, records)
    const { reply } = rig.do(beat('a', 1, [0, 1], rig))
    expect(reply.memberEpoch).toBe(6)
    expect(rig.group.describe(rig.topics)).toMatchObject({ groupEpoch: 6, targetEpoch: 6 })
  })

  test('partitions without assignment epochs count as got at the member epoch', () => {
    const rig = rigWith(2)
    const records = member(rig).map((record): GroupRecord => {
      if (record.kind !== 'currentAssignment') return record
      const assignedPartitions = [
        { topicId: topicId(rig), partitions: [0, 1], assignmentEpochs: null },
      ]
      return { ...record, value: { ...record.value!, memberEpoch: 1, assignedPartitions } }
    })
    loaded(rig, records)
    const token = { topicId: topicId(rig), partition: 0, offset: 4, memberId: 'a' }
    const commit = (memberEpoch: number) =>
      rig.do({ kind: 'commitTokens', tokens: [{ ...token, memberEpoch }] }).reply.results[0]!.error
    expect(commit(0)?.code).toBe('FENCED_MEMBER_EPOCH')
    expect(commit(1)).toBeUndefined()
  })

  test('a member in a state from the future is fenced until it comes with nothing', () => {
    const rig = rigWith(2)
    const records = member(rig).map(
      (record): GroupRecord =>
        record.kind === 'currentAssignment'
          ? { ...record, value: { ...record.value!, state: 'unknown' } }
          : record,
    )
    loaded(rig, records)
    expect(rig.group.membersToWake()).toEqual(['a'])
    expect(refusalOf(rig, beat('a', 1, [0], rig)).code).toBe('FENCED_MEMBER_EPOCH')
    expect(rig.do(join('a')).reply).toMatchObject({ assignment: [{ partitions: [0, 1] }] })
  })

  test('records of classic groups and of former topic tables are left alone', () => {
    const rig = rigWith(1)
    loaded(rig, [
      { kind: 'classicGroup', groupId: GROUP_ID, value: null },
      { kind: 'partitionMetadata', groupId: GROUP_ID, value: { topics: [] } },
    ])
    expect(rig.group.isGone).toBe(true)
  })

  test('an offset with a time of its own to expire does so then', () => {
    const rig = rigWith(1)
    const expireTimestampMs = rig.moment.wallMs + 1_000
    const value = { offset: 4, leaderEpoch: -1, metadata: '', commitTimestampMs: 0, topicId: null }
    loaded(rig, [
      {
        kind: 'offsetCommit',
        groupId: GROUP_ID,
        topic: 'orders',
        partition: 0,
        value: { ...value, expireTimestampMs },
      },
    ])
    rig.monotonicMs = 999
    expect(rig.do({ kind: 'expireOffsets' }).reply.forgottenOffsets).toBe(0)
    rig.monotonicMs = 1_000
    expect(rig.do({ kind: 'expireOffsets' }).reply.forgottenOffsets).toBe(1)
  })

  test('assignments of a member that is not there keep nothing from the others', () => {
    const rig = rigWith(2)
    const records = member(rig).filter(({ kind }) => kind !== 'memberMetadata')
    loaded(rig, records)
    expect(rig.group.ownerOf(topicId(rig), 0)).toBeUndefined()
    expect(rig.do(join('b')).reply.assignment).toMatchObject([{ partitions: [0, 1] }])
    expect(rig.do(join('a')).reply.assignment).toEqual([])
  })

  test('which member holds a partition follows from the last record of each, in any order', () => {
    const rig = rigWith(1)
    const current = (memberId: string, partitions: readonly number[]): GroupRecord => ({
      kind: 'currentAssignment',
      groupId: GROUP_ID,
      memberId,
      value: {
        memberEpoch: 1,
        previousMemberEpoch: 0,
        state: 'stable',
        assignedPartitions: [{ topicId: topicId(rig), partitions, assignmentEpochs: null }],
        partitionsPendingRevocation: [],
      },
    })
    const [metadata] = member(rig).filter(({ kind }) => kind === 'memberMetadata')
    const known = ['a', 'b'].map((memberId) => ({ ...metadata!, memberId }) as GroupRecord)
    // Compaction took the record away with which a let go before b got it.
    loaded(rig, [...known, current('a', [0]), current('b', [0]), current('a', [])])
    expect(rig.group.ownerOf(topicId(rig), 0)).toBe('b')
  })

  test('offsets that a topic of the same name left behind are not shown and not inherited', () => {
    const rig = rigWith(1)
    const value = { offset: 4, leaderEpoch: -1, metadata: '', commitTimestampMs: 0 }
    const former = '99999999-9999-4999-8999-999999999999'
    loaded(rig, [
      {
        kind: 'offsetCommit',
        groupId: GROUP_ID,
        topic: 'orders',
        partition: 0,
        value: { ...value, topicId: former },
      },
    ])
    expect(rig.do({ kind: 'fetchOffsets' }).reply.offsets).toEqual([])
    rig.do(join('a'))
    const token = { topicId: topicId(rig), partition: 0, offset: 1, memberId: 'a', memberEpoch: 1 }
    const { results } = rig.do({ kind: 'commitTokens', tokens: [token] }).reply
    expect(results).toMatchObject([{ offset: 1, isChanged: true }])
  })
})
