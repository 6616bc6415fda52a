/**
 * The door of the client for browsers, Bun and Deno: the names of `index.ts`, over `fetch`. Nothing here
 * or behind it imports a Node module or touches `Buffer` or `process`. What differs from Node is listed
 * in `README.md`.
 */

import { SpoolError } from './api/errors.ts'
import { Client } from './client.ts'
import { type ConnectOptions, connectSettings } from './connect-options.ts'
import { FetchTransport } from './web/fetch-transport.ts'

/** They are about connections, or about compressed batches, and `fetch` shows us neither. */
const NODE_OPTIONS = ['connectTimeoutMs', 'connectionsMax', 'decompressedBytesMax'] as const

/**
 * A client of the broker at `url`, or else at http://127.0.0.1:7766; there is no environment to name it.
 * Nothing is opened before it is needed. A page of another origin than the broker's must be named in the
 * broker's `cors.allowed.origins`.
 *
 * @throws SpoolError INVALID_CONFIG for an option that is not right, or has no meaning over `fetch`.
 */
export function connect(options: string | URL | ConnectOptions = {}): Client {
  const given = typeof options === 'string' || options instanceof URL ? { url: options } : options
  for (const name of NODE_OPTIONS) {
    if (given[name] === undefined) continue
    throw new SpoolError('INVALID_CONFIG', `${name} is for Node only: fetch has no such setting`, {
      outcome: 'refused',
    })
  }
  const settings = connectSettings(given)
  return new Client(new FetchTransport(settings), settings)
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
