/**
 * What the golden records of `__consumer_offsets` mean, by the names in `kafka-group/records.txt`:
 * spelled out again, so that the files say something. `isWrittenByUs: false` is what Kafka 4.3 reads but
 * does not write any more, and so do we.
 */

import type { GroupRecord } from '../../broker/groups/records/group-record.ts'

const BASE_MS = 1_700_000_000_000
const ORDERS = '01234567-89ab-4def-8123-456789abcdef'
const CLICKS = 'fedcba98-7654-43a1-bedc-ba9876543210'
const groupId = 'workers'

export interface GoldenGroupRecord {
  readonly record: GroupRecord
  readonly isWrittenByUs: boolean
}

const written = (record: GroupRecord): GoldenGroupRecord => ({ record, isWrittenByUs: true })
const onlyRead = (record: GroupRecord): GoldenGroupRecord => ({ record, isWrittenByUs: false })

const commit = (partition: number, value: CommitFields | null): GroupRecord => ({
  kind: 'offsetCommit',
  groupId,
  topic: 'orders',
  partition,
  value: value && { leaderEpoch: -1, commitTimestampMs: BASE_MS, topicId: null, ...value },
})

interface CommitFields {
  readonly offset: number
  readonly metadata: string
  readonly leaderEpoch?: number
  readonly topicId?: string
  readonly expireTimestampMs?: number
}

const classic = (fields: { since: number; instance: string | null; rebalance: number }) =>
  ({
    kind: 'classicGroup',
    groupId: 'classic',
    value: {
      protocolType: 'consumer',
      generation: 12,
      protocol: 'range',
      leader: 'consumer-1-abc',
      currentStateTimestampMs: fields.since,
      members: [
        {
          memberId: 'consumer-1-abc',
          groupInstanceId: fields.instance,
          clientId: 'consumer-1',
          clientHost: '/127.0.0.1',
          rebalanceTimeoutMs: fields.rebalance,
          sessionTimeoutMs: 45_000,
          subscription: Buffer.from([0, 1, 255]),
          assignment: Buffer.alloc(0),
        },
      ],
    },
  }) satisfies GroupRecord

const MEMBER = {
  instanceId: null,
  rackId: null,
  subscribedTopicRegex: '',
  serverAssignor: null,
  classic: null,
  sessionTimeoutMs: null,
}

