/**
 * Every name in a data directory: which there are, how they are made and how they are read back. Owns
 * the rule that no name from outside becomes a path unchecked. Pure; touches no disk.
 *
 * ```
 * <data directory>/
 *   lock.db  owner.json  clean-shutdown
 *   <topic>-<partition>/                      orders-0
 *     recovery-point
 *     compaction-point
 *     <base offset, 20 digits>.log            00000000000000000000.log   and .index .timeindex
 *                                             .txnindex .snapshot; each may end in .deleted or
 *                                             .cleaned, a .log in .swap
 *   <topicId>-<partition>.delete/             being removed
 *   <topicId>-<partition>.stray/              of a topic nobody knows: kept, reported
 * ```
 */

import { OFFSET_MAX, type Offset } from '../record/offsets.ts'

export const LOCK_FILE = 'lock.db'
export const OWNER_FILE = 'owner.json'
export const CLEAN_SHUTDOWN_FILE = 'clean-shutdown'
export const RECOVERY_POINT_FILE = 'recovery-point'
/** How far a log is compacted; only where it ever was. */
export const COMPACTION_POINT_FILE = 'compaction-point'
/** Leader epochs of all partitions, in the data directory itself. */
export const LEADER_EPOCHS_FILE = 'leader-epochs'

/** Most bytes in one name of a Linux file system (`NAME_MAX`). */
export const NAME_BYTES_MAX = 255
/** Kafka's limit: a topic, a dash and five digits fill `NAME_BYTES_MAX`. */
export const TOPIC_NAME_BYTES_MAX = 249
export const PARTITION_MAX = 99_999

/** What a segment consists of, by the ending of the file. Kafka's names. */
export type SegmentSuffix = '.log' | '.index' | '.timeindex' | '.txnindex' | '.snapshot'

/** Added to a segment's file name before it is unlinked, so that a crash in between is seen. */
export const DELETED_SUFFIX = '.deleted'

/** Added to the names of a segment that compaction is making: nobody knows of it yet. */
export const CLEANED_SUFFIX = '.cleaned'

/** Added to the name of a compacted `.log` that has its place, while the files it replaces are removed. */
export const SWAP_SUFFIX = '.swap'

export interface SegmentFile {
  readonly baseOffset: Offset
  readonly suffix: SegmentSuffix
  readonly isDeleted: boolean
}

/** What the name of a directory in the data directory says it is. */
export type PartitionDirectory =
  | { readonly kind: 'partition'; readonly topic: string; readonly partition: number }
  | {
      readonly kind: 'delete' | 'stray'
      /** UUID, 36 characters, lower case. */
      readonly topicId: string
      readonly partition: number
    }

const TOPIC_PATTERN = /^[a-zA-Z0-9._-]+$/
const TOPIC_ID_PATTERN = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Greedy: the last dash parts topic and partition. No leading zeros, so that a name reads back to itself. */
const PARTITION_PATTERN = /^(.+)-(0|[1-9][0-9]{0,4})(\.delete|\.stray)?$/
const SWAP_PATTERN = /^([0-9]{20})\.log\.swap$/
const SEGMENT_PATTERN = /^([0-9]{20})(\.log|\.index|\.timeindex|\.txnindex|\.snapshot)(\.deleted)?$/

/** Why `topic` can not be a topic's name (Kafka's rule), or `undefined` when it can. */
export function topicNameProblem(topic: string): string | undefined {
  if (topic.length === 0) return 'a topic name must not be empty'
  if (topic === '.' || topic === '..') return 'a topic name must not be "." or ".."'
  if (topic.length > TOPIC_NAME_BYTES_MAX) {
    return `a topic name of ${topic.length} characters exceeds the ${TOPIC_NAME_BYTES_MAX} allowed`
  }
  if (!TOPIC_PATTERN.test(topic)) {
    return 'a topic name consists of ASCII letters, digits, ".", "_" and "-" only'
  }
  return undefined
}

/** True for a UUID as this program writes it: 36 characters, lower case. */
export function isTopicId(text: string): boolean {
  return TOPIC_ID_PATTERN.test(text)
}

function requirePartition(partition: number): void {
  if (!Number.isSafeInteger(partition) || partition < 0 || partition > PARTITION_MAX) {
    throw new RangeError(`partition ${partition} is not between 0 and ${PARTITION_MAX}`)
  }
}

/** `<topic>-<partition>`. Throws `RangeError` when either can not be part of a name. */
export function partitionDirectoryName(topic: string, partition: number): string {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new RangeError(problem)
  requirePartition(partition)
  return `${topic}-${partition}`
}

/** `<topicId>-<partition>.delete`, or `.stray`. Throws `RangeError` when a part is not what it should be. */
export function retiredDirectoryName(
  topicId: string,
  partition: number,
  kind: 'delete' | 'stray',
): string {
  if (!isTopicId(topicId)) throw new RangeError('a topic id is a UUID of 36 lower case characters')
  requirePartition(partition)
  return `${topicId}-${partition}.${kind}`
}

/** What a directory name says, or `undefined` when no partition is ever called that. */
export function parsePartitionDirectory(name: string): PartitionDirectory | undefined {
  const match = PARTITION_PATTERN.exec(name)
  const [, owner, digits, ending] = match ?? []
  if (owner === undefined || digits === undefined) return undefined
  const partition = Number(digits)
  if (ending === undefined) {
    if (topicNameProblem(owner) !== undefined) return undefined
    return { kind: 'partition', topic: owner, partition }
  }
  if (!isTopicId(owner)) return undefined
  return { kind: ending === '.delete' ? 'delete' : 'stray', topicId: owner, partition }
}

/** The file of the segment that begins at `baseOffset`. */
export function segmentFileName(baseOffset: Offset, suffix: SegmentSuffix): string {
  return baseOffset.toString().padStart(20, '0') + suffix
}

/** What a file name in a partition's directory says, or `undefined` when no segment is called that. */
export function parseSegmentFile(name: string): SegmentFile | undefined {
  const [, digits, suffix, deleted] = SEGMENT_PATTERN.exec(name) ?? []
  if (digits === undefined || suffix === undefined) return undefined
  const baseOffset = Number(digits)
  if (baseOffset > OFFSET_MAX) return undefined
  return {
    baseOffset: baseOffset as Offset,
    suffix: suffix as SegmentSuffix,
    isDeleted: deleted !== undefined,
  }
}

/** The base offset of the compacted segment a file name is of; `undefined` for any other name. */
export function parseSwapFile(name: string): Offset | undefined {
  const baseOffset = Number(SWAP_PATTERN.exec(name)?.[1] ?? Number.NaN)
  return baseOffset <= OFFSET_MAX ? (baseOffset as Offset) : undefined
}
