/**
 * The value of a committed offset. Kafka 4.3 writes version 4 (flexible, with the topic's id in a tagged
 * field); 0 to 3 are read, 1 being the one that could say when an offset expires.
 *
 *     version   0      1      2      3      4
 *     offset    int64  …                              next offset to read
 *     epoch     ·      ·      ·      int32  int32     leader epoch, -1 unknown
 *     metadata  string …             string compact
 *     time      int64  …                              of the commit
 *     expires   ·      int64  ·      ·      ·
 *     tag 0     ·      ·      ·      ·      uuid      topic id, left out when not known
 */

import type { OffsetCommitValue } from './group-record.ts'
import { type KafkaReader, malformed } from './kafka-reader.ts'
import { type KafkaWriter, tagged } from './kafka-writer.ts'

const EXPIRING_VERSION = 1
const LEADER_EPOCH_VERSION = 3
const FLEXIBLE_VERSION = 4
const ZERO_UUID = '00000000-0000-0000-0000-000000000000'

/** As Kafka: only an offset with a time of its own to expire is written the old way. */
export function writeOffsetCommit(writer: KafkaWriter, value: OffsetCommitValue): void {
  if (value.expireTimestampMs !== undefined) {
    writer.int16(EXPIRING_VERSION)
    writer.int64(value.offset)
    writer.string(value.metadata)
    writer.int64(value.commitTimestampMs)
    writer.int64(value.expireTimestampMs)
    return
  }
  writer.int16(FLEXIBLE_VERSION)
  writer.int64(value.offset)
  writer.int32(value.leaderEpoch)
  writer.compactString(value.metadata)
  writer.int64(value.commitTimestampMs)
  writer.taggedFields(tagged(0, value.topicId, null, (field, topicId) => field.uuid(topicId!)))
}

export function readOffsetCommit(reader: KafkaReader): OffsetCommitValue {
  const version = reader.int16()
  if (version < 0 || version > FLEXIBLE_VERSION) {
    throw malformed(`version ${version} of a committed offset is not known`)
  }
  const isFlexible = version >= FLEXIBLE_VERSION
  const offset = reader.safeInt64()
  const leaderEpoch = version >= LEADER_EPOCH_VERSION ? reader.int32() : -1
  const metadata = isFlexible ? reader.compactString() : reader.string()
  const commitTimestampMs = reader.safeInt64()
  const expireTimestampMs = version === EXPIRING_VERSION ? reader.safeInt64() : -1
  let topicId: string | null = null
  if (isFlexible) reader.taggedFields({ 0: (field) => (topicId = knownUuid(field.uuid())) })
  const value = { offset, leaderEpoch, metadata, commitTimestampMs, topicId }
  return expireTimestampMs === -1 ? value : { ...value, expireTimestampMs }
}

function knownUuid(uuid: string): string | null {
  return uuid === ZERO_UUID ? null : uuid
}
