/**
 * What a record of a group costs in memory, about: enough to bound what clients can make the broker keep, by
 * `groups.max.bytes`. Pure. Texts count a byte a character, which is what V8 takes for Latin-1.
 */

import type { GroupRecord, MemberMetadataValue } from './records/group-record.ts'

/** An entry of a map, with the few numbers and ids of its value; measured on a million of them. */
const ENTRY_BYTES = 200
/** Of a text in an array, besides its characters. */
const TEXT_BYTES = 24
const PARTITION_BYTES = 32

/** 0 for a tombstone, and for what the machine does not keep. */
export function bytesOf(record: GroupRecord): number {
  const { value } = record
  if (value === null) return 0
  switch (record.kind) {
    case 'offsetCommit':
      return ENTRY_BYTES + record.value!.metadata.length
    case 'memberMetadata':
      return 2 * ENTRY_BYTES + bytesOfMember(record.value!)
    case 'pattern':
      return ENTRY_BYTES + record.pattern.length + bytesOfTexts(record.value!.topics)
    case 'targetMember':
      return ENTRY_BYTES + bytesOfPartitions(record.value!.topicPartitions)
    case 'currentAssignment': {
      const { assignedPartitions, partitionsPendingRevocation } = record.value!
      const held = [...assignedPartitions, ...partitionsPendingRevocation]
      return 2 * ENTRY_BYTES + 2 * bytesOfPartitions(held)
    }
    default:
      return 0
  }
}

function bytesOfMember(member: MemberMetadataValue): number {
  const { instanceId, rackId, clientId, clientHost, subscribedTopicRegex, classic } = member
  const texts = [instanceId, rackId, clientId, clientHost, subscribedTopicRegex]
  const protocols = classic?.supportedProtocols ?? []
  return (
    bytesOfTexts(member.subscribedTopicNames) +
    texts.reduce((sum, text) => sum + (text?.length ?? 0), 0) +
    protocols.reduce((sum, { name, metadata }) => sum + name.length + metadata.length, 0)
  )
}

function bytesOfTexts(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + TEXT_BYTES + text.length, 0)
}

function bytesOfPartitions(topics: readonly { readonly partitions: readonly number[] }[]): number {
  return topics.reduce(
    (sum, { partitions }) => sum + ENTRY_BYTES + PARTITION_BYTES * partitions.length,
    0,
  )
}
