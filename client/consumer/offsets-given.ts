/** What a program gives to `commit`, as offsets of partitions that are held. Pure. */

import { SpoolError } from '../api/errors.ts'
import { ReadBatch } from '../reader/read-batch.ts'
import { ReadRecord } from '../reader/read-record.ts'
import type { OffsetToTell } from './committer.ts'
import type { HeldPartition, HeldPartitions } from './held-partition.ts'
import { takenAway } from './taken-away.ts'

/** The next offset to read of a partition, and a text to keep beside it. */
export interface ConsumerOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata?: string
}

type AnyRecord = ReadRecord<unknown, unknown>
type AnyBatch = ReadBatch<unknown, unknown>

/** Records and batches stand for everything in their partition up to and including them. */
export type ToCommit =
  | AnyRecord
  | AnyBatch
  | ConsumerOffset
  | Iterable<AnyRecord | AnyBatch>
  | Iterable<ConsumerOffset>

/**
 * One for each partition.
 *
 * @throws SpoolError FENCED_MEMBER_EPOCH for what is not held, or was given before it was rewound;
 * INVALID_REQUEST for what is none of these.
 */
export function offsetsGiven<K, V>(given: ToCommit, held: HeldPartitions<K, V>): OffsetToTell[] {
  const offsets = new Map<unknown, OffsetToTell>()
  for (const each of listOf(given)) {
    const offset = offsetOf(each, held)
    const before = offsets.get(offset.held)
    if (before === undefined || before.offset < offset.offset) offsets.set(offset.held, offset)
  }
  return [...offsets.values()]
}

function listOf(given: ToCommit): Iterable<AnyRecord | AnyBatch | ConsumerOffset> {
  if (given instanceof ReadBatch || given instanceof ReadRecord) return [given]
  if (typeof given === 'object' && given !== null) {
    return Symbol.iterator in given ? given : [given]
  }
  throw invalid(`what is to be committed is ${String(given)}`)
}

function offsetOf<K, V>(
  each: AnyRecord | AnyBatch | ConsumerOffset,
  partitions: HeldPartitions<K, V>,
): OffsetToTell {
  if (typeof each !== 'object' || each === null) throw invalid(`a list with ${String(each)}`)
  const held = partitions.named(each.topic, each.partition) as HeldPartition | undefined
  if (each instanceof ReadRecord || each instanceof ReadBatch) {
    if (each.lease === undefined) throw invalid('it came from a reader, which is in no group,')
    if (held === undefined || held.tracker !== each.lease) throw takenAway(each)
    const offset = each instanceof ReadBatch ? each.nextOffset : each.offset + 1
    return { held, tracker: held.tracker, offset, isCumulative: true }
  }
  const { topic, partition, offset, metadata } = each
  if (typeof topic !== 'string' || !isCount(partition) || !isCount(offset)) {
    throw invalid(`{topic: ${topic}, partition: ${partition}, offset: ${offset}}`)
  }
  if (held === undefined) throw takenAway(each)
  return { held, tracker: held.tracker, offset, metadata, isCumulative: false }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function invalid(what: string): SpoolError {
  return new SpoolError(
    'INVALID_REQUEST',
    `${what} is no record, batch, list of them, or {topic, partition, offset}`,
    { outcome: 'refused' },
  )
}
