/**
 * What the machine promises its coordinator. What it refuses is in `group-refusals.test.ts`; how members share
 * partitions is in `stories/`; what holds whatever happens is in `invariants.test.ts`.
 */

import { describe, expect, test } from 'vitest'
import type { GroupRecord } from '../../../broker/groups/records/group-record.ts'
import { beat, join, refusalOf, rigWith } from './group-events.ts'
import { GROUP_ID, type GroupRig } from './group-rig.ts'

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
