/**
 * What a group writes to `__consumer_offsets`, as values with names: one type for each of Kafka's key
 * schemas (the numbers in the comments). `value: null` is a tombstone. Bytes are made and read by
 * `record-codec.ts`; what a record does to a group is `group-state.ts`.
 *
 * Offsets, epochs and times are numbers: Kafka's int64 offsets and times beyond 2^53 are refused on reading.
 */

import type { TopicPartitions } from '../group-topics.ts'

/** 1 */
export interface OffsetCommitRecord {
  readonly kind: 'offsetCommit'
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly value: OffsetCommitValue | null
}

export interface OffsetCommitValue {
  readonly offset: number
  /** -1: not known. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** Only in what Kafka 2.0 and older wrote (version 1); absent: retention decides. */
  readonly expireTimestampMs?: number
  /** `null`: written before Kafka kept it. */
  readonly topicId: string | null
}

/** 2: a group of the classic protocol. Kept in the log; no state is made of it yet. */
export interface ClassicGroupRecord {
  readonly kind: 'classicGroup'
  readonly groupId: string
  readonly value: ClassicGroupValue | null
}

export interface ClassicGroupValue {
  readonly protocolType: string
  readonly generation: number
  readonly protocol: string | null
  readonly leader: string | null
  /** -1: not known. */
  readonly currentStateTimestampMs: number
  readonly members: readonly ClassicMember[]
}

export interface ClassicMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}

/** 3 */
export interface GroupEpochRecord {
  readonly kind: 'groupEpoch'
  readonly groupId: string
  readonly value: GroupEpochValue | null
}

export interface GroupEpochValue {
  readonly epoch: number
  /** Of the topics subscribed to, their ids and partitions: another hash is a reason to assign anew. */
  readonly metadataHash: bigint
}

/** 4: written by Kafka up to 4.0 in place of the hash, and read only. */
export interface PartitionMetadataRecord {
  readonly kind: 'partitionMetadata'
  readonly groupId: string
  readonly value: PartitionMetadataValue | null
}

export interface PartitionMetadataValue {
  readonly topics: readonly {
    readonly topicId: string
    readonly topicName: string
    readonly partitions: number
  }[]
}

/** 5 */
export interface MemberMetadataRecord {
  readonly kind: 'memberMetadata'
  readonly groupId: string
  readonly memberId: string
  readonly value: MemberMetadataValue | null
}

export interface MemberMetadataValue {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Sorted. */
  readonly subscribedTopicNames: readonly string[]
  readonly subscribedTopicRegex: string | null
  readonly rebalanceTimeoutMs: number
  readonly serverAssignor: string | null
  /** `null`: the member speaks the consumer protocol. */
  readonly classic: ClassicProtocolValue | null
  /**
   * Ours: a tagged field that Kafka skips, written only for a member that asked for a session time-out of
   * its own, so that a member that polls every ten minutes survives a restart of the broker.
   */
  readonly sessionTimeoutMs: number | null
}

export interface ClassicProtocolValue {
  readonly sessionTimeoutMs: number
  readonly supportedProtocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
}

/** 6 */
export interface TargetEpochRecord {
  readonly kind: 'targetEpoch'
  readonly groupId: string
  readonly value: TargetEpochValue | null
}

export interface TargetEpochValue {
  readonly assignmentEpoch: number
  /** 0: not known. */
  readonly assignmentTimestampMs: number
}

/** 7 */
export interface TargetMemberRecord {
  readonly kind: 'targetMember'
  readonly groupId: string
  readonly memberId: string
  readonly value: { readonly topicPartitions: readonly TopicPartitions[] } | null
}

/** 8 */
export interface CurrentAssignmentRecord {
  readonly kind: 'currentAssignment'
  readonly groupId: string
  readonly memberId: string
  readonly value: CurrentAssignmentValue | null
}

/** Kafka's MemberState; the number is the position. 127 and anything else read as `unknown`. */
export type MemberStateName = 'stable' | 'unrevokedPartitions' | 'unreleasedPartitions' | 'unknown'

export interface CurrentAssignmentValue {
  /** 0 or more; -2: a static member that left for a while. */
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberStateName
  readonly assignedPartitions: readonly EpochTopicPartitions[]
  readonly partitionsPendingRevocation: readonly EpochTopicPartitions[]
}

export interface EpochTopicPartitions extends TopicPartitions {
  /** One for each partition: the member epoch at which it came (KIP-1251). `null`: not kept, as in Kafka 4.2. */
  readonly assignmentEpochs: readonly number[] | null
}

/** 16 */
export interface PatternRecord {
  readonly kind: 'pattern'
  readonly groupId: string
  readonly pattern: string
  readonly value: PatternValue | null
}

/** Which topics a pattern stands for, as of a version of the metadata. */
export interface PatternValue {
  readonly topics: readonly string[]
  readonly version: number
  readonly timestampMs: number
}

export type GroupRecord =
  | OffsetCommitRecord
  | ClassicGroupRecord
  | GroupEpochRecord
  | PartitionMetadataRecord
  | MemberMetadataRecord
  | TargetEpochRecord
  | TargetMemberRecord
  | CurrentAssignmentRecord
  | PatternRecord
