/**
 * The door of the client for Node: `connect`, and everything a program may name. Speaks to the broker
 * over undici; `web.ts` is the door for browsers, Bun and Deno.
 */

import { Client } from './client.ts'
import { type ConnectOptions, connectSettings } from './connect-options.ts'
import { NodeTransport } from './node/node-transport.ts'
import { copyIntoSlab } from './node/small-copies.ts'
import { nodeTextCodec } from './node/text-codec.ts'
import { useCopyBytes } from './serdes/copies.ts'
import { useTextCodec } from './serdes/text.ts'

useTextCodec(nodeTextCodec)
useCopyBytes(copyIntoSlab)

/**
 * A client of the broker at `url`, at the environment's `SPOOL_URL`, or else at http://127.0.0.1:7766.
 * Nothing is opened before it is needed.
 *
 * @throws SpoolError INVALID_CONFIG for an option that is not right.
 */
export function connect(options: string | URL | ConnectOptions = {}): Client {
  const given = typeof options === 'string' || options instanceof URL ? { url: options } : options
  const url = given.url ?? (process.env.SPOOL_URL || undefined)
  const settings = connectSettings(url === undefined ? given : { ...given, url })
  return new Client(new NodeTransport(settings), settings)
}

export {
  Admin,
  type CallOptions,
  type Cluster,
  type CommittedOffset,
  type EnsuredTopic,
  type GroupDescription,
  type GroupOffset,
  type GroupPartition,
  type GroupReset,
  type GroupSummary,
  type ListGroupsOptions,
  type ListTopicsOptions,
  type OffsetToCommit,
  type ResetReply,
  type TopicChange,
  type TopicDescription,
  type TopicOffsets,
  type TopicSummary,
  type TopicToCreate,
  type Trimmed,
} from './admin/admin.ts'
export { type ErrorCode, type FailureOutcome, SpoolError } from './api/errors.ts'
export { Client, type ReadyOptions } from './client.ts'
export { type ConnectOptions, DEFAULT_URL } from './connect-options.ts'
export { Consumer, type HeldPlace } from './consumer/consumer.ts'
export type {
  AssignedPlace,
  ConsumerHooks,
  LostPlace,
  ResetPlace,
  RevokedPlace,
  Trouble,
} from './consumer/consumer-hooks.ts'
export type { ConsumerOptions } from './consumer/consumer-options.ts'
export type { TopicPartition } from './consumer/held-partition.ts'
export type { ConsumerOffset, ToCommit } from './consumer/offsets-given.ts'
export { RecordFailure } from './consumer/record-failure.ts'
export type {
  DeadLetter,
  DeadLetters,
  Handler,
  RunContext,
  RunOptions,
  RunRetry,
} from './consumer/run-options.ts'
export type { Delivery, Sent } from './producer/delivery.ts'
export type { ProducerIdentity } from './producer/partition-line.ts'
export { Producer, type SendOptions } from './producer/producer.ts'
export type { ProducerContinuation, ProducerOptions } from './producer/producer-options.ts'
export type { HeadersToSend, RecordToSend } from './producer/producer-record.ts'
export type { SentRecords } from './producer/sent-records.ts'
export type { PositionLike } from './reader/position-text.ts'
export { ReadBatch } from './reader/read-batch.ts'
export { type ReadHeader, ReadRecord } from './reader/read-record.ts'
export { Reader } from './reader/reader.ts'
export type { ReaderOptions, ReadPosition } from './reader/reader-options.ts'
export { auto, autoKey } from './serdes/auto.ts'
export { json } from './serdes/json.ts'
export { msgpack } from './serdes/msgpack.ts'
export { bytes, string } from './serdes/plain.ts'
export type { Deserializer, Serde, Serializer } from './serdes/serde.ts'
export type { StandardIssue, StandardResult, StandardSchema } from './serdes/standard-schema.ts'
export type { Acks, CompressionName, Durability } from './transport.ts'
