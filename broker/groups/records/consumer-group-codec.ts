/**
 * The values that describe a whole group of the consumer protocol (KIP-848): its epoch, the epoch of its
 * target assignment, what its patterns stand for, and the table of topics that Kafka wrote until the hash
 * in the epoch's value replaced it (4.1). All are flexible and have version 0.
 */

import type {
  GroupEpochValue,
  PartitionMetadataValue,
  PatternValue,
  TargetEpochValue,
} from './group-record.ts'
import type { KafkaReader } from './kafka-reader.ts'
import { type KafkaWriter, tagged } from './kafka-writer.ts'

export function writeGroupEpoch(writer: KafkaWriter, value: GroupEpochValue): void {
  writer.int32(value.epoch)
  writer.taggedFields(tagged(0, value.metadataHash, 0n, (field, hash) => field.int64(hash)))
}

export function readGroupEpoch(reader: KafkaReader): GroupEpochValue {
  const epoch = reader.int32()
  let metadataHash = 0n
  reader.taggedFields({ 0: (field) => (metadataHash = field.int64()) })
  return { epoch, metadataHash }
}

export function writeTargetEpoch(writer: KafkaWriter, value: TargetEpochValue): void {
  writer.int32(value.assignmentEpoch)
  writer.taggedFields(tagged(0, value.assignmentTimestampMs, 0, (field, time) => field.int64(time)))
}

export function readTargetEpoch(reader: KafkaReader): TargetEpochValue {
  const assignmentEpoch = reader.int32()
  let assignmentTimestampMs = 0
  reader.taggedFields({ 0: (field) => (assignmentTimestampMs = field.safeInt64()) })
  return { assignmentEpoch, assignmentTimestampMs }
}

export function writePattern(writer: KafkaWriter, value: PatternValue): void {
  writer.compactArray(value.topics.length)
  for (const topic of value.topics) writer.compactString(topic)
  writer.int64(value.version)
  writer.int64(value.timestampMs)
  writer.taggedFields()
}

export function readPattern(reader: KafkaReader): PatternValue {
  const topics = reader.compactArray(() => reader.compactString())
  const version = reader.safeInt64()
  const timestampMs = reader.safeInt64()
  reader.taggedFields()
  return { topics, version, timestampMs }
}

/** Racks, which Kafka does not use any more, are written as none. */
export function writePartitionMetadata(writer: KafkaWriter, value: PartitionMetadataValue): void {
  writer.compactArray(value.topics.length)
  for (const { topicId, topicName, partitions } of value.topics) {
    writer.uuid(topicId)
    writer.compactString(topicName)
    writer.int32(partitions)
    writer.compactArray(0)
    writer.taggedFields()
  }
  writer.taggedFields()
}

export function readPartitionMetadata(reader: KafkaReader): PartitionMetadataValue {
  const topics = reader.compactArray(() => {
    const topicId = reader.uuid()
    const topicName = reader.compactString()
    const partitions = reader.int32()
    reader.compactArray(() => skipRacks(reader))
    reader.taggedFields()
    return { topicId, topicName, partitions }
  })
  reader.taggedFields()
  return { topics }
}

function skipRacks(reader: KafkaReader): void {
  reader.int32()
  reader.compactArray(() => reader.compactString())
  reader.taggedFields()
}
