/**
 * Records of `__consumer_offsets` to bytes and back, byte for byte as Kafka 4.3 writes them. A key begins
 * with the number of its schema, a value with its version:
 *
 *     key      int16 schema · string group [· string member, topic or pattern [· int32 partition]]
 *     value    int16 version · fields by schema
 *
 * Keys are never flexible. Schemas that belong to other kinds of groups (share, streams), and whatever comes
 * after 4.3, are not known here: `decodeGroupRecord` answers `undefined`, and they stay in the log.
 */

import { readClassicGroup, writeClassicGroup } from './classic-group-codec.ts'
import {
  readGroupEpoch,
  readPartitionMetadata,
  readPattern,
  readTargetEpoch,
  writeGroupEpoch,
  writePartitionMetadata,
  writePattern,
  writeTargetEpoch,
} from './consumer-group-codec.ts'
import type { GroupRecord } from './group-record.ts'
import { KafkaReader, malformed } from './kafka-reader.ts'
import { KafkaWriter } from './kafka-writer.ts'
import {
  readCurrentAssignment,
  readMember,
  readTargetMember,
  writeCurrentAssignment,
  writeMember,
  writeTargetMember,
} from './member-codec.ts'
import { readOffsetCommit, writeOffsetCommit } from './offset-commit-codec.ts'

const SCHEMA = {
  offsetCommit: 1,
  classicGroup: 2,
  groupEpoch: 3,
  partitionMetadata: 4,
  memberMetadata: 5,
  targetEpoch: 6,
  targetMember: 7,
  currentAssignment: 8,
  pattern: 16,
} as const

/** Kafka up to 0.8.2 wrote committed offsets under this key; the fields are those of schema 1. */
const LEGACY_OFFSET_COMMIT = 0

export interface EncodedRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

export function encodeGroupRecord(record: GroupRecord): EncodedRecord {
  return { key: encodeKey(record), value: record.value === null ? null : encodeValue(record) }
}

/**
 * The record, or `undefined` for a key schema that is not known here.
 *
 * @throws SpoolError INVALID_RECORD for bytes that are not what their schema says.
 */
export function decodeGroupRecord(
  key: Uint8Array,
  value: Uint8Array | null,
): GroupRecord | undefined {
  const keyReader = new KafkaReader(key)
  const schema = keyReader.int16()
  const read = READERS[schema]
  if (read === undefined) return undefined
  return read(keyReader, value === null ? null : new KafkaReader(value))
}

/** One writer for all, because its room is worth keeping: nothing here waits. */
const writer = new KafkaWriter()

function encodeKey(record: GroupRecord): Buffer {
  writer.clear()
  writer.int16(SCHEMA[record.kind])
  writer.string(record.groupId)
  if (record.kind === 'offsetCommit') {
    writer.string(record.topic)
    writer.int32(record.partition)
  }
  if ('memberId' in record) writer.string(record.memberId)
  if (record.kind === 'pattern') writer.string(record.pattern)
  return writer.finish()
}

function encodeValue(record: GroupRecord): Buffer {
  writer.clear()
  switch (record.kind) {
    case 'offsetCommit':
      writeOffsetCommit(writer, record.value!)
      return writer.finish()
    case 'classicGroup':
      writeClassicGroup(writer, record.value!)
      return writer.finish()
  }
  writer.int16(0)
  switch (record.kind) {
    case 'groupEpoch':
      writeGroupEpoch(writer, record.value!)
      break
    case 'partitionMetadata':
      writePartitionMetadata(writer, record.value!)
      break
    case 'memberMetadata':
      writeMember(writer, record.value!)
      break
    case 'targetEpoch':
      writeTargetEpoch(writer, record.value!)
      break
    case 'targetMember':
      writeTargetMember(writer, record.value!)
      break
    case 'currentAssignment':
      writeCurrentAssignment(writer, record.value!)
      break
    case 'pattern':
      writePattern(writer, record.value!)
      break
  }
  return writer.finish()
}

type RecordReader = (key: KafkaReader, value: KafkaReader | null) => GroupRecord

const READERS: Readonly<Record<number, RecordReader>> = {
  [LEGACY_OFFSET_COMMIT]: readOffsetCommitRecord,
  [SCHEMA.offsetCommit]: readOffsetCommitRecord,
  [SCHEMA.classicGroup]: (key, value) => ({
    kind: 'classicGroup',
    groupId: key.string(),
    value: value && readClassicGroup(value),
  }),
  [SCHEMA.groupEpoch]: (key, value) => ({
    kind: 'groupEpoch',
    groupId: key.string(),
    value: value && readGroupEpoch(versionZero(value)),
  }),
  [SCHEMA.partitionMetadata]: (key, value) => ({
    kind: 'partitionMetadata',
    groupId: key.string(),
    value: value && readPartitionMetadata(versionZero(value)),
  }),
  [SCHEMA.memberMetadata]: (key, value) => ({
    kind: 'memberMetadata',
    groupId: key.string(),
    memberId: key.string(),
    value: value && readMember(versionZero(value)),
  }),
  [SCHEMA.targetEpoch]: (key, value) => ({
    kind: 'targetEpoch',
    groupId: key.string(),
    value: value && readTargetEpoch(versionZero(value)),
  }),
  [SCHEMA.targetMember]: (key, value) => ({
    kind: 'targetMember',
    groupId: key.string(),
    memberId: key.string(),
    value: value && readTargetMember(versionZero(value)),
  }),
  [SCHEMA.currentAssignment]: (key, value) => ({
    kind: 'currentAssignment',
    groupId: key.string(),
    memberId: key.string(),
    value: value && readCurrentAssignment(versionZero(value)),
  }),
  [SCHEMA.pattern]: (key, value) => ({
    kind: 'pattern',
    groupId: key.string(),
    pattern: key.string(),
    value: value && readPattern(versionZero(value)),
  }),
}

function readOffsetCommitRecord(key: KafkaReader, value: KafkaReader | null): GroupRecord {
  return {
    kind: 'offsetCommit',
    groupId: key.string(),
    topic: key.string(),
    partition: key.int32(),
    value: value && readOffsetCommit(value),
  }
}

/** Kafka adds tagged fields to these values and no versions (KIP-915), so another version is no record. */
function versionZero(value: KafkaReader): KafkaReader {
  const version = value.int16()
  if (version === 0) return value
  throw malformed(`version ${version} of a value is not known`)
}
