/**
 * Large groups and many groups stay cheap: what is written is counted, and where time is the point it is
 * compared with the same work on a small group, generously, because machines are shared.
 */

import { describe, expect, test } from 'vitest'
import type { GroupRecord } from '../../../broker/groups/records/group-record.ts'
import { GroupRig } from './group-rig.ts'

const MEMBERS = 1_000
const PARTITIONS = 2_000

/** A group in which everyone has joined, one after another, and has its share. */
function settledGroup(
  members: number,
  partitions: number,
): { rig: GroupRig; written: GroupRecord[] } {
  const rig = new GroupRig({ membersMax: members + 1 })
  rig.createTopic('orders', partitions)
  const written: GroupRecord[] = []
  const ids = memberIds(members)
  for (const memberId of ids) {
    const step = rig.do({ kind: 'join', memberId, details: { topics: ['orders'] } })
    written.push(...step.records)
  }
  // Everybody lets go of everything it was not told to keep, then everybody takes.
  for (let round = 0; round < 2; round++) for (const memberId of ids) beat(rig, memberId, [])
  expect(rig.group.describe(rig.topics).state).toBe('stable')
  return { rig, written }
}

const memberIds = (count: number) => Array.from({ length: count }, (_, index) => `member-${index}`)

function beat(rig: GroupRig, memberId: string, partitions: readonly number[]) {
  const { memberEpoch } = rig.group.member(memberId, rig.topics)!
  const owned = [{ topicId: rig.topics.byName('orders')!.topicId, partitions }]
  return rig.do({ kind: 'heartbeat', memberId, memberEpoch, owned })
}

/** The fastest of some runs: the one that others disturbed least. */
function fastestMs(run: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const startMs = performance.now()
    run()
    return performance.now() - startMs
  })
  return Math.min(...times)
}

describe(`one group with ${MEMBERS} members and ${PARTITIONS} partitions`, {
  timeout: 120_000,
}, () => {
  const { rig, written } = settledGroup(MEMBERS, PARTITIONS)

  test('a join writes targets only for those whose target changes', () => {
    // The n-th to join gets PARTITIONS / n partitions, each from another member at worst.
    let changes = 0
    for (let n = 1; n <= MEMBERS; n++) changes += Math.min(n - 1, Math.ceil(PARTITIONS / n)) + 1
    const targets = written.filter(({ kind }) => kind === 'targetMember')
    expect(targets.length).toBeLessThanOrEqual(changes)
  })

  test('everybody has two partitions', () => {
    const { members } = rig.group.describe(rig.topics)
    const counts = members.map(({ assignment }) => assignment[0]!.partitions.length)
    expect(new Set(counts)).toEqual(new Set([PARTITIONS / MEMBERS]))
  })

  test('one more member, and one less, touch as many others as it has partitions', () => {
    const joined = rig.do({ kind: 'join', memberId: 'new', details: { topics: ['orders'] } })
    expect(joined.records.length).toBeLessThanOrEqual(8)
    const left = rig.do({ kind: 'leave', memberId: 'new' })
    expect(left.records.length).toBeLessThanOrEqual(8)
  })

  test('a reset is one batch that fits a record batch', () => {
    const targets = Array.from({ length: PARTITIONS }, (_, partition) => ({
      topic: 'orders',
      partition,
      to: { offset: 5 },
      logStartOffset: 0,
      logEndOffset: 10,
    }))
    const { records } = rig.do({ kind: 'reset', targets })
    expect(records).toHaveLength(PARTITIONS + MEMBERS + 2)
    const batch = rig.log.at(-1)!.records
    const bytes = batch.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
    expect(bytes).toBeLessThan(512 * 1024)
  })

  test('a load of its log is a single pass', () => {
    const records = rig.log.reduce((sum, batch) => sum + batch.records.length, 0)
    const compacted = rig.compactedLog()
    // Members and their two assignments, the group's two epochs, and the committed offsets.
    expect(compacted).toHaveLength(3 * MEMBERS + 2 + PARTITIONS)
    expect(compacted.length).toBeLessThan(records)
    expect(rig.replayed(compacted).presentRecords()).toEqual(rig.group.presentRecords())
  })
})

