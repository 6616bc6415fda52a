/**
 * The batches that compaction makes: one with some of its records left, one that keeps only what its
 * producer is remembered by, and an empty one that stands for offsets of which nothing is left. Bytes
 * only; what is kept and what stands where is decided elsewhere.
 *
 * All keep their offsets: base offset, last offset and sequence are what they were, so that a batch still
 * begins where the one before it ends. A log without gaps is one in which a lost or moved batch shows.
 */

import { compress } from '../record/compression.ts'
import { writeInt64 } from '../record/int64.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CRC_AT,
  DELETE_HORIZON_BIT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_OVERHEAD_BYTES,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_BATCH_HEADER_BYTES,
  RECORD_COUNT_AT,
  RecordBatch,
} from '../record/record-batch.ts'

/** Kafka's: there is none. */
const NO_TIMESTAMP = -1

/** What becomes of a batch that some records were taken out of. */
export interface Remains {
  /** The records that stay, as they stand in a batch that is not compressed. */
  readonly records: Buffer
  readonly recordCount: number
  /** The largest of theirs. */
  readonly maxTimestamp: number
  /** From when on the batch's tombstones may go; their timestamps count from it. `undefined`: none. */
  readonly deleteHorizonMs: number | undefined
}

/** `source` with the records that remain, compressed as it was. */
export function remadeBatch(source: RecordBatch, remains: Remains): Buffer {
  const stored = compress(source.compression, remains.records)
  const bytes = Buffer.allocUnsafe(RECORD_BATCH_HEADER_BYTES + stored.length)
  source.buffer.copy(bytes, 0, 0, RECORD_BATCH_HEADER_BYTES)
  stored.copy(bytes, RECORD_BATCH_HEADER_BYTES)
  if (remains.deleteHorizonMs !== undefined) {
    bytes.writeUInt16BE(source.attributes | DELETE_HORIZON_BIT, ATTRIBUTES_AT)
    writeInt64(bytes, remains.deleteHorizonMs, BASE_TIMESTAMP_AT)
  }
  writeInt64(bytes, remains.maxTimestamp, MAX_TIMESTAMP_AT)
  bytes.writeInt32BE(remains.recordCount, RECORD_COUNT_AT)
  return sealed(bytes)
}

/** `source` without its records: what tells, after a restart, how far its producer had come. */
export function emptiedBatch(source: RecordBatch): Buffer {
  const bytes = Buffer.from(source.buffer.subarray(0, RECORD_BATCH_HEADER_BYTES))
  const attributes = source.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_BIT)
  bytes.writeUInt16BE(attributes, ATTRIBUTES_AT)
  writeInt64(bytes, source.maxTimestamp, BASE_TIMESTAMP_AT)
  bytes.writeInt32BE(0, RECORD_COUNT_AT)
  return sealed(bytes)
}

/** Stands for the offsets from `baseOffset` to `lastOffset`, of which no record is left. */
export function fillerBatch(baseOffset: number, lastOffset: number, leaderEpoch: number): Buffer {
  const bytes = Buffer.alloc(RECORD_BATCH_HEADER_BYTES)
  writeInt64(bytes, baseOffset, BASE_OFFSET_AT)
  bytes.writeInt32BE(leaderEpoch, LEADER_EPOCH_AT)
  bytes.writeInt8(MAGIC, MAGIC_AT)
  bytes.writeInt32BE(lastOffset - baseOffset, LAST_OFFSET_DELTA_AT)
  writeInt64(bytes, NO_TIMESTAMP, BASE_TIMESTAMP_AT)
  writeInt64(bytes, NO_TIMESTAMP, MAX_TIMESTAMP_AT)
  writeInt64(bytes, NO_PRODUCER_ID, PRODUCER_ID_AT)
  bytes.writeInt16BE(NO_PRODUCER_EPOCH, PRODUCER_EPOCH_AT)
  bytes.writeInt32BE(NO_SEQUENCE, BASE_SEQUENCE_AT)
  return sealed(bytes)
}

/** True for a batch that holds nothing and nobody is remembered by. */
export function isFiller(batch: RecordBatch): boolean {
  return batch.recordCount === 0 && batch.producerId === NO_PRODUCER_ID
}

/** Writes the length and, last, the CRC. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
  bytes.writeUInt32BE(new RecordBatch(bytes).computeCrc(), CRC_AT)
  return bytes
}
