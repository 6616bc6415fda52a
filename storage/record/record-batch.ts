/**
 * The record batch: Kafka's format v2 ("magic 2"), the unit that is produced, stored, replicated and
 * fetched, byte for byte the same everywhere. This file owns where each header field stands and a view
 * over one batch's bytes; it decodes no records (`batch-reader`), makes none (`batch-builder`) and
 * decides nothing about acceptance (`log/batch-validator`).
 *
 *    0 baseOffset 8 | 8 batchLength 4 | 12 leaderEpoch 4 | 16 magic 1 | 17 crc 4 |
 *   21 attributes 2 | 23 lastOffsetDelta 4 | 27 baseTimestamp 8 | 35 maxTimestamp 8 |
 *   43 producerId 8 | 51 producerEpoch 2 | 53 baseSequence 4 | 57 recordCount 4 | 61 records …
 *
 * Numbers are big-endian. The CRC32C covers everything from `attributes` to the end, so that the broker
 * can set base offset and leader epoch, which stand before it, without touching it.
 * Source: Kafka's protocol documentation, "Record Batch".
 */

import type { TimestampType } from '../config.ts'
import { StorageError } from '../errors.ts'
import { COMPRESSION_NAMES, type CompressionName } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { readInt64, writeInt64 } from './int64.ts'
import type { Offset } from './offsets.ts'

export const BASE_OFFSET_AT = 0
const BASE_OFFSET_BYTES = 8
export const BATCH_LENGTH_AT = BASE_OFFSET_AT + BASE_OFFSET_BYTES
const BATCH_LENGTH_BYTES = 4
/** What stands before the bytes that `batchLength` counts. */
export const LOG_OVERHEAD_BYTES = BATCH_LENGTH_AT + BATCH_LENGTH_BYTES
export const LEADER_EPOCH_AT = LOG_OVERHEAD_BYTES
const LEADER_EPOCH_BYTES = 4
export const MAGIC_AT = LEADER_EPOCH_AT + LEADER_EPOCH_BYTES
const MAGIC_BYTES = 1
export const CRC_AT = MAGIC_AT + MAGIC_BYTES
const CRC_BYTES = 4
/** First byte under the CRC. */
export const ATTRIBUTES_AT = CRC_AT + CRC_BYTES
const ATTRIBUTES_BYTES = 2
export const LAST_OFFSET_DELTA_AT = ATTRIBUTES_AT + ATTRIBUTES_BYTES
const LAST_OFFSET_DELTA_BYTES = 4
export const BASE_TIMESTAMP_AT = LAST_OFFSET_DELTA_AT + LAST_OFFSET_DELTA_BYTES
const BASE_TIMESTAMP_BYTES = 8
export const MAX_TIMESTAMP_AT = BASE_TIMESTAMP_AT + BASE_TIMESTAMP_BYTES
const MAX_TIMESTAMP_BYTES = 8
export const PRODUCER_ID_AT = MAX_TIMESTAMP_AT + MAX_TIMESTAMP_BYTES
const PRODUCER_ID_BYTES = 8
export const PRODUCER_EPOCH_AT = PRODUCER_ID_AT + PRODUCER_ID_BYTES
const PRODUCER_EPOCH_BYTES = 2
export const BASE_SEQUENCE_AT = PRODUCER_EPOCH_AT + PRODUCER_EPOCH_BYTES
const BASE_SEQUENCE_BYTES = 4
export const RECORD_COUNT_AT = BASE_SEQUENCE_AT + BASE_SEQUENCE_BYTES
const RECORD_COUNT_BYTES = 4
/** Where the records begin: 61. */
export const RECORD_BATCH_HEADER_BYTES = RECORD_COUNT_AT + RECORD_COUNT_BYTES

/** `batchLength` of a batch without a byte of records. */
export const BATCH_LENGTH_MIN = RECORD_BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES

/** The only format we store. 0 and 1 are Kafka's before 0.11. */
export const MAGIC = 2

