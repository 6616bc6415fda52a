/**
 * The one look a leader takes inside a producer's batch, before the batch gets offsets: everything that
 * readers, followers and recovery later rely on is checked here, once. No record objects are made, and
 * what decompression may cost is bounded by the caller. Pure but for two corrections Kafka's brokers make
 * as well, both in the header: the append time where the topic wants it, and a largest timestamp that the
 * producer left out or got wrong.
 *
 * Does not know producers' state, epochs of leadership or the log's end: those are the log's.
 * Sources: Kafka's `LogValidator`; its error codes for each case.
 */

import type { TimestampType } from '../config.ts'
import { type Outcome, StorageError, type StorageErrorCode } from '../errors.ts'
import { decompress } from '../record/compression.ts'
import { release } from '../record/native-memory.ts'
import {
  DELETE_HORIZON_BIT,
  LOG_OVERHEAD_BYTES,
  MAGIC,
  MAGIC_AT,
  NO_PRODUCER_ID,
  RECORD_BATCH_HEADER_BYTES,
  RESERVED_ATTRIBUTES_MASK,
  RecordBatch,
} from '../record/record-batch.ts'
import { RecordWalk } from '../record/record-walk.ts'

export interface BatchLimits {
  /** The largest batch, as it arrives. */
  readonly maxMessageBytes: number
  /** The most its records may become when decompressed. */
  readonly maxDecompressedBytes: number
  readonly timestampType: TimestampType
  /** How far before `now` a record's timestamp may be, and how far after. `CreateTime` only. */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  /** Wall clock, milliseconds since the epoch; the timestamp of all records under `LogAppendTime`. */
  readonly now: number
  /** Compacted topics: a record without a key could never be replaced. */
  readonly requireKey?: boolean
  /** The broker itself may write transaction markers; clients may not. */
  readonly allowControl?: boolean
}

export interface ValidatedBatch {
  readonly batch: RecordBatch
  readonly recordCount: number
  /** Of the records, without the batch's header. */
  readonly decompressedBytes: number
}

/**
 * A header may be two bytes long, and a reader that shows a record makes objects of all of its headers: a
 * record of 8 MiB with nothing else would cost it a gigabyte. Kafka has no such bound; nobody uses a
 * hundredth of this.
 */
const RECORD_HEADERS_MAX = 10_000

/**
 * Where compressed records are laid out for the walk: 1 MiB, the largest batch most producers make, kept
 * from the first compressed batch on. Nothing that is returned points into it.
 */
const SCRATCH_BYTES = 1024 * 1024
let scratch: Buffer | undefined

/** The smallest and the largest timestamp inside. */
interface TimestampRange {
  readonly min: number
  readonly max: number
}

/**
 * Checks `buffer`, which must be exactly one batch from a producer; corrects its header where the head of
 * this file says so. Throws `StorageError` with outcome `refused`: CORRUPT_MESSAGE, INVALID_RECORD,
 * INVALID_TIMESTAMP, MESSAGE_TOO_LARGE or UNSUPPORTED_COMPRESSION_TYPE.
 */
export function validateProducedBatch(buffer: Buffer, limits: BatchLimits): ValidatedBatch {
  try {
    const batch = checkHeader(buffer, limits)
    const records = recordBytes(batch, limits)
    const decompressedBytes = records.length
    let range: TimestampRange
    try {
      range = checkRecords(records, batch, limits)
    } finally {
      // Many batches in a row leave the collector no time to notice.
      if (batch.compression !== 'none' && records.buffer !== scratch?.buffer) release(records)
    }
    if (limits.timestampType === 'LogAppendTime') {
      batch.setLogAppendTime(limits.now)
    } else {
      checkTimestamps(range, limits)
      // Some producers (sarama until 2025) leave it at -1, and time look-ups depend on it.
      if (batch.maxTimestamp !== range.max) batch.setMaxTimestamp(range.max)
    }
    return { batch, recordCount: batch.recordCount, decompressedBytes }
  } catch (error) {
    throw error instanceof StorageError ? withOutcome(error, 'refused') : error
  }
}

/** Everything that can be said without looking at the records. */
function checkHeader(buffer: Buffer, limits: BatchLimits): RecordBatch {
  const batch = new RecordBatch(buffer)
  if (buffer.length === 0) refuse('INVALID_RECORD', 'there is no batch, one is needed')
  // Before the sizes: batches of the older formats are shorter than our header.
  if (buffer.length > MAGIC_AT && batch.magic !== MAGIC) {
    refuse(
      'INVALID_RECORD',
      `magic is ${batch.magic}; only record batches of magic ${MAGIC} are taken`,
    )
  }
  checkSize(batch, limits)
  if (!batch.hasValidCrc()) {
    refuse('CORRUPT_MESSAGE', `the CRC is ${batch.computeCrc()}, the header says ${batch.crc}`)
  }
  checkAttributes(batch, limits)
  checkCounts(batch)
  checkProducer(batch)
  return batch
}

