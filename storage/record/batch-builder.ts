/**
 * Makes record batches: the client's producer, the HTTP face and the tests append records to it, then
 * take the finished batch. One growing buffer and no object per record; compression and the checksum
 * come once, at the end. Does not decide when a batch is full: callers look at `sizeBytes`.
 */

import {
  type CompressionName,
  compressBehind,
  compressBehindElsewhere,
  compressionCode,
} from './compression.ts'
import { crc32c } from './crc32c.ts'
import type { HeaderToAppend } from './header-to-append.ts'
import { writeInt64 } from './int64.ts'
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
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
} from './record-batch.ts'
import { VARINT_BYTES_MAX, varintSize, varlongSize, writeVarint, writeVarlong } from './varint.ts'

export interface BatchBuilderOptions {
  readonly compression: CompressionName
  /** Idempotent producers give all three; absent means none (-1). */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  /** Room to begin with; doubles as needed. */
  readonly initialBytes?: number
  /** Gives memory for finished batches; new memory when absent. */
  readonly allocate?: (bytes: number) => Buffer
}

const INITIAL_BYTES = 4 * 1024
const NULL_LENGTH = -1
/** `batchLength` is an int32. */
const BATCH_BYTES_MAX = 0x7fff_ffff
/** Below this a loop copies faster than a call of `set`, which costs some 30 ns before its first byte. */
const LOOP_COPY_BYTES_MAX = 24

/** A UTF-16 unit becomes at most three bytes. */
const UTF8_BYTES_MAX = 3
/** Room is made for the worst case: of longer text that would be too much. */
const WRITTEN_TEXT_MAX = 16 * 1024

const NO_HEADERS: readonly HeaderToAppend[] = []

export class BatchBuilder {
  readonly #compression: CompressionName
  readonly #producerId: number
  readonly #producerEpoch: number
  readonly #allocate: (bytes: number) => Buffer
  #baseSequence: number
  /** The batch's header, not yet filled in, and the records so far. */
  #bytes: Buffer
  #at = RECORD_BATCH_HEADER_BYTES
  #recordCount = 0
  #baseTimestamp = 0
  #maxTimestamp = 0

  constructor(options: BatchBuilderOptions) {
    this.#compression = options.compression
    this.#producerId = options.producerId ?? NO_PRODUCER_ID
    this.#producerEpoch = options.producerEpoch ?? NO_PRODUCER_EPOCH
    this.#baseSequence = options.baseSequence ?? NO_SEQUENCE
    this.#allocate = options.allocate ?? Buffer.allocUnsafe
    const initialBytes = options.initialBytes ?? INITIAL_BYTES
    // From Node's shared pool where it is small: one record a request makes two of them.
    this.#bytes = Buffer.allocUnsafe(Math.max(initialBytes, 2 * RECORD_BATCH_HEADER_BYTES))
  }

  get recordCount(): number {
    return this.#recordCount
  }

  /** Bytes of the batch as it stands, header included, before compression. */
  get sizeBytes(): number {
    return this.#at
  }

  /**
   * Adds a record; the bytes are copied. `timestamp` is milliseconds since the epoch, a safe integer,
   * and may be earlier than the one before. Throws `RangeError` for another number and for a batch that
   * would pass 2 GiB; the batch is then as it was.
   */
  append(
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly HeaderToAppend[] = NO_HEADERS,
  ): void {
    const timestampDelta = this.#deltaOf(timestamp)
    const bodyBytes = this.#bodySize(timestampDelta, key, lengthOf(value), headers)
    this.#reserve(bodyBytes + VARINT_BYTES_MAX)
    const at = this.#writeFront(bodyBytes, timestampDelta, key)
    this.#finish(writeField(this.#bytes, value, at), headers, timestamp)
  }

  /**
   * As `append` of the text's UTF-8, for well-formed text, without making its bytes anywhere else first.
   */
  appendText(
    timestamp: number,
    key: Uint8Array | null,
    text: string,
    headers: readonly HeaderToAppend[] = NO_HEADERS,
  ): void {
    const { length } = text
    if (length > WRITTEN_TEXT_MAX) {
      this.append(timestamp, key, Buffer.from(text), headers)
      return
    }
    const timestampDelta = this.#deltaOf(timestamp)
    // Lengths come before the bytes: written as if it were ASCII, which most text is.
    const bodyBytes = this.#bodySize(timestampDelta, key, length, headers)
    this.#reserve(bodyBytes + VARINT_BYTES_MAX + (UTF8_BYTES_MAX - 1) * length)
    const start = writeVarint(this.#bytes, length, this.#writeFront(bodyBytes, timestampDelta, key))
    const written = this.#bytes.write(text, start)
    if (written === length) this.#finish(start + length, headers, timestamp)
    // Nothing of it counted yet.
    else this.append(timestamp, key, Buffer.from(text), headers)
  }

  /**
   * The finished batch: base offset 0, leader epoch -1, correct CRC. Its bytes are the caller's; the
   * builder may go on being appended to, or be `reset`. Throws `RangeError` when it holds no record.
   */
  build(): Buffer {
    const records = this.#records()
    return this.#finished(
      compressBehind(RECORD_BATCH_HEADER_BYTES, this.#compression, records, this.#allocate),
    )
  }

  /** As `build`, compressed on other threads: leave the builder alone until it resolves. */
  async buildElsewhere(): Promise<Buffer> {
    const records = this.#records()
    return this.#finished(
      await compressBehindElsewhere(
        RECORD_BATCH_HEADER_BYTES,
        this.#compression,
        records,
        this.#allocate,
      ),
    )
  }