export const COMPRESSION_MASK = 0x07
export const LOG_APPEND_TIME_BIT = 0x08
export const TRANSACTIONAL_BIT = 0x10
export const CONTROL_BIT = 0x20
/** Set by Kafka's compaction: `baseTimestamp` then holds when tombstones may go. Never from a producer. */
export const DELETE_HORIZON_BIT = 0x40
/** Bits no version of the format has given a meaning. */
export const RESERVED_ATTRIBUTES_MASK = 0xff80

export const NO_PRODUCER_ID = -1
export const NO_PRODUCER_EPOCH = -1
export const NO_SEQUENCE = -1
const SEQUENCE_MAX = 0x7fff_ffff

/**
 * A view over the bytes of exactly one batch, or over the first 61 of one ("header only": then what
 * needs the rest, the CRC, must not be asked). Copies and checks nothing: fields mean what they say once
 * `headerProblem` has found nothing.
 */
export class RecordBatch {
  readonly buffer: Buffer

  /** `buffer` starts at the batch's first byte and has at least `RECORD_BATCH_HEADER_BYTES`. */
  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  get baseOffset(): Offset {
    return readInt64(this.buffer, BASE_OFFSET_AT) as Offset
  }

  get lastOffset(): Offset {
    return (this.baseOffset + this.lastOffsetDelta) as Offset
  }

  /** One past the last offset. */
  get nextOffset(): Offset {
    return (this.baseOffset + this.lastOffsetDelta + 1) as Offset
  }

  /** The whole batch, from `baseOffset` to the last record's last byte. */
  get sizeBytes(): number {
    return LOG_OVERHEAD_BYTES + this.buffer.readInt32BE(BATCH_LENGTH_AT)
  }

  get leaderEpoch(): number {
    return this.buffer.readInt32BE(LEADER_EPOCH_AT)
  }

  get magic(): number {
    return this.buffer.readInt8(MAGIC_AT)
  }

  /** The CRC32C as stored. */
  get crc(): number {
    return this.buffer.readUInt32BE(CRC_AT)
  }

  /** As an unsigned 16-bit number. */
  get attributes(): number {
    return this.buffer.readUInt16BE(ATTRIBUTES_AT)
  }

  /** Throws `StorageError` UNSUPPORTED_COMPRESSION_TYPE for the codes nobody has defined (5 to 7). */
  get compression(): CompressionName {
    const code = this.attributes & COMPRESSION_MASK
    const name = COMPRESSION_NAMES[code]
    if (name === undefined) {
      throw new StorageError(
        'UNSUPPORTED_COMPRESSION_TYPE',
        `compression type ${code} is unknown; known are 0 to ${COMPRESSION_NAMES.length - 1} (${COMPRESSION_NAMES.join(', ')})`,
        { values: { compressionType: code } },
      )
    }
    return name
  }

