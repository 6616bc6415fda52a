/**
 * One segment: a `.log` file of record batches from `baseOffset` on, with its two sparse indexes. The
 * active one grows at its end and keeps its indexes in memory; a closed one never changes and loads them
 * when a reader needs them. Which segment is asked, and when one is closed or deleted, is decided above.
 */

import type { LazyFile } from '../file/open-files.ts'
import { type Offset, type Position, toPosition } from '../record/offsets.ts'
import { RECORD_BATCH_HEADER_BYTES, RecordBatch } from '../record/record-batch.ts'
import { BatchScanner, corruption } from './batch-scanner.ts'
import type { OffsetIndex } from './offset-index.ts'
import type { TimeIndex } from './time-index.ts'

/** Reads of this many recent readers find their place without a look at the index. */
const READ_HINTS_MAX = 32
/** How far to read ahead when looking for a batch near an index entry: headers, mostly. */
const LOOKUP_CHUNK_BYTES = 8 * 1024

export interface SegmentIndexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
}

export class Segment {
  readonly baseOffset: Offset
  readonly file: LazyFile
  /** Indexes of a closed segment come from here when a reader needs them. */
  readonly #loadIndexes: (segment: Segment) => Promise<SegmentIndexes>
  #indexes: SegmentIndexes | undefined
  #sizeBytes = 0
  #bytesSinceIndexEntry = 0
  #maxTimestamp = -1
  #offsetOfMaxTimestamp: Offset
  #firstAppendMs = -1
  #lastAppendMs: number
  /** Where the batch that begins with this offset lies: left by readers for their next read. */
  readonly #hints = new Map<Offset, Position>()
  #readsInFlight = 0
  #onIdle: (() => void) | undefined

  constructor(options: {
    baseOffset: Offset
    file: LazyFile
    sizeBytes: number
    lastAppendMs: number
    loadIndexes: (segment: Segment) => Promise<SegmentIndexes>
  }) {
    this.baseOffset = options.baseOffset
    this.file = options.file
    this.#sizeBytes = options.sizeBytes
    this.#lastAppendMs = options.lastAppendMs
    this.#offsetOfMaxTimestamp = options.baseOffset
    this.#loadIndexes = options.loadIndexes
  }

  /** Bytes of whole batches written to the file; not all of them need be flushed. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Wall clock of the first append since the segment was opened; -1 when there was none. */
  get firstAppendMs(): number {
    return this.#firstAppendMs
  }

  get lastAppendMs(): number {
    return this.#lastAppendMs
  }

  /** Makes this the active segment, with indexes in memory that grow with it. */
  activate(
    indexes: SegmentIndexes,
    newest: { maxTimestamp: number; offset: Offset } | undefined,
  ): void {
    this.#indexes = indexes
    this.#maxTimestamp = newest?.maxTimestamp ?? -1
    this.#offsetOfMaxTimestamp = newest?.offset ?? this.baseOffset
    if (this.#sizeBytes > 0) this.#firstAppendMs = this.#lastAppendMs
  }

  /** The indexes of the active segment. */
  get activeIndexes(): SegmentIndexes {
    if (this.#indexes === undefined) throw new Error(`segment ${this.baseOffset} is not active`)
    return this.#indexes
  }

  /** Ends its growth: the last time entry is written, the indexes leave memory once they are on disk. */
  sealTimeIndex(): void {
    if (this.#maxTimestamp < 0) return
    this.activeIndexes.times.appendIfYounger(this.#maxTimestamp, this.#offsetOfMaxTimestamp)
  }

  releaseIndexes(): void {
    this.#indexes = undefined
  }

  /** Takes note of a batch that lies at the end of the file; rules of Kafka's `LogSegment.append`. */
  noteAppended(batch: RecordBatch, intervalBytes: number, nowMs: number): void {
    const { offsets, times } = this.activeIndexes
    if (batch.maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = batch.maxTimestamp
      this.#offsetOfMaxTimestamp = batch.lastOffset
    }
    if (this.#bytesSinceIndexEntry > intervalBytes) {
      offsets.append(batch.lastOffset, toPosition(this.#sizeBytes))
      times.appendIfYounger(this.#maxTimestamp, this.#offsetOfMaxTimestamp)
      this.#bytesSinceIndexEntry = 0
    }
    this.#sizeBytes += batch.sizeBytes
    this.#bytesSinceIndexEntry += batch.sizeBytes
    if (this.#firstAppendMs < 0) this.#firstAppendMs = nowMs
    this.#lastAppendMs = nowMs
  }

  /** The youngest timestamp in the segment; -1 when it holds no record. */
  async maxTimestamp(): Promise<number> {
    if (this.#indexes !== undefined) return this.#maxTimestamp
    const { times } = await this.#loadIndexes(this)
    return times.last?.timestamp ?? -1
  }

  /** The largest timestamp in the first batch; of the last append where that says none. For a closed segment. */
  async firstTimestamp(): Promise<number> {
    const header = Buffer.allocUnsafe(RECORD_BATCH_HEADER_BYTES)
    const bytes = await this.file.read(header, 0)
    const timestamp = bytes < header.length ? -1 : new RecordBatch(header).maxTimestamp
    return timestamp < 0 ? this.#lastAppendMs : timestamp
  }

  /**
   * The position of the batch that holds `offset`, or of the first one beyond it. `to` is how far the file may
   * be read; the answer is `to` when there is no such batch.
   */
  async positionOf(offset: Offset, to: number): Promise<Position> {
    const hint = this.#hints.get(offset)
    if (hint !== undefined && hint <= to) return hint
    if (offset <= this.baseOffset) return toPosition(0)
    const { offsets } = this.#indexes ?? (await this.#loadIndexes(this))
    const scanner = new BatchScanner(this.file, {
      from: offsets.lookup(offset),
      to,
      chunkBytes: LOOKUP_CHUNK_BYTES,
    })
    while (true) {
      const batch = scanner.take()
      if (batch === undefined) {
        if (await scanner.fill()) continue
        if (scanner.problem !== undefined) throw corruption(this.file.path, scanner.problem)
        return toPosition(to)
      }
      if (batch.lastOffset >= offset) return scanner.takenPosition
    }
  }

  /** Remembers that the batch beginning with `offset` lies at `position`. */
  leaveHint(offset: Offset, position: Position): void {
    this.#hints.set(offset, position)
    if (this.#hints.size <= READ_HINTS_MAX) return
    const oldest = this.#hints.keys().next()
    if (!oldest.done) this.#hints.delete(oldest.value)
  }

  /** An offset from which on all records at or after `timestamp` lie. */
  async offsetBefore(timestamp: number): Promise<Offset> {
    const { times } = this.#indexes ?? (await this.#loadIndexes(this))
    return times.lookup(timestamp)
  }

  /** Runs `read` with the promise that the file is not removed before it ends. */
  async whileReading<T>(read: () => Promise<T>): Promise<T> {
    this.#readsInFlight++
    try {
      return await read()
    } finally {
      this.#readsInFlight--
      if (this.#readsInFlight === 0) this.#onIdle?.()
    }
  }

  /** Resolves when no read is in flight. */
  whenIdle(): Promise<void> {
    if (this.#readsInFlight === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }
}
