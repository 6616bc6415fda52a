/**
 * What a client needs of a connection to a broker, and nothing about how it is made: `node/` does it over
 * undici, `web/` over `fetch`. Everything above (client, producer, reader, admin) knows this interface
 * only, so that the same code runs in Node and in a browser. Types only.
 */

import type { CompressionName } from '../storage/record/compression-names.ts'
import type { HeaderToAppend } from '../storage/record/header-to-append.ts'
import type { SpoolError } from './api/errors.ts'
import type { HttpMethod } from './api/route.ts'

export type { CompressionName, HeaderToAppend }

/** How safe acknowledged records are; see the table in the project's README. */
export type Durability = 'written' | 'flushed' | 'replicated' | 'replicated-flushed'

export type Acks = 'all' | 1 | 0

export interface RequestOptions {
  readonly method: HttpMethod
  /** Encoded already: `pathOf(route, params)`. */
  readonly path: string
  /** `undefined` members are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sent as JSON. */
  readonly document?: unknown
  readonly signal?: AbortSignal | undefined
  /** For the whole exchange; the client's `requestTimeoutMs` when absent. */
  readonly timeoutMs?: number | undefined
}

/** A reply of status 2xx. */
export interface Answer {
  readonly status: number
  /** By lower-case name. */
  header(name: string): string | undefined
  /** The parsed JSON body; `undefined` when there is none. */
  readonly document: unknown
}

export interface Transport {
  /** Scheme, host and port, without a slash at the end. */
  readonly url: string
  /**
   * One request, once: nothing is retried. Rejects with `SpoolError`: what the broker answered, else
   * NETWORK_EXCEPTION or REQUEST_TIMED_OUT (`outcome` is `refused` when nothing was sent, `unknown` when
   * a write was), or with `signal.reason`. Redirects are not followed.
   */
  request(options: RequestOptions): Promise<Answer>
  /**
   * How many batches of one partition may be under way at once: several where calls of `produce` keep
   * their order on the wire, 1 where they may overtake each other.
   */
  readonly inFlightPerPartitionMax: number
  newBatch(options: OpenBatchOptions): OpenBatch
  /**
   * Sends batches as one request (over `fetch`: one each). Calls keep their order. Resolves with a fate
   * per batch, in their order; rejects with `SpoolError`, with an `outcome`, when the whole failed.
   */
  produce(call: ProduceCall): Promise<readonly BatchFate[]>
  openSource(call: SourceCall): RecordSource
  /** Idempotent. Whatever is under way rejects with CLIENT_CLOSED. */
  close(): Promise<void>
}

export interface OpenBatchOptions {
  readonly compression: CompressionName
  /** What the batch is expected to grow to, before compression. */
  readonly sizeBytes: number
}

export interface OpenBatch {
  readonly recordCount: number
  /** Before compression. */
  readonly sizeBytes: number
  /** Copies the bytes. `timestampMs` is milliseconds since 1970, a safe integer. */
  append(
    timestampMs: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderToAppend[],
  ): void
  /** As `append` of the UTF-8 of a well-formed text, where that is faster than making it first. */
  appendText?(
    timestampMs: number,
    key: Uint8Array | null,
    text: string,
    headers: readonly HeaderToAppend[],
  ): void
  /**
   * Does the slow part of `seal` (compressing) on another thread. Nothing may be appended from here on;
   * `seal` waits for nothing, and does the rest. `undefined`: not worth it, or there are no threads.
   */
  prepare?(): Promise<void> | undefined
  /** Compressed, numbered, with its checksum. May be called again with other numbers. */
  seal(producer: ProducerNumbers | undefined): SealedBatch
  /** It is appended and will not be sent again: the memory of its bytes may be used for others. */
  release?(): void
}

/** What makes a batch idempotent: the broker appends each sequence of a producer once. */
export interface ProducerNumbers {
  readonly producerId: number
  readonly producerEpoch: number
  /** Of the first record, in the batch's partition. */
  readonly baseSequence: number
}

export interface SealedBatch {
  readonly body: Uint8Array | string
  /** Of `body`. */
  readonly sizeBytes: number
  readonly recordCount: number
  readonly producer: ProducerNumbers | undefined
}

export interface BatchToProduce {
  readonly topic: string
  /** Another one at the broker fails the batch with INCONSISTENT_TOPIC_ID. */
  readonly topicId?: string | undefined
  readonly partition: number
  readonly batch: SealedBatch
}

export interface ProduceCall {
  readonly acks: Acks
  /** The broker's: how long the acknowledgement may take. The exchange gets a little more. */
  readonly timeoutMs: number
  readonly batches: readonly BatchToProduce[]
  readonly signal?: AbortSignal | undefined
}

