/**
 * The envelopes of the binary routes: a 4-byte big-endian length, one of these in plain msgpack, then
 * the record batches as raw bytes, in the envelope's order, each as long as the envelope says.
 */

import type { Static } from '@sinclair/typebox'
import { strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import { TIMEOUT_MS_MAX, WAIT_MS_MAX } from './records.ts'
import {
  BrokerId,
  Bytes,
  Durability,
  Epoch,
  ErrorName,
  Offset,
  PartitionNumber,
  Timestamp,
  TopicId,
  TopicName,
} from './scalars.ts'

/** Partitions in one request. */
export const ENVELOPE_PARTITIONS_MAX = 10_000

export const Acks = Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal('all')], {
  description: 'Who must have the records before the answer: nobody, the leader, all in sync.',
  'x-error': 'INVALID_REQUIRED_ACKS',
})

export const BatchError = strictObject({
  code: ErrorName,
  detail: Type.Optional(Type.String()),
  outcome: Type.Optional(Type.Union([Type.Literal('refused'), Type.Literal('unknown')])),
  leader: Type.Optional(
    strictObject({ brokerId: BrokerId, url: Type.String(), leaderEpoch: Epoch }),
  ),
})

export const ProduceEnvelope = strictObject({
  acks: Acks,
  timeoutMs: Type.Integer({ minimum: 1, maximum: TIMEOUT_MS_MAX }),
  batches: Type.Array(
    strictObject({
      topic: TopicName,
      topicId: Type.Optional(TopicId),
      partition: PartitionNumber,
      bytes: Bytes,
    }),
    { minItems: 1, maxItems: ENVELOPE_PARTITIONS_MAX },
  ),
})

export const ProduceResults = strictObject({
  results: Type.Array(
    strictObject({
      topic: TopicName,
      topicId: Type.Optional(TopicId),
      partition: PartitionNumber,
      baseOffset: Type.Optional(Offset),
      lastOffset: Type.Optional(Offset),
      logAppendTime: Type.Optional(Timestamp),
      durability: Type.Optional(Durability),
      duplicate: Type.Optional(Type.Boolean()),
      error: Type.Optional(BatchError),
    }),
  ),
})

export const FetchEnvelope = strictObject({
  maxWaitMs: Type.Integer({ minimum: 0, maximum: WAIT_MS_MAX }),
  minBytes: Bytes,
  maxBytes: Bytes,
  isolation: Type.Optional(
    Type.Union([Type.Literal('read_uncommitted'), Type.Literal('read_committed')]),
  ),
  replicaId: Type.Optional(BrokerId),
  brokerEpoch: Type.Optional(Type.Integer({ minimum: -1 })),
  partitions: Type.Array(
    strictObject({
      topic: TopicName,
      topicId: Type.Optional(TopicId),
      partition: PartitionNumber,
      offset: Offset,
      currentLeaderEpoch: Type.Optional(Epoch),
      lastFetchedEpoch: Type.Optional(Epoch),
      flushedOffset: Type.Optional(Offset),
      maxBytes: Bytes,
    }),
    { minItems: 1, maxItems: ENVELOPE_PARTITIONS_MAX },
  ),
})

export const FetchResults = strictObject({
  partitions: Type.Array(
    strictObject({
      topic: TopicName,
      topicId: Type.Optional(TopicId),
      partition: PartitionNumber,
      highWatermark: Type.Optional(Offset),
      lastStableOffset: Type.Optional(Offset),
      logStartOffset: Type.Optional(Offset),
      divergingEpoch: Type.Optional(strictObject({ epoch: Epoch, endOffset: Offset })),
      abortedTransactions: Type.Optional(
        Type.Array(strictObject({ producerId: Type.Integer(), firstOffset: Offset })),
      ),
      bytes: Bytes,
      error: Type.Optional(BatchError),
    }),
  ),
})

export type ProduceEnvelope = Static<typeof ProduceEnvelope>
export type ProduceResults = Static<typeof ProduceResults>
export type FetchEnvelope = Static<typeof FetchEnvelope>
export type FetchResults = Static<typeof FetchResults>
