/**
 * The value of a group of the classic protocol, whose members assign themselves: GroupMetadataValue.
 * Kafka 4.3 writes version 3; 0 to 2 have fewer fields and 4 is the flexible form that comes next.
 */

import type { ClassicGroupValue, ClassicMember } from './group-record.ts'
import { type KafkaReader, malformed } from './kafka-reader.ts'
import type { KafkaWriter } from './kafka-writer.ts'

const WRITTEN_VERSION = 3
const REBALANCE_TIMEOUT_VERSION = 1
const STATE_TIMESTAMP_VERSION = 2
const INSTANCE_VERSION = 3
const FLEXIBLE_VERSION = 4

export function writeClassicGroup(writer: KafkaWriter, value: ClassicGroupValue): void {
  writer.int16(WRITTEN_VERSION)
  writer.string(value.protocolType)
  writer.int32(value.generation)
  writer.nullableString(value.protocol)
  writer.nullableString(value.leader)
  writer.int64(value.currentStateTimestampMs)
  writer.int32(value.members.length)
  for (const member of value.members) writeMember(writer, member)
}

function writeMember(writer: KafkaWriter, member: ClassicMember): void {
  writer.string(member.memberId)
  writer.nullableString(member.groupInstanceId)
  writer.string(member.clientId)
  writer.string(member.clientHost)
  writer.int32(member.rebalanceTimeoutMs)
  writer.int32(member.sessionTimeoutMs)
  writer.bytes(member.subscription)
  writer.bytes(member.assignment)
}

export function readClassicGroup(reader: KafkaReader): ClassicGroupValue {
  const version = reader.int16()
  if (version < 0 || version > FLEXIBLE_VERSION) {
    throw malformed(`version ${version} of a classic group is not known`)
  }
  const isFlexible = version >= FLEXIBLE_VERSION
  const nullable = () => (isFlexible ? reader.nullableCompactString() : reader.nullableString())
  const protocolType = isFlexible ? reader.compactString() : reader.string()
  const generation = reader.int32()
  const protocol = nullable()
  const leader = nullable()
  const currentStateTimestampMs = version >= STATE_TIMESTAMP_VERSION ? reader.safeInt64() : -1
  const member = () => readMember(reader, version)
  const members = isFlexible ? reader.compactArray(member) : reader.array(member)
  if (isFlexible) reader.taggedFields()
  return { protocolType, generation, protocol, leader, currentStateTimestampMs, members }
}

function readMember(reader: KafkaReader, version: number): ClassicMember {
  const isFlexible = version >= FLEXIBLE_VERSION
  const text = () => (isFlexible ? reader.compactString() : reader.string())
  const bytes = () => (isFlexible ? reader.compactBytes() : reader.bytes())
  const memberId = text()
  let groupInstanceId: string | null = null
  if (isFlexible) groupInstanceId = reader.nullableCompactString()
  else if (version >= INSTANCE_VERSION) groupInstanceId = reader.nullableString()
  const clientId = text()
  const clientHost = text()
  const rebalanceTimeoutMs = version >= REBALANCE_TIMEOUT_VERSION ? reader.int32() : -1
  const sessionTimeoutMs = reader.int32()
  const subscription = bytes()
  const assignment = bytes()
  if (isFlexible) reader.taggedFields()
  return {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    rebalanceTimeoutMs,
    sessionTimeoutMs,
    subscription,
    assignment,
  }
}
