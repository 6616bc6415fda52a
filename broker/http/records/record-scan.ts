/**
 * Walks the records of one partition for a reader: batches are read from the log in pieces of bounded
 * size, decompressed one at a time and looked at by the filter before anything is made of them. It keeps
 * the place (`nextOffset`) from which another scan goes on. What is done with a record is its caller's.
 */

import { RecordCursor } from '../../../storage/record/batch-reader.ts'
import { type Offset, toOffset } from '../../../storage/record/offsets.ts'
import { peekBatchSize, RecordBatch } from '../../../storage/record/record-batch.ts'
import type { Partition } from '../../partition/partition.ts'
import type { RecordFilter } from './record-filter.ts'

/** Stored bytes read from the log at once, where the scan is not told otherwise. */
export const PIECE_BYTES = 512 * 1024

export interface ScanOptions {
  readonly partition: Partition
  readonly from: number
  readonly filter: RecordFilter | undefined
  readonly maxDecompressedBytes: number
  /** Stored bytes read from the log at once, but for a batch that is larger. */
  readonly pieceBytes?: number
  /** Told how much memory the scan takes, before it reads and after; throws where that is too much. */
  readonly hold: (bytes: number) => void
}

const NOTHING = Buffer.alloc(0)

export class RecordScan {
  readonly #partition: Partition
  readonly #filter: RecordFilter | undefined
  readonly #maxDecompressedBytes: number
  readonly #pieceBytes: number
  readonly #hold: (bytes: number) => void
  #piece: Buffer = NOTHING
  #at = 0
  #cursor: RecordCursor | undefined
  /** The offset after the batch that `#cursor` is in. */
  #batchEnd = 0
  #isStopped = false

  /** Where to go on: every record before it was looked at. */
  nextOffset: number
  /** Decompressed bytes of the batches looked at. */
  scannedBytes = 0

  constructor(options: ScanOptions) {
    this.#partition = options.partition
    this.#filter = options.filter
    this.#maxDecompressedBytes = options.maxDecompressedBytes
    this.#pieceBytes = options.pieceBytes ?? PIECE_BYTES
    this.#hold = options.hold
    this.nextOffset = options.from
  }

  /**
   * Makes the batch that holds `nextOffset` (or is the next one there is) ready for `nextRecord`; false
   * when there is none below `upTo`. Throws SpoolError OFFSET_OUT_OF_RANGE, and the engine's errors.
   */
  async nextBatch(upTo: number): Promise<boolean> {
    this.#cursor = undefined
    while (this.nextOffset < upTo && !this.#isStopped) {
      if (this.#at === this.#piece.length) {
        this.#piece = NOTHING
        this.#at = 0
        const read = await this.#partition.read(this.nextOffset, {
          maxBytes: this.#pieceBytes,
          upTo: toOffset(upTo),
          allocate: (bytes) => {
            this.#hold(bytes)
            return Buffer.allocUnsafeSlow(bytes)
          },
        })
        if (read.bytes.length === 0) {
          this.nextOffset = Math.max(this.nextOffset, read.nextOffset)
          return false
        }
        this.#piece = read.bytes
        this.#at = 0
      }
      if (this.#beginBatch()) return true
    }
    // Whoever waits for more holds nothing meanwhile.
    if (this.#at === this.#piece.length) this.#piece = NOTHING
    this.#at = Math.min(this.#at, this.#piece.length)
    this.#hold(this.#piece.length)
    return false
  }

  /** True while a batch that was read already waits for its turn. */
  get hasMoreOfPiece(): boolean {
    return this.#at < this.#piece.length
  }

  /** The next record of the batch that passes the filter, before `upTo`; `undefined` after the last. */
  nextRecord(upTo: number): RecordCursor | undefined {
    const cursor = this.#cursor
    if (cursor === undefined) return undefined
    while (cursor.next()) {
      if (cursor.offset < this.nextOffset) continue
      if (cursor.offset >= upTo) {
        this.nextOffset = upTo
        this.#cursor = undefined
        return undefined
      }
      this.nextOffset = cursor.offset + 1
      if (this.#filter === undefined || this.#filter(cursor)) return cursor
    }
    this.nextOffset = Math.max(this.nextOffset, Math.min(this.#batchEnd, upTo))
    this.#cursor = undefined
    return undefined
  }

  /** Holds nothing from now on; `nextBatch` reads again what it needs. */
  letGo(): void {
    this.#piece = NOTHING
    this.#at = 0
    this.#cursor = undefined
    this.#hold(0)
  }

  /** Ends the scan: the record at `offset`, which was looked at, is where to go on. */
  stopBefore(offset: number): void {
    this.nextOffset = offset
    this.#cursor = undefined
    this.#isStopped = true
  }

  /** False for a batch that holds nothing for readers: markers of transactions. */
  #beginBatch(): boolean {
    const start = this.#at
    this.#at = start + peekBatchSize(this.#piece, start)
    const batch = new RecordBatch(this.#piece.subarray(start, this.#at))
    this.#batchEnd = batch.nextOffset
    if (batch.isControl || batch.nextOffset <= this.nextOffset) {
      this.nextOffset = Math.max(this.nextOffset, batch.nextOffset as Offset)
      return false
    }
    const cursor = new RecordCursor(batch, { maxDecompressedBytes: this.#maxDecompressedBytes })
    // Of a batch that is not compressed the cursor looks at the piece itself.
    const ownBytes = batch.compression === 'none' ? 0 : cursor.bytes.length
    this.#hold(this.#piece.length + ownBytes)
    this.#cursor = cursor
    this.scannedBytes += cursor.bytes.length
    return true
  }
}