/** A group as a load of its log gives it: each member has one partition. */
function loadedGroup(members: number): GroupRig {
  const rig = new GroupRig({ membersMax: members })
  rig.topics = rig.topics.with('orders', members)
  // Of the same topic, so that the target is not stale.
  const only = settledGroup(1, members).rig.group.presentRecords()
  const { topicId } = rig.topics.byName('orders')!
  for (const record of only) if (!('memberId' in record)) rig.group.replay(record, 0)
  for (const [partition, memberId] of memberIds(members).entries()) {
    const held = { topicId, partitions: [partition] }
    for (const record of only) {
      if (record.kind === 'memberMetadata') {
        rig.group.replay({ ...record, memberId }, 0)
      } else if (record.kind === 'targetMember') {
        rig.group.replay({ ...record, memberId, value: { topicPartitions: [held] } }, 0)
      } else if (record.kind === 'currentAssignment') {
        const assignedPartitions = [{ ...held, assignmentEpochs: [1] }]
        const value = { ...record.value!, assignedPartitions }
        rig.group.replay({ ...record, memberId, value }, 0)
      }
    }
  }
  rig.group.loaded(rig.moment)
  return rig
}

test('a heartbeat looks at its own member, not at all of them', { timeout: 120_000 }, () => {
  const beats = (rig: GroupRig, members: number) => () => {
    for (let index = 0; index < 5_000; index++) {
      beat(rig, `member-${index % members}`, [index % members])
    }
  }
  // Forty times as many members: what memory caches do about it is a few times, not forty.
  const many = fastestMs(beats(loadedGroup(20_000), 20_000))
  const few = fastestMs(beats(loadedGroup(500), 500))
  expect(many / few).toBeLessThan(20)
})

test('members’ long lists of topics are compared whole once, not whenever somebody joins', () => {
  const topics = Array.from({ length: 1_000 }, (_, index) => `${index}`.padEnd(249, '-'))
  const rig = new GroupRig()
  rig.createTopic(topics[0]!, 300)
  rig.do({ kind: 'join', memberId: 'first', details: { topics } })
  const records = rig.group.presentRecords()
  // As a load of its log gives it.
  const loaded = new GroupRig()
  loaded.topics = rig.topics
  for (const record of records) loaded.group.replay(record, 0)
  for (const memberId of memberIds(300)) {
    for (const record of records) {
      if (record.kind !== 'memberMetadata') continue
      loaded.group.replay({ ...record, memberId, value: { ...record.value! } }, 0)
    }
  }
  const look = () => loaded.group.handle({ kind: 'topicsChanged' }, loaded.moment)
  const startMs = performance.now()
  look()
  const onceMs = performance.now() - startMs
  expect(fastestMs(look)).toBeLessThan(onceMs / 5)
})

test('1,000 groups of 10 partitions: a commit costs what it costs in 10 groups', () => {
  const groups = (count: number) => Array.from({ length: count }, () => settledGroup(1, 10).rig)
  let round = 0
  const commit = (rigs: readonly GroupRig[], rounds: number) => () => {
    for (let index = 0; index < rounds; index++) {
      round++
      for (const rig of rigs) {
        const { topicId } = rig.topics.byName('orders')!
        const { memberEpoch } = rig.group.member('member-0', rig.topics)!
        const tokens = Array.from({ length: 10 }, (_, partition) => ({
          topicId,
          partition,
          offset: round,
          memberId: 'member-0',
          memberEpoch,
        }))
        expect(rig.do({ kind: 'commitTokens', tokens }).records).toHaveLength(10)
        rig.log.length = 0
      }
    }
  }
  const many = fastestMs(commit(groups(1_000), 1))
  const few = fastestMs(commit(groups(10), 100))
  expect(many / few).toBeLessThan(20)
})

test('200 members with different subscriptions have shares that differ little', {
  timeout: 120_000,
}, () => {
  const rig = new GroupRig()
  for (let index = 0; index < 40; index++) rig.topics = rig.topics.with(`t${index}`, 50)
  const ids = memberIds(200)
  for (const [index, memberId] of ids.entries()) {
    const topics = Array.from({ length: 40 }, (_, topic) => `t${topic}`).filter(
      (_, topic) => (topic * 7 + index * 13) % 5 < 2 || topic === index % 40,
    )
    rig.do({ kind: 'join', memberId, details: { topics } })
  }
  const { members } = rig.group.describe(rig.topics)
  const counts = members.map(({ target }) =>
    target.reduce((sum, { partitions }) => sum + partitions.length, 0),
  )
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2_000)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
})