  get timestampType(): TimestampType {
    return (this.attributes & LOG_APPEND_TIME_BIT) === 0 ? 'CreateTime' : 'LogAppendTime'
  }

  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL_BIT) !== 0
  }

  /** Holds transaction markers, not a client's records. */
  get isControl(): boolean {
    return (this.attributes & CONTROL_BIT) !== 0
  }

  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(LAST_OFFSET_DELTA_AT)
  }

  /**
   * From when on compaction may take out the tombstones in here (wall clock, milliseconds); `undefined`
   * until it has been over the batch once. It stands where the base timestamp does, and is that too.
   */
  get deleteHorizonMs(): number | undefined {
    return (this.attributes & DELETE_HORIZON_BIT) === 0 ? undefined : this.baseTimestamp
  }

  /** What the records' timestamp deltas are added to. Milliseconds since the epoch. */
  get baseTimestamp(): number {
    return readInt64(this.buffer, BASE_TIMESTAMP_AT)
  }

  /** The largest timestamp inside; under `LogAppendTime` the timestamp of every record. */
  get maxTimestamp(): number {
    return readInt64(this.buffer, MAX_TIMESTAMP_AT)
  }

  /** -1: the producer has none. */
  get producerId(): number {
    return readInt64(this.buffer, PRODUCER_ID_AT)
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(PRODUCER_EPOCH_AT)
  }

  get baseSequence(): number {
    return this.buffer.readInt32BE(BASE_SEQUENCE_AT)
  }

  /** Sequence numbers go from 2^31 - 1 to 0. */
  get lastSequence(): number {
    const base = this.baseSequence
    if (base === NO_SEQUENCE) return NO_SEQUENCE
    const last = base + this.lastOffsetDelta
    return last > SEQUENCE_MAX ? last - SEQUENCE_MAX - 1 : last
  }

  get recordCount(): number {
    return this.buffer.readInt32BE(RECORD_COUNT_AT)
  }

  /** The CRC32C as it should be. */
  computeCrc(): number {
    return crc32c(this.buffer.subarray(ATTRIBUTES_AT, this.sizeBytes))
  }

  hasValidCrc(): boolean {
    return this.computeCrc() === this.crc
  }

  /** Gives the batch its place in a log: the 12 bytes outside the CRC that the leader writes. */
  assign(baseOffset: Offset, leaderEpoch: number): void {
    writeInt64(this.buffer, baseOffset, BASE_OFFSET_AT)
    this.buffer.writeInt32BE(leaderEpoch, LEADER_EPOCH_AT)
  }

  /** Numbers the batch for an idempotent producer; -1, -1, -1 for none. Computes the CRC again. */
  setProducer(producerId: number, producerEpoch: number, baseSequence: number): void {
    writeInt64(this.buffer, producerId, PRODUCER_ID_AT)
    this.buffer.writeInt16BE(producerEpoch, PRODUCER_EPOCH_AT)
    this.buffer.writeInt32BE(baseSequence, BASE_SEQUENCE_AT)
    this.buffer.writeUInt32BE(this.computeCrc(), CRC_AT)
  }

  /** Every record gets `timestampMs`, the time of its append. Computes the CRC again. */
  setLogAppendTime(timestampMs: number): void {
    this.buffer.writeUInt16BE(this.attributes | LOG_APPEND_TIME_BIT, ATTRIBUTES_AT)
    this.setMaxTimestamp(timestampMs)
  }

  /** Sets the header's largest timestamp and computes the CRC again. */
  setMaxTimestamp(timestampMs: number): void {
    writeInt64(this.buffer, timestampMs, MAX_TIMESTAMP_AT)
    this.buffer.writeUInt32BE(this.computeCrc(), CRC_AT)
  }
}

/**
 * What the header at `at` says its whole batch measures in bytes: 12 + `batchLength`. Reads 12 bytes,
 * which must be there, and checks nothing: the result may be negative or absurd.
 */
export function peekBatchSize(buffer: Buffer, at: number): number {
  return LOG_OVERHEAD_BYTES + buffer.readInt32BE(at + BATCH_LENGTH_AT)
}

/**
 * Why these 61 bytes can not be the header of a stored batch, or `undefined` if they can. For scans of a
 * file, where bytes are garbage more often than not: says nothing about the CRC, and lets through what a
 * follower may meet and a producer may not send (control batches, batches that compaction took records from).
 */
export function headerProblem(batch: RecordBatch): string | undefined {
  if (batch.buffer.length < RECORD_BATCH_HEADER_BYTES) {
    return `${batch.buffer.length} bytes are fewer than the ${RECORD_BATCH_HEADER_BYTES} of a header`
  }
  if (batch.magic !== MAGIC) return `magic is ${batch.magic}, not ${MAGIC}`
  const batchLength = batch.sizeBytes - LOG_OVERHEAD_BYTES
  if (batchLength < BATCH_LENGTH_MIN)
    return `batch length ${batchLength} is below ${BATCH_LENGTH_MIN}`
  const { baseOffset, lastOffsetDelta, recordCount, producerId } = batch
  if (baseOffset < 0) return `base offset ${baseOffset} is negative`
  if (lastOffsetDelta < 0) return `last offset delta ${lastOffsetDelta} is negative`
  if (!Number.isSafeInteger(baseOffset + lastOffsetDelta + 1)) {
    return `base offset ${baseOffset} is beyond 2^53`
  }
  // Compaction removes records and keeps the offsets: fewer records than offsets are fine, more are not.
  if (recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    return `record count ${recordCount} does not fit last offset delta ${lastOffsetDelta}`
  }
  if (producerId < NO_PRODUCER_ID || !Number.isSafeInteger(producerId)) {
    return `producer id ${producerId} is out of range`
  }
  return undefined
}