  #records(): Buffer {
    if (this.#recordCount === 0) throw new RangeError('a batch has at least one record')
    return this.#bytes.subarray(RECORD_BATCH_HEADER_BYTES, this.#at)
  }

  /** Empties it for the next batch, keeping its room. An idempotent producer gives the next sequence. */
  reset(baseSequence: number = this.#baseSequence): void {
    this.#baseSequence = baseSequence
    this.#at = RECORD_BATCH_HEADER_BYTES
    this.#recordCount = 0
  }

  #deltaOf(timestamp: number): number {
    if (!Number.isSafeInteger(timestamp)) {
      throw new RangeError(`timestamp ${timestamp} is not an integer of at most 2^53 - 1 in size`)
    }
    return this.#recordCount === 0 ? 0 : timestamp - this.#baseTimestamp
  }

  /** Everything before the value; returns where that goes. */
  #writeFront(bodyBytes: number, timestampDelta: number, key: Uint8Array | null): number {
    const bytes = this.#bytes
    let at = writeVarint(bytes, bodyBytes, this.#at)
    bytes[at++] = 0 // attributes: no bit has a meaning
    at = writeVarlong(bytes, timestampDelta, at)
    at = writeVarint(bytes, this.#recordCount, at)
    return writeField(bytes, key, at)
  }

  /** Everything after the value; the record counts from here on. */
  #finish(valueEnd: number, headers: readonly HeaderToAppend[], timestamp: number): void {
    const bytes = this.#bytes
    let at = writeVarint(bytes, headers.length, valueEnd)
    for (const header of headers) {
      at = writeField(bytes, header.name, at)
      at = writeField(bytes, header.value, at)
    }
    this.#at = at
    const isFirst = this.#recordCount === 0
    this.#recordCount += 1
    if (isFirst) this.#baseTimestamp = timestamp
    if (isFirst || timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
  }

  /** `batch` with its header, which was left free. */
  #finished(batch: Buffer): Buffer {
    writeInt64(batch, 0, BASE_OFFSET_AT)
    batch.writeInt32BE(batch.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
    batch.writeInt32BE(-1, LEADER_EPOCH_AT)
    batch.writeInt8(MAGIC, MAGIC_AT)
    batch.writeUInt16BE(compressionCode(this.#compression), ATTRIBUTES_AT)
    batch.writeInt32BE(this.#recordCount - 1, LAST_OFFSET_DELTA_AT)
    writeInt64(batch, this.#baseTimestamp, BASE_TIMESTAMP_AT)
    writeInt64(batch, this.#maxTimestamp, MAX_TIMESTAMP_AT)
    writeInt64(batch, this.#producerId, PRODUCER_ID_AT)
    batch.writeInt16BE(this.#producerEpoch, PRODUCER_EPOCH_AT)
    batch.writeInt32BE(this.#baseSequence, BASE_SEQUENCE_AT)
    batch.writeInt32BE(this.#recordCount, RECORD_COUNT_AT)
    batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
    return batch
  }

  /** What the record's length field will say. */
  #bodySize(
    timestampDelta: number,
    key: Uint8Array | null,
    valueLength: number,
    headers: readonly HeaderToAppend[],
  ): number {
    let size = 1 + varlongSize(timestampDelta) + varintSize(this.#recordCount)
    size += fieldSize(lengthOf(key)) + fieldSize(valueLength) + varintSize(headers.length)
    for (const { name, value } of headers) {
      size += fieldSize(name.length) + fieldSize(lengthOf(value))
    }
    return size
  }

  #reserve(extraBytes: number): void {
    const needed = this.#at + extraBytes
    if (needed <= this.#bytes.length) return
    if (needed > BATCH_BYTES_MAX) {
      throw new RangeError(`a batch of ${needed} bytes exceeds ${BATCH_BYTES_MAX}`)
    }
    let size = this.#bytes.length
    while (size < needed) size *= 2
    const grown = Buffer.allocUnsafeSlow(Math.min(size, BATCH_BYTES_MAX))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}

/** `NULL_LENGTH` where there is none. */
function lengthOf(field: Uint8Array | null): number {
  return field === null ? NULL_LENGTH : field.length
}

function fieldSize(length: number): number {
  return length === NULL_LENGTH ? 1 : varintSize(length) + length
}

function writeField(bytes: Buffer, field: Uint8Array | null, at: number): number {
  if (field === null) return writeVarint(bytes, NULL_LENGTH, at)
  const length = field.length
  const start = writeVarint(bytes, length, at)
  if (length <= LOOP_COPY_BYTES_MAX) {
    for (let index = 0; index < length; index++) bytes[start + index] = field[index]!
  } else {
    bytes.set(field, start)
  }
  return start + length
}