export type BatchFate = AppendedBatch | { readonly error: SpoolError }

export interface AppendedBatch {
  readonly error?: undefined
  /** -1 with `acks: 0`, as `lastOffset`: nobody waited for it. */
  readonly baseOffset: number
  readonly lastOffset: number
  /** The time of the append where the topic stamps that, else -1: the records keep their own. */
  readonly timestamp: number
  readonly durability: Durability
  /** True: it had been appended before; the offsets are those of then. */
  readonly duplicate: boolean
}

/** Where to begin and end in one partition. */
export interface ReadRange {
  readonly partition: number
  readonly offset: number
  /** Exclusive; `Infinity` follows for ever. */
  readonly until: number
}

export type OutOfRange = 'earliest' | 'latest' | undefined

export interface SourceCall {
  readonly topic: string
  /** A topic made anew under the name ends the source with INCONSISTENT_TOPIC_ID. */
  readonly topicId: string
  readonly partitions: readonly ReadRange[]
  /** What may lie ready: bytes as they are received and kept. At least one batch is always taken. */
  readonly prefetchBytes: number
  /** How long one request waits at the end of the log. */
  readonly maxWaitMs: number
  /** Where to go on when the wished offset is not there; `undefined`: OFFSET_OUT_OF_RANGE. */
  readonly outOfRange: OutOfRange
  readonly signal: AbortSignal
}

/**
 * A reader's supply: whole batches of any of its partitions, in order within each. Reconnects and retries
 * by itself; a retry neither loses a batch nor gives one twice.
 */
export interface RecordSource {
  /**
   * The next batch; `undefined` once every partition has reached its `until`, or after `close()`.
   * Rejects with `SpoolError` or the signal's reason, then for good. One call at a time.
   */
  next(): Promise<SourceBatch | undefined>
  /** A batch that lies ready, without a promise; `undefined`: ask `next()`. Throws nothing. */
  poll(): SourceBatch | undefined
  /** Further partitions. Those it has already are left alone. */
  add(partitions: readonly ReadRange[]): void
  /**
   * Nothing of these is given any more: neither what lies ready nor what is on its way. A partition may be
   * added again, at any offset. Without any partition left, the source is at its end.
   */
  remove(partitions: readonly number[]): void
  /** A partition that had no end has one now; it may lie before what was given already. */
  endAt(partition: number, until: number): void
  /** Idempotent; a waiting `next()` resolves to `undefined`. */
  close(): Promise<void>
}

/**
 * Records of one partition. May begin before `fromOffset` and go beyond `until`: whoever reads it skips
 * what is outside.
 */
export interface SourceBatch {
  readonly partition: number
  /** What it was read for: the object given to `openSource` or `add`. */
  readonly range: ReadRange
  readonly baseOffset: number
  /** Where it was asked from: records of it that come before are not wanted. */
  readonly fromOffset: number
  /** One past the last offset it stands for; compaction may have removed records before it. */
  readonly nextOffset: number
  readonly recordCount: number
  /** The first offset nobody may read yet, as of this batch. */
  readonly highWatermark: number
  /** The latest timestamp in it. */
  readonly maxTimestamp: number
  /** As it came over the wire. */
  readonly sizeBytes: number
  /** The record batch as stored, where the transport gets it so (Node). */
  readonly bytes?: Uint8Array | undefined
  /**
   * Checks and decompresses. Throws CORRUPT_MESSAGE, MESSAGE_TOO_LARGE or UNSUPPORTED_COMPRESSION_TYPE,
   * and `next()` of what it gives INVALID_RECORD, each as a `SpoolError` or the log engine's own.
   */
  cursor(): RecordFields
}

/**
 * Moves over the records of a batch without making an object of any. The bytes a record's places point
 * into stay as they are after `next()`, so that a record can be decoded later.
 */
export interface RecordFields {
  /** To the next record; `false` after the last. */
  next(): boolean
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** What the places point into: of the batch, or of this record only. */
  readonly bytes: Uint8Array
  /** -1 where there is no key. */
  readonly keyStart: number
  readonly keyEnd: number
  /** -1 where the value is null. */
  readonly valueStart: number
  readonly valueEnd: number
  readonly headerCount: number
  /** A place for `headersAt`, which may be asked at any later time. */
  readonly headersStart: number
  headersAt(start: number, count: number): readonly RawHeader[]
}

export interface RawHeader {
  readonly name: Uint8Array
  readonly value: Uint8Array | null
}