export const GOLDEN_GROUP_RECORDS: Readonly<Record<string, GoldenGroupRecord | 'not ours'>> = {
  'offset-commit': written(
    commit(3, { offset: 1234, leaderEpoch: 7, metadata: 'done by ключ-🔑', topicId: ORDERS }),
  ),
  'offset-commit-without-topic-id': written(commit(0, { offset: 0, metadata: '' })),
  'offset-commit-large': written({
    kind: 'offsetCommit',
    groupId: 'g'.repeat(255),
    topic: 't'.repeat(249),
    partition: 2 ** 31 - 1,
    value: {
      offset: 2 ** 53 - 1,
      leaderEpoch: 2 ** 31 - 1,
      metadata: 'm'.repeat(300),
      commitTimestampMs: BASE_MS,
      topicId: CLICKS,
    },
  }),
  'offset-commit-expiring': written(
    commit(1, { offset: 55, metadata: 'old', expireTimestampMs: BASE_MS + 86_400_000 }),
  ),
  'offset-commit-tombstone': written(commit(3, null)),
  'offset-commit-version-0': onlyRead(commit(2, { offset: 99, metadata: 'v0' })),
  'offset-commit-version-2': onlyRead(commit(2, { offset: 99, metadata: 'v2' })),
  'offset-commit-version-3': onlyRead(commit(2, { offset: 99, metadata: 'v3', leaderEpoch: 5 })),
  'legacy-offset-commit': onlyRead(commit(2, { offset: 98, metadata: 'legacy' })),

  'classic-group-version-0': onlyRead(classic({ since: -1, instance: null, rebalance: -1 })),
  'classic-group-version-1': onlyRead(classic({ since: -1, instance: null, rebalance: 300_000 })),
  'classic-group-version-2': onlyRead(
    classic({ since: BASE_MS, instance: null, rebalance: 300_000 }),
  ),
  'classic-group-version-3': written(
    classic({ since: BASE_MS, instance: 'instance-1', rebalance: 300_000 }),
  ),
  'classic-group-version-4': onlyRead(
    classic({ since: BASE_MS, instance: 'instance-1', rebalance: 300_000 }),
  ),
  'classic-group-empty': written({
    kind: 'classicGroup',
    groupId: 'classic',
    value: {
      protocolType: '',
      generation: 0,
      protocol: null,
      leader: null,
      currentStateTimestampMs: BASE_MS,
      members: [],
    },
  }),
  'classic-group-tombstone': written({ kind: 'classicGroup', groupId: 'classic', value: null }),

  'group-epoch': written({
    kind: 'groupEpoch',
    groupId,
    value: { epoch: 42, metadataHash: 0x7123456789abcdefn },
  }),
  'group-epoch-negative-hash': written({
    kind: 'groupEpoch',
    groupId,
    value: { epoch: 43, metadataHash: -2n },
  }),
  'group-epoch-without-hash': written({
    kind: 'groupEpoch',
    groupId,
    value: { epoch: 1, metadataHash: 0n },
  }),
  'group-epoch-tombstone': written({ kind: 'groupEpoch', groupId, value: null }),
  'target-epoch': written({
    kind: 'targetEpoch',
    groupId,
    value: { assignmentEpoch: 42, assignmentTimestampMs: BASE_MS },
  }),
  'target-epoch-without-time': written({
    kind: 'targetEpoch',
    groupId,
    value: { assignmentEpoch: 41, assignmentTimestampMs: 0 },
  }),
  'target-epoch-tombstone': written({ kind: 'targetEpoch', groupId, value: null }),
  pattern: written({
    kind: 'pattern',
    groupId,
    pattern: 'orders.*',
    value: { topics: ['orders', 'orders-late'], version: 77, timestampMs: BASE_MS },
  }),
  'pattern-tombstone': written({ kind: 'pattern', groupId, pattern: 'orders.*', value: null }),

  member: written({
    kind: 'memberMetadata',
    groupId,
    memberId: 'member-1',
    value: {
      ...MEMBER,
      clientId: 'worker',
      clientHost: '/10.0.0.7',
      subscribedTopicNames: ['clicks', 'orders'],
      rebalanceTimeoutMs: 60_000,
    },
  }),
  'member-full': written({
    kind: 'memberMetadata',
    groupId,
    memberId: 'member-2',
    value: {
      ...MEMBER,
      instanceId: 'instance-2',
      rackId: 'rack-b',
      clientId: '',
      clientHost: '',
      subscribedTopicNames: [],
      subscribedTopicRegex: 'orders.*',
      rebalanceTimeoutMs: 300_000,
      serverAssignor: 'range',
    },
  }),
  'member-classic': written({
    kind: 'memberMetadata',
    groupId,
    memberId: 'member-3',
    value: {
      ...MEMBER,
      clientId: 'old',
      clientHost: '/10.0.0.8',
      subscribedTopicNames: ['orders'],
      rebalanceTimeoutMs: -1,
      classic: {
        sessionTimeoutMs: 45_000,
        supportedProtocols: [{ name: 'range', metadata: Buffer.from([0, 3, 128]) }],
      },
    },
  }),
  'member-tombstone': written({
    kind: 'memberMetadata',
    groupId,
    memberId: 'member-1',
    value: null,
  }),

  'target-member': written({
    kind: 'targetMember',
    groupId,
    memberId: 'member-1',
    value: {
      topicPartitions: [
        { topicId: ORDERS, partitions: [0, 2, 1_000_000] },
        { topicId: CLICKS, partitions: [5] },
      ],
    },
  }),
  'target-member-empty': written({
    kind: 'targetMember',
    groupId,
    memberId: 'member-2',
    value: { topicPartitions: [] },
  }),
  'target-member-tombstone': written({
    kind: 'targetMember',
    groupId,
    memberId: 'member-1',
    value: null,
  }),

  'current-stable': written({
    kind: 'currentAssignment',
    groupId,
    memberId: 'member-1',
    value: {
      memberEpoch: 42,
      previousMemberEpoch: 41,
      state: 'stable',
      assignedPartitions: [{ topicId: ORDERS, partitions: [0, 2], assignmentEpochs: [40, 42] }],
      partitionsPendingRevocation: [],
    },
  }),
  'current-unrevoked': written({
    kind: 'currentAssignment',
    groupId,
    memberId: 'member-1',
    value: {
      memberEpoch: 42,
      previousMemberEpoch: 40,
      state: 'unrevokedPartitions',
      assignedPartitions: [{ topicId: ORDERS, partitions: [0], assignmentEpochs: [40] }],
      partitionsPendingRevocation: [
        { topicId: CLICKS, partitions: [5, 6], assignmentEpochs: [13, 14] },
      ],
    },
  }),
  'current-unreleased': written({
    kind: 'currentAssignment',
    groupId,
    memberId: 'member-2',
    value: {
      memberEpoch: 43,
      previousMemberEpoch: 42,
      state: 'unreleasedPartitions',
      assignedPartitions: [],
      partitionsPendingRevocation: [],
    },
  }),
  'current-left-for-a-while': written({
    kind: 'currentAssignment',
    groupId,
    memberId: 'member-2',
    value: {
      memberEpoch: -2,
      previousMemberEpoch: 42,
      state: 'stable',
      assignedPartitions: [{ topicId: CLICKS, partitions: [1], assignmentEpochs: [9] }],
      partitionsPendingRevocation: [],
    },
  }),
  'current-tombstone': written({
    kind: 'currentAssignment',
    groupId,
    memberId: 'member-1',
    value: null,
  }),

  'partition-metadata': onlyRead({
    kind: 'partitionMetadata',
    groupId,
    value: { topics: [{ topicId: ORDERS, topicName: 'orders', partitions: 4 }] },
  }),
  'partition-metadata-tombstone': written({ kind: 'partitionMetadata', groupId, value: null }),
  'share-group': 'not ours',
  'share-group-tombstone': 'not ours',
}