function checkSize(batch: RecordBatch, limits: BatchLimits): void {
  const available = batch.buffer.length
  if (available < RECORD_BATCH_HEADER_BYTES) {
    refuse(
      'CORRUPT_MESSAGE',
      `${available} bytes are fewer than a batch's header of ${RECORD_BATCH_HEADER_BYTES}`,
    )
  }
  if (batch.sizeBytes !== available) {
    const batchLength = batch.sizeBytes - LOG_OVERHEAD_BYTES
    refuse(
      'CORRUPT_MESSAGE',
      `batch length is ${batchLength}, ${available - LOG_OVERHEAD_BYTES} bytes are there`,
    )
  }
  if (available > limits.maxMessageBytes) {
    refuse(
      'MESSAGE_TOO_LARGE',
      `batch of ${available} bytes exceeds max.message.bytes ${limits.maxMessageBytes}`,
      {
        sizeBytes: available,
        maxMessageBytes: limits.maxMessageBytes,
      },
    )
  }
}

function checkAttributes(batch: RecordBatch, limits: BatchLimits): void {
  const { attributes } = batch
  if ((attributes & RESERVED_ATTRIBUTES_MASK) !== 0 || (attributes & DELETE_HORIZON_BIT) !== 0) {
    refuse(
      'INVALID_RECORD',
      `attributes 0x${attributes.toString(16)} set bits a producer may not set`,
    )
  }
  if (batch.isTransactional) refuse('INVALID_RECORD', 'transactions are not supported')
  if (batch.isControl && limits.allowControl !== true) {
    refuse('INVALID_RECORD', 'control batches are written by the broker only')
  }
  if (batch.timestampType === 'LogAppendTime') {
    refuse('INVALID_TIMESTAMP', 'the timestamp type LogAppendTime is set by the broker only')
  }
}

function checkCounts(batch: RecordBatch): void {
  const { recordCount, lastOffsetDelta } = batch
  if (recordCount < 1)
    refuse('INVALID_RECORD', `record count is ${recordCount}, at least 1 is needed`)
  if (lastOffsetDelta !== recordCount - 1) {
    refuse('INVALID_RECORD', `last offset delta is ${lastOffsetDelta} for ${recordCount} records`)
  }
}

function checkProducer(batch: RecordBatch): void {
  const { producerId, producerEpoch, baseSequence } = batch
  // Without a producer id, clients fill the other two with -1 (Java, librdkafka) or 0 (sarama).
  if (producerId === NO_PRODUCER_ID) return
  if (producerId < 0 || !Number.isSafeInteger(producerId)) {
    refuse('INVALID_RECORD', `producer id ${producerId} is not between 0 and 2^53 - 1`)
  }
  if (producerEpoch < 0) refuse('INVALID_RECORD', `producer epoch ${producerEpoch} is negative`)
  if (baseSequence < 0) refuse('INVALID_RECORD', `base sequence ${baseSequence} is negative`)
}

/** The records as they are when not compressed; good until the next call. */
function recordBytes(batch: RecordBatch, limits: BatchLimits): Buffer {
  const stored = batch.buffer.subarray(RECORD_BATCH_HEADER_BYTES)
  const { compression } = batch
  if (compression !== 'none') scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  return decompress(compression, stored, limits.maxDecompressedBytes, scratch)
}

/** The walk. Offsets must be 0, 1, 2 …: the leader numbers records by their place in the batch. */
function checkRecords(records: Buffer, batch: RecordBatch, limits: BatchLimits): TimestampRange {
  const walk = new RecordWalk(records, batch.recordCount)
  const requireKey = limits.requireKey === true
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (let index = 0; walk.next(); index++) {
    if (walk.offsetDelta !== index) {
      refuse('INVALID_RECORD', `record ${index} of the batch has offset delta ${walk.offsetDelta}`)
    }
    if (walk.attributes !== 0) {
      // In the older formats these bits said "compressed again", which no batch may be.
      refuse(
        'INVALID_RECORD',
        `record ${index} of the batch has attributes ${walk.attributes}, not 0`,
      )
    }
    if (requireKey && walk.keyStart < 0) {
      refuse(
        'INVALID_RECORD',
        `record ${index} of the batch has no key, which a compacted topic needs`,
      )
    }
    if (walk.headerCount > RECORD_HEADERS_MAX) {
      refuse(
        'INVALID_RECORD',
        `record ${index} of the batch has ${walk.headerCount} headers, ${RECORD_HEADERS_MAX} are allowed`,
      )
    }
    const delta = walk.timestampDelta
    if (delta < min) min = delta
    if (delta > max) max = delta
  }
  const base = batch.baseTimestamp
  return { min: base + min, max: base + max }
}

function checkTimestamps(range: TimestampRange, limits: BatchLimits): void {
  const earliest = Math.max(0, limits.now - limits.timestampBeforeMaxMs)
  const latest = limits.now + limits.timestampAfterMaxMs
  for (const timestamp of [range.min, range.max]) {
    if (!Number.isSafeInteger(timestamp) || timestamp < earliest || timestamp > latest) {
      refuse(
        'INVALID_TIMESTAMP',
        `timestamp ${timestamp} is not between ${earliest} and ${latest}`,
        {
          timestamp,
          earliest,
          latest,
        },
      )
    }
  }
}

function refuse(
  code: StorageErrorCode,
  message: string,
  values: Record<string, number> = {},
): never {
  throw new StorageError(code, message, { outcome: 'refused', values })
}

/** Decoders know nothing of appends; here it is certain that nothing was written. */
function withOutcome(error: StorageError, outcome: Outcome): StorageError {
  if (error.outcome !== undefined) return error
  return new StorageError(error.code, error.message, {
    outcome,
    values: { ...error.values },
    cause: error,
  })
}
