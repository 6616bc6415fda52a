/**
 * Reads the records of a stored batch, for those who show them to people: the JSON, NDJSON and event
 * stream faces, search, and the client. Checks the CRC before it believes anything, decompresses within
 * the caller's bound, and leaves every field in place until it is asked for. Moving batches needs none of
 * this; checking a producer's batch is `log/batch-validator`.
 */

import { StorageError } from '../errors.ts'
import { decompress } from './compression.ts'
import { corrupt } from './decode-errors.ts'
import type { Offset } from './offsets.ts'
import type { RecordHeader, StoredRecord } from './record.ts'
import { headerProblem, RECORD_BATCH_HEADER_BYTES, type RecordBatch } from './record-batch.ts'
import { RecordWalk } from './record-walk.ts'
import { readVarint, varintEnd } from './varint.ts'

export interface ReadOptions {
  /** The most a compressed batch may become. Past it: `StorageError` MESSAGE_TOO_LARGE. */
  readonly maxDecompressedBytes: number
  /** The records may lie in here, until it is used again: for who looks at them and lets go. */
  readonly scratch?: Buffer
}

/**
 * The records of `batch`, in order, as views into its decompressed bytes. Throws `StorageError` before
 * the first record when header, CRC or compression are bad (CORRUPT_MESSAGE, MESSAGE_TOO_LARGE,
 * UNSUPPORTED_COMPRESSION_TYPE), and INVALID_RECORD at the record that is.
 */
export function* readRecords(batch: RecordBatch, options: ReadOptions): Generator<StoredRecord> {
  const cursor = new RecordCursor(batch, options)
  while (cursor.next()) yield cursor.record()
}

/**
 * Moves over the records of one batch without making an object of any: `next()`, then look at what is
 * needed. Offsets rise; after compaction they have gaps. Errors are those of `readRecords`, those before
 * the first record coming from the constructor.
 */
export class RecordCursor {
  /** Of the current record. */
  offset: Offset = -1 as Offset
  /** Milliseconds since the epoch. */
  timestamp = -1
  readonly #batch: RecordBatch
  readonly #bytes: Buffer
  readonly #walk: RecordWalk
  readonly #baseOffset: number
  readonly #baseTimestamp: number
  readonly #maxTimestamp: number
  readonly #hasLogAppendTime: boolean
  readonly #lastOffsetDelta: number
  #offsetDelta = -1

  constructor(batch: RecordBatch, options: ReadOptions) {
    this.#batch = batch
    this.#bytes = recordBytes(batch, options)
    this.#walk = new RecordWalk(this.#bytes, batch.recordCount)
    this.#baseOffset = batch.baseOffset
    this.#baseTimestamp = batch.baseTimestamp
    this.#maxTimestamp = batch.maxTimestamp
    this.#hasLogAppendTime = batch.timestampType === 'LogAppendTime'
    this.#lastOffsetDelta = batch.lastOffsetDelta
  }

  /** The records' bytes, decompressed; the places below count from its first byte. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Moves to the next record; `false` after the last. */
  next(): boolean {
    const walk = this.#walk
    if (!walk.next()) return false
    const delta = walk.offsetDelta
    if (delta <= this.#offsetDelta || delta > this.#lastOffsetDelta) {
      throw new StorageError(
        'INVALID_RECORD',
        `offset delta ${delta} follows ${this.#offsetDelta} in a batch that ends at ${this.#batch.lastOffsetDelta}`,
      )
    }
    this.#offsetDelta = delta
    this.offset = (this.#baseOffset + delta) as Offset
    this.timestamp = this.#hasLogAppendTime
      ? this.#maxTimestamp
      : this.#baseTimestamp + walk.timestampDelta
    return true
  }

  /** Where the key begins in `bytes`, or -1 when there is none. */
  get keyStart(): number {
    return this.#walk.keyStart
  }

  get keyEnd(): number {
    return this.#walk.keyEnd
  }

  /** Where the value begins in `bytes`, or -1 when it is null. */
  get valueStart(): number {
    return this.#walk.valueStart
  }

  get valueEnd(): number {
    return this.#walk.valueEnd
  }

  get headerCount(): number {
    return this.#walk.headerCount
  }

  key(): Buffer | null {
    const { keyStart, keyEnd } = this.#walk
    return keyStart < 0 ? null : this.#bytes.subarray(keyStart, keyEnd)
  }

  value(): Buffer | null {
    const { valueStart, valueEnd } = this.#walk
    return valueStart < 0 ? null : this.#bytes.subarray(valueStart, valueEnd)
  }

  /** Where the first header begins in `bytes`. */
  get headersStart(): number {
    return this.#walk.headersStart
  }

  headers(): RecordHeader[] {
    return this.headersAt(this.#walk.headersStart, this.#walk.headerCount)
  }

  /** The headers of a record gone by, by its `headersStart` and `headerCount`. */
  headersAt(start: number, count: number): RecordHeader[] {
    const headers: RecordHeader[] = []
    let at = start
    for (let index = 0; index < count; index++) {
      // The walk has been over them: lengths are inside the record.
      const name = this.#field(at)
      at = varintEnd + name!.length
      const value = this.#field(at)
      at = varintEnd + (value?.length ?? 0)
      headers.push({ name: name!, value })
    }
    return headers
  }

  /** The current record as an object. */
  record(): StoredRecord {
    return {
      offset: this.offset,
      timestamp: this.timestamp,
      key: this.key(),
      value: this.value(),
      headers: this.headers(),
    }
  }

  #field(at: number): Buffer | null {
    const length = readVarint(this.#bytes, at, this.#bytes.length)
    return length < 0 ? null : this.#bytes.subarray(varintEnd, varintEnd + length)
  }
}

/** The records' bytes of a batch whose header and CRC are good. */
function recordBytes(batch: RecordBatch, options: ReadOptions): Buffer {
  const problem = headerProblem(batch)
  if (problem !== undefined) throw corrupt(problem)
  if (batch.sizeBytes !== batch.buffer.length) {
    throw corrupt(`the batch measures ${batch.sizeBytes} bytes, ${batch.buffer.length} are there`)
  }
  if (!batch.hasValidCrc()) {
    throw corrupt(`the CRC is ${batch.computeCrc()}, the header says ${batch.crc}`)
  }
  const stored = batch.buffer.subarray(RECORD_BATCH_HEADER_BYTES)
  // Compaction may leave a batch without records; then nothing is there to decompress.
  if (stored.length === 0) return stored
  return decompress(batch.compression, stored, options.maxDecompressedBytes, options.scratch)
}
