/**
 * The values that describe one member of a group of the consumer protocol (KIP-848): what it said of
 * itself, the partitions it is to have, and those it has. All are flexible and have version 0.
 *
 * One field is ours: a session time-out the member asked for, tagged far beyond Kafka's own tags, which
 * Kafka skips when it reads and keeps when it writes the value again. Without it the bytes are Kafka's.
 */

import type { TopicPartitions } from '../group-topics.ts'
import type {
  ClassicProtocolValue,
  CurrentAssignmentValue,
  EpochTopicPartitions,
  MemberMetadataValue,
  MemberStateName,
} from './group-record.ts'
import { type KafkaReader, malformed } from './kafka-reader.ts'
import { type KafkaWriter, tagged } from './kafka-writer.ts'

const CLASSIC_TAG = 0
const SESSION_TIMEOUT_TAG = 10_000
const STATES: readonly MemberStateName[] = ['stable', 'unrevokedPartitions', 'unreleasedPartitions']
const UNKNOWN_STATE = 127

export function writeMember(writer: KafkaWriter, value: MemberMetadataValue): void {
  writer.nullableCompactString(value.instanceId)
  writer.nullableCompactString(value.rackId)
  writer.compactString(value.clientId)
  writer.compactString(value.clientHost)
  writer.compactArray(value.subscribedTopicNames.length)
  for (const name of value.subscribedTopicNames) writer.compactString(name)
  writer.nullableCompactString(value.subscribedTopicRegex)
  writer.int32(value.rebalanceTimeoutMs)
  writer.nullableCompactString(value.serverAssignor)
  writer.taggedFields(
    // Kafka writes this one even when it is null.
    { tag: CLASSIC_TAG, write: (field) => writeClassic(field, value.classic) },
    tagged(SESSION_TIMEOUT_TAG, value.sessionTimeoutMs, null, (field, ms) => field.int32(ms!)),
  )
}

export function readMember(reader: KafkaReader): MemberMetadataValue {
  const fields = {
    instanceId: reader.nullableCompactString(),
    rackId: reader.nullableCompactString(),
    clientId: reader.compactString(),
    clientHost: reader.compactString(),
    subscribedTopicNames: reader.compactArray(() => reader.compactString()),
    subscribedTopicRegex: reader.nullableCompactString(),
    rebalanceTimeoutMs: reader.int32(),
    serverAssignor: reader.nullableCompactString(),
  }
  let classic: ClassicProtocolValue | null = null
  let sessionTimeoutMs: number | null = null
  reader.taggedFields({
    [CLASSIC_TAG]: (field) => (classic = readClassic(field)),
    [SESSION_TIMEOUT_TAG]: (field) => (sessionTimeoutMs = field.int32()),
  })
  return { ...fields, classic, sessionTimeoutMs }
}

/** A structure that may be null begins with a byte: 0 where it is, 1 where it is not. */
function writeClassic(writer: KafkaWriter, value: ClassicProtocolValue | null): void {
  writer.int8(value === null ? 0 : 1)
  if (value === null) return
  writer.int32(value.sessionTimeoutMs)
  writer.compactArray(value.supportedProtocols.length)
  for (const { name, metadata } of value.supportedProtocols) {
    writer.compactString(name)
    writer.compactBytes(metadata)
    writer.taggedFields()
  }
  writer.taggedFields()
}

function readClassic(reader: KafkaReader): ClassicProtocolValue | null {
  if (reader.int8() === 0) return null
  const sessionTimeoutMs = reader.int32()
  const supportedProtocols = reader.compactArray(() => {
    const protocol = { name: reader.compactString(), metadata: reader.compactBytes() }
    reader.taggedFields()
    return protocol
  })
  reader.taggedFields()
  return { sessionTimeoutMs, supportedProtocols }
}

export function writeTargetMember(
  writer: KafkaWriter,
  value: { readonly topicPartitions: readonly TopicPartitions[] },
): void {
  writer.compactArray(value.topicPartitions.length)
  for (const { topicId, partitions } of value.topicPartitions) {
    writer.uuid(topicId)
    writer.compactInt32s(partitions)
    writer.taggedFields()
  }
  writer.taggedFields()
}

export function readTargetMember(reader: KafkaReader): { topicPartitions: TopicPartitions[] } {
  const topicPartitions = reader.compactArray(() => {
    const topic = { topicId: reader.uuid(), partitions: reader.compactInt32s() }
    reader.taggedFields()
    return topic
  })
  reader.taggedFields()
  return { topicPartitions }
}

export function writeCurrentAssignment(writer: KafkaWriter, value: CurrentAssignmentValue): void {
  const state = STATES.indexOf(value.state)
  writer.int32(value.memberEpoch)
  writer.int32(value.previousMemberEpoch)
  writer.int8(state === -1 ? UNKNOWN_STATE : state)
  writeWithEpochs(writer, value.assignedPartitions)
  writeWithEpochs(writer, value.partitionsPendingRevocation)
  writer.taggedFields()
}

function writeWithEpochs(writer: KafkaWriter, topics: readonly EpochTopicPartitions[]): void {
  writer.compactArray(topics.length)
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    writer.uuid(topicId)
    writer.compactInt32s(partitions)
    writer.taggedFields(
      tagged(0, assignmentEpochs, null, (field, epochs) => field.compactInt32s(epochs!)),
    )
  }
}

export function readCurrentAssignment(reader: KafkaReader): CurrentAssignmentValue {
  const memberEpoch = reader.int32()
  const previousMemberEpoch = reader.int32()
  const state = STATES[reader.int8()] ?? 'unknown'
  const assignedPartitions = readWithEpochs(reader)
  const partitionsPendingRevocation = readWithEpochs(reader)
  reader.taggedFields()
  return {
    memberEpoch,
    previousMemberEpoch,
    state,
    assignedPartitions,
    partitionsPendingRevocation,
  }
}

function readWithEpochs(reader: KafkaReader): EpochTopicPartitions[] {
  return reader.compactArray(() => {
    const topicId = reader.uuid()
    const partitions = reader.compactInt32s()
    let assignmentEpochs: number[] | null = null
    reader.taggedFields({ 0: (field) => (assignmentEpochs = readEpochs(field, partitions.length)) })
    return { topicId, partitions, assignmentEpochs }
  })
}

function readEpochs(field: KafkaReader, count: number): number[] | null {
  const epochs = field.nullableCompactInt32s()
  if (epochs !== null && epochs.length !== count) {
    throw malformed(`${epochs.length} assignment epochs for ${count} partitions`)
  }
  return epochs
}
