/** A fetched record batch as a reader's supply. */

import { RecordCursor } from '../../storage/record/batch-reader.ts'
import type { RecordBatch } from '../../storage/record/record-batch.ts'
import type { ReadRange, RecordFields, SourceBatch } from '../transport.ts'
import type { FetchedPlace } from './fetch-reply.ts'

export class FetchedBatch implements SourceBatch {
  readonly partition: number
  readonly range: ReadRange
  readonly fromOffset: number
  readonly highWatermark: number
  readonly #batch: RecordBatch
  readonly #decompressedBytesMax: number

  constructor(batch: RecordBatch, place: FetchedPlace, decompressedBytesMax: number) {
    this.partition = place.partition
    this.range = place.range
    this.fromOffset = Math.max(place.offset, batch.baseOffset)
    this.highWatermark = place.highWatermark
    this.#batch = batch
    this.#decompressedBytesMax = decompressedBytesMax
  }

  get baseOffset(): number {
    return this.#batch.baseOffset
  }

  get nextOffset(): number {
    return this.#batch.nextOffset
  }

  get recordCount(): number {
    return this.#batch.recordCount
  }

  get maxTimestamp(): number {
    return this.#batch.maxTimestamp
  }

  get sizeBytes(): number {
    return this.#batch.buffer.length
  }

  get bytes(): Uint8Array {
    return this.#batch.buffer
  }

  cursor(): RecordFields {
    return new RecordCursor(this.#batch, { maxDecompressedBytes: this.#decompressedBytesMax })
  }
}
