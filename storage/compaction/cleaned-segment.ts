/**
 * A segment that compaction is making, under names that mean nothing (`.cleaned`) until it is whole and on
 * stable storage. Takes what is left of one or more segments and the empty batches that stand for the rest:
 * in a segment, compacted or not, every batch begins where the one before it ends.
 *
 *     of      [0–9][10–19][20–29][30–39]│[40–49][50–59]│[60 …
 *     left    [0–9]         [20–29]             [50–59]
 *     made    [0–9][10–19 ∅][20–29][30–49 ∅][50–59]│[60 …
 *
 * How it takes the place of the others is `segment-swap.ts`.
 */

import { StorageError } from '../errors.ts'
import { createAfresh } from '../file/checkpoint.ts'
import { fileErrorCode } from '../file/file-system.ts'
import { CLEANED_SUFFIX, type SegmentSuffix } from '../file/names.ts'
import type { Segment } from '../log/segment.ts'
import {
  emptyIndexes,
  type LogFiles,
  openSegment,
  segmentPath,
  writeWhole,
} from '../log/segment-files.ts'
import type { Offset } from '../record/offsets.ts'
import { peekBatchSize, RecordBatch } from '../record/record-batch.ts'

/** Positions in an index are read as signed numbers of 32 bits by Kafka's tools. */
const SEGMENT_BYTES_MAX = 2 ** 31 - 1
/**
 * Unsynced at most. The file system writes what others sync together with what it has of ours: with a
 * gigabyte unsynced, an append would wait for all of it.
 */
const UNSYNCED_BYTES_MAX = 8 * 1024 * 1024

export class CleanedSegment {
  readonly segment: Segment
  readonly #files: LogFiles
  readonly #indexIntervalBytes: number
  #syncedBytes = 0

  private constructor(files: LogFiles, segment: Segment, indexIntervalBytes: number) {
    this.#files = files
    this.segment = segment
    this.#indexIntervalBytes = indexIntervalBytes
  }

  /** Begins an empty one, in place of what an attempt before may have left. */
  static async create(
    files: LogFiles,
    baseOffset: Offset,
    options: {
      readonly indexIntervalBytes: number
      /** Of the segments it is made of: retention goes by it. */
      readonly lastAppendMs: number
    },
  ): Promise<CleanedSegment> {
    const path = segmentPath(files, baseOffset, '.log') + CLEANED_SUFFIX
    const created = await createAfresh(files.fileSystem, path)
    await created.close()
    const { lastAppendMs } = options
    const segment = openSegment(files, baseOffset, { sizeBytes: 0, lastAppendMs, path })
    segment.activate(emptyIndexes(baseOffset), undefined)
    return new CleanedSegment(files, segment, options.indexIntervalBytes)
  }

  /** Adds whole batches, each beginning where the one before it ends. */
  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { segment } = this
    const position = segment.sizeBytes
    if (position + bytes.length > SEGMENT_BYTES_MAX) throw doesNotFit(segment)
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < buffer.length; ) {
      const batch = new RecordBatch(buffer.subarray(at, at + peekBatchSize(buffer, at)))
      segment.noteAppended(batch, this.#indexIntervalBytes, segment.lastAppendMs)
      at += batch.sizeBytes
    }
    await segment.file.write([buffer], position)
    if (segment.sizeBytes - this.#syncedBytes < UNSYNCED_BYTES_MAX) return
    await segment.file.sync()
    this.#syncedBytes = segment.sizeBytes
  }

  /** Everything is there: makes the files whole and durable. */
  async finish(): Promise<void> {
    const { segment } = this
    await segment.file.sync()
    segment.sealTimeIndex()
    const { offsets, times } = segment.activeIndexes
    await writeWhole(this.#files, this.#pathOf('.index'), offsets.bytes)
    await writeWhole(this.#files, this.#pathOf('.timeindex'), times.bytes)
    await this.#files.fileSystem.setModifiedAt(this.#pathOf('.log'), segment.lastAppendMs)
  }

  /** Removes what there is of it. What cannot be removed is, at the next start. */
  async abandon(): Promise<void> {
    await this.segment.file.close().catch(() => {})
    for (const suffix of ['.log', '.index', '.timeindex'] as const) {
      try {
        await this.#files.fileSystem.removeFile(this.#pathOf(suffix))
      } catch (error) {
        if (fileErrorCode(error) === 'ENOENT') continue
        this.#files.logger.warn({ error }, 'what was left of a compaction could not be removed')
      }
    }
  }

  #pathOf(suffix: SegmentSuffix): string {
    return segmentPath(this.#files, this.segment.baseOffset, suffix) + CLEANED_SUFFIX
  }
}

/** Batches may be larger when they are compressed anew: by another library, or at another level. */
function doesNotFit(segment: Segment): StorageError {
  return new StorageError(
    'KAFKA_STORAGE_ERROR',
    `what is left of the segment at ${segment.baseOffset} would exceed ${SEGMENT_BYTES_MAX} bytes`,
  )
}
