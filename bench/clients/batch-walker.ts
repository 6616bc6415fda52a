/**
 * Follows record batches through a stream that comes in pieces: reads each header, skips each body, keeps
 * nothing. Counts records and knows the next offset to ask for.
 */

import { RECORD_BATCH_HEADER_BYTES, RecordBatch } from '../../storage/record/record-batch.ts'

export class BatchWalker {
  readonly #header = Buffer.allocUnsafe(RECORD_BATCH_HEADER_BYTES)
  #headerSize = 0
  #bodyLeft = 0
  records = 0
  batches = 0
  nextOffset = 0

  take(piece: Buffer): void {
    let at = 0
    while (at < piece.length) {
      if (this.#bodyLeft > 0) {
        const skipped = Math.min(this.#bodyLeft, piece.length - at)
        this.#bodyLeft -= skipped
        at += skipped
        continue
      }
      const wanted = RECORD_BATCH_HEADER_BYTES - this.#headerSize
      const copied = piece.copy(this.#header, this.#headerSize, at, at + wanted)
      this.#headerSize += copied
      at += copied
      if (this.#headerSize === RECORD_BATCH_HEADER_BYTES) this.#headerDone()
    }
  }

  #headerDone(): void {
    const batch = new RecordBatch(this.#header)
    this.records += batch.recordCount
    this.batches++
    this.nextOffset = batch.nextOffset
    this.#bodyLeft = batch.sizeBytes - RECORD_BATCH_HEADER_BYTES
    this.#headerSize = 0
  }
}
