/**
 * All that is durably known of one group, as the sum of its records: a table by record key, and `apply`
 * is the only way it changes. So a replay of the log after a restart gives the very state there was.
 *
 * Which member holds a partition is kept as an index over the members' current assignments. In a log that
 * compaction has been at, a record with which one member let go may be gone while the next owner's is there:
 * the last record of each member decides, so `settleAfterLoad` makes the index anew.
 *
 * Owns no deadlines (`group-timers.ts`) and no decisions.
 */

import { CommittedOffsets } from './committed-offsets.ts'
import { bytesOf } from './group-memory.ts'
import type { TopicPartitions } from './group-topics.ts'
import {
  eachPartition,
  fromRecord,
  NO_PARTITIONS,
  type PartitionEpochs,
} from './partition-epochs.ts'
import type {
  CurrentAssignmentRecord,
  CurrentAssignmentValue,
  GroupEpochValue,
  GroupRecord,
  MemberMetadataValue,
  MemberStateName,
  PatternValue,
  TargetEpochValue,
} from './records/group-record.ts'

/** What a member has, read for use. */
export interface MemberCurrent {
  /** -2: a static member that left for a while. */
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
  readonly state: MemberStateName
  readonly assigned: PartitionEpochs
  readonly revoking: PartitionEpochs
}

/** A member that has said who it is and was given nothing yet. */
export const NEW_MEMBER: MemberCurrent = {
  memberEpoch: 0,
  previousMemberEpoch: 0,
  state: 'stable',
  assigned: NO_PARTITIONS,
  revoking: NO_PARTITIONS,
}

/** The epoch of a static member that left and means to come back; Kafka's number. */
export const LEFT_FOR_A_WHILE = -2

export class GroupState {
  readonly groupId: string
  readonly offsets = new CommittedOffsets()
  readonly members = new Map<string, MemberMetadataValue>()
  readonly patterns = new Map<string, PatternValue>()
  readonly #currents = new Map<string, { value: CurrentAssignmentValue; current: MemberCurrent }>()
  readonly #targets = new Map<string, readonly TopicPartitions[]>()
  readonly #owners = new Map<string, Map<number, string>>()
  #epoch: { readonly value: GroupEpochValue; readonly timestampMs: number } | undefined
  #targetEpoch: TargetEpochValue | undefined
  #heldBytes = 0

  constructor(groupId: string) {
    this.groupId = groupId
  }

  /** Invariant: never falls while the group exists. */
  get groupEpoch(): number {
    return this.#epoch?.value.epoch ?? 0
  }

  get metadataHash(): bigint {
    return this.#epoch?.value.metadataHash ?? 0n
  }

  /** Invariant: at most the group epoch. */
  get targetEpoch(): number {
    return this.#targetEpoch?.assignmentEpoch ?? 0
  }

  /** When the epoch rose last, by the wall clock: for a group without members, since when it is empty. */
  get epochSinceMs(): number | undefined {
    return this.#epoch?.timestampMs
  }

  /** True when no record says anything. */
  get isVoid(): boolean {
    const holds = [this.members, this.patterns, this.#currents, this.#targets]
    return (
      this.#epoch === undefined &&
      this.#targetEpoch === undefined &&
      this.offsets.size === 0 &&
      holds.every(({ size }) => size === 0)
    )
  }

  current(memberId: string): MemberCurrent {
    return this.#currents.get(memberId)?.current ?? NEW_MEMBER
  }

  target(memberId: string): readonly TopicPartitions[] {
    return this.#targets.get(memberId) ?? []
  }

  owner(topicId: string, partition: number): string | undefined {
    return this.#owners.get(topicId)?.get(partition)
  }

  /** Every partition that a member has. */
  *owned(): Generator<readonly [topicId: string, partition: number]> {
    for (const [topicId, owners] of this.#owners) {
      for (const partition of owners.keys()) yield [topicId, partition]
    }
  }

  /** The member with that instance id. */
  staticMember(instanceId: string): string | undefined {
    for (const [memberId, metadata] of this.members) {
      if (metadata.instanceId === instanceId) return memberId
    }
    return undefined
  }

  /** About what all of it takes in memory. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  apply(record: GroupRecord, timestampMs: number): void {
    this.#heldBytes += bytesOf(record) - bytesOf(this.#presentRecord(record))
    switch (record.kind) {
      case 'offsetCommit':
        this.offsets.apply(record.topic, record.partition, record.value)
        break
      case 'groupEpoch':
        this.#epoch = record.value === null ? undefined : { value: record.value, timestampMs }
        break
      case 'targetEpoch':
        this.#targetEpoch = record.value ?? undefined
        break
      case 'memberMetadata':
        put(this.members, record.memberId, record.value)
        break
      case 'targetMember':
        put(this.#targets, record.memberId, record.value?.topicPartitions)
        break
      case 'currentAssignment':
        this.#applyCurrent(record)
        break
      case 'pattern':
        put(this.patterns, record.pattern, record.value)
        break
      case 'classicGroup':
      case 'partitionMetadata':
        // Nothing is made of these yet: they stay in the log as they are.
        break
    }
  }

  /** The record that says what is known now under the key of `record`, and since when: to go back to it. */
  present(record: GroupRecord): { readonly record: GroupRecord; readonly timestampMs: number } {
    const timestampMs = record.kind === 'groupEpoch' ? (this.#epoch?.timestampMs ?? 0) : 0
    return { record: this.#presentRecord(record), timestampMs }
  }

  /** The records that say all that is known now: what a log holds of the group when it is compacted. */
  presentRecords(): GroupRecord[] {
    const { groupId } = this
    const records: GroupRecord[] = []
    for (const [topic, partition, value] of this.offsets.entries()) {
      records.push({ kind: 'offsetCommit', groupId, topic, partition, value })
    }
    for (const [pattern, value] of sortedByKey(this.patterns)) {
      records.push({ kind: 'pattern', groupId, pattern, value })
    }
    for (const [memberId, value] of sortedByKey(this.members)) {
      records.push({ kind: 'memberMetadata', groupId, memberId, value })
    }
    if (this.#epoch) records.push({ kind: 'groupEpoch', groupId, value: this.#epoch.value })
    for (const [memberId, topicPartitions] of sortedByKey(this.#targets)) {
      records.push({ kind: 'targetMember', groupId, memberId, value: { topicPartitions } })
    }
    if (this.#targetEpoch) records.push({ kind: 'targetEpoch', groupId, value: this.#targetEpoch })
    for (const [memberId, { value }] of sortedByKey(this.#currents)) {
      records.push({ kind: 'currentAssignment', groupId, memberId, value })
    }
    return records
  }

  /**
   * After a load. Assignments of nobody, which no log of ours holds, are dropped: they would keep partitions
   * from everybody.
   */
  settleAfterLoad(): void {
    for (const assignments of [this.#currents, this.#targets]) {
      for (const memberId of assignments.keys()) {
        if (!this.members.has(memberId)) assignments.delete(memberId)
      }
    }
    this.#owners.clear()
    for (const [memberId, { current }] of this.#currents) this.#own(memberId, current)
    this.#heldBytes = this.presentRecords().reduce((sum, record) => sum + bytesOf(record), 0)
  }

  #presentRecord(record: GroupRecord): GroupRecord {
    switch (record.kind) {
      case 'offsetCommit':
        return { ...record, value: this.offsets.get(record.topic, record.partition) ?? null }
      case 'groupEpoch':
        return { ...record, value: this.#epoch?.value ?? null }
      case 'targetEpoch':
        return { ...record, value: this.#targetEpoch ?? null }
      case 'memberMetadata':
        return { ...record, value: this.members.get(record.memberId) ?? null }
      case 'targetMember': {
        const topicPartitions = this.#targets.get(record.memberId)
        return { ...record, value: topicPartitions === undefined ? null : { topicPartitions } }
      }
      case 'currentAssignment':
        return { ...record, value: this.#currents.get(record.memberId)?.value ?? null }
      case 'pattern':
        return { ...record, value: this.patterns.get(record.pattern) ?? null }
      case 'classicGroup':
      case 'partitionMetadata':
        return record
    }
  }

  #applyCurrent({ memberId, value }: CurrentAssignmentRecord): void {
    const before = this.#currents.get(memberId)?.current
    if (before !== undefined) this.#disown(before)
    if (value === null) {
      this.#currents.delete(memberId)
      return
    }
    const { memberEpoch, previousMemberEpoch, state } = value
    const assigned = fromRecord(value.assignedPartitions, memberEpoch)
    const revoking = fromRecord(value.partitionsPendingRevocation, memberEpoch)
    const current = { memberEpoch, previousMemberEpoch, state, assigned, revoking }
    this.#currents.set(memberId, { value, current })
    this.#own(memberId, current)
  }

  #own(memberId: string, { assigned, revoking }: MemberCurrent): void {
    for (const held of [assigned, revoking]) {
      for (const [topicId, partition] of eachPartition(held)) {
        let owners = this.#owners.get(topicId)
        if (owners === undefined) {
          owners = new Map()
          this.#owners.set(topicId, owners)
        }
        owners.set(partition, memberId)
      }
    }
  }

  #disown({ assigned, revoking }: MemberCurrent): void {
    for (const held of [assigned, revoking]) {
      for (const [topicId, partition] of eachPartition(held)) {
        const owners = this.#owners.get(topicId)
        owners?.delete(partition)
        if (owners?.size === 0) this.#owners.delete(topicId)
      }
    }
  }
}

function sortedByKey<V>(map: ReadonlyMap<string, V>): [string, V][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

function put<K, V>(map: Map<K, V>, key: K, value: V | null | undefined): void {
  if (value === null || value === undefined) map.delete(key)
  else map.set(key, value)
}
