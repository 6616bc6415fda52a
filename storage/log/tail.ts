/**
 * The growing end of one log: the active segment, how much of it is written and how much is flushed, and
 * the recovery point on disk that says so after a crash. Does one thing at a time as the appender tells
 * it; decides neither what goes into a group nor what a failure means to those who wait.
 *
 *     …closed segments│ active segment                         │
 *                     │ flushed            │ written           │ enqueued (in memory)
 *                     └ baseOffset         └ flushedOffset     └ writtenOffset        └ logEndOffset
 */

import type { Clock } from '../clock.ts'
import type { StorageFile } from '../file/file-system.ts'
import type { RecoveryPointFile } from '../file/recovery-point.ts'
import { type Offset, type Position, toOffset, toPosition } from '../record/offsets.ts'
import { RecordBatch } from '../record/record-batch.ts'
import type { AppendGroup } from './append-group.ts'
import { type Durability, SyncFailure } from './durability.ts'
import type { ProducerState } from './producer-state.ts'
import {
  closeSegmentFiles,
  createSegment,
  type LogFiles,
  writeProducerSnapshot,
} from './segment-files.ts'
import type { SegmentList } from './segment-list.ts'

/** The recovery point is synced after this many bytes of log: bounds what recovery must check. */
export const RECOVERY_POINT_SYNC_BYTES = 64 * 1024 * 1024

export class LogTail {
  readonly #files: LogFiles
  readonly #segments: SegmentList
  readonly #recoveryPoint: RecoveryPointFile
  readonly #durability: Durability
  readonly #producers: ProducerState
  readonly #clock: Clock
  /** Invariant: flushedOffset <= writtenOffset, and neither falls but by `cut`, which moves neither. */
  #writtenOffset: Offset
  #flushedOffset: Offset
  #flushedPosition: Position
  #logStartOffset: Offset
  /** What slots say: ahead of `#logStartOffset` while a move of it is on its way to disk. */
  #recordedStart: Offset
  #lastSyncedAtMs = 0
  /** The recovery point says so, durably, before the first group is acknowledged without a sync. */
  #isRelaxed: boolean
  /** Nothing changed since all a clean start needs was on disk. */
  #isSealed: boolean
  #bytesSincePointSync = 0
  /** What the next commit covers, for a durability that needs the bytes again. */
  #buffersInFlight: readonly Buffer[] = []

  constructor(options: {
    files: LogFiles
    segments: SegmentList
    recoveryPoint: RecoveryPointFile
    durability: Durability
    producers: ProducerState
    clock: Clock
    endOffset: Offset
    logStartOffset: Offset
    isSealed: boolean
  }) {
    this.#files = options.files
    this.#segments = options.segments
    this.#recoveryPoint = options.recoveryPoint
    this.#durability = options.durability
    this.#producers = options.producers
    this.#clock = options.clock
    this.#writtenOffset = options.endOffset
    this.#flushedOffset = options.endOffset
    this.#flushedPosition = toPosition(options.segments.active.sizeBytes)
    this.#logStartOffset = options.logStartOffset
    this.#recordedStart = options.logStartOffset
    this.#isRelaxed = options.recoveryPoint.current.isRelaxed
    this.#isSealed = options.isSealed
  }

  get writtenOffset(): Offset {
    return this.#writtenOffset
  }

  get flushedOffset(): Offset {
    return this.#flushedOffset
  }

  /** Where in the active segment the flushed bytes end. */
  get flushedPosition(): Position {
    return this.#flushedPosition
  }

  get logStartOffset(): Offset {
    return this.#logStartOffset
  }

  get hasUnflushed(): boolean {
    return this.#flushedOffset < this.#writtenOffset
  }

  get unflushedRecords(): number {
    return this.#writtenOffset - this.#flushedOffset
  }

  /** Writes a group at the end of the active segment, unsynced. On failure nothing is noted: `cut` next. */
  async write(group: AppendGroup, indexIntervalBytes: number): Promise<void> {
    const segment = this.#segments.active
    if (group.baseOffset !== this.#writtenOffset) {
      throw new Error(`group begins at ${group.baseOffset}, the log ends at ${this.#writtenOffset}`)
    }
    this.#isSealed = false
    if (!group.waitsForSync) await this.#relax()
    const { buffers, sizeBytes } = group
    if (!this.#files.smallWrites.write(segment.file, buffers, sizeBytes, segment.sizeBytes)) {
      await segment.file.write(buffers, segment.sizeBytes)
    }
    const nowMs = this.#clock.now()
    for (const buffer of buffers) {
      segment.noteAppended(new RecordBatch(buffer), indexIntervalBytes, nowMs)
    }
    this.#buffersInFlight = group.waitsForSync && !this.hasUnflushed ? buffers : []
    this.#writtenOffset = group.nextOffset
    this.#bytesSincePointSync += group.sizeBytes
  }

  /** From now on every acknowledgement waits for its sync: what lies above the point is one group again. */
  async becomeStrict(): Promise<void> {
    await this.flush()
    if (!this.#isRelaxed) return
    this.#isRelaxed = false
    await this.#syncPoint()
  }

  async #relax(): Promise<void> {
    if (this.#isRelaxed) return
    this.#isRelaxed = true
    await this.#syncPoint()
  }

  /** Makes all that is written durable, and only then moves the recovery point. */
  async flush(): Promise<void> {
    if (!this.hasUnflushed) return
    const segment = this.#segments.active
    await this.#commit(segment.file)
    this.#lastSyncedAtMs = this.#clock.monotonicMs()
    this.#flushedOffset = this.#writtenOffset
    this.#flushedPosition = toPosition(segment.sizeBytes)
    await this.#recordPoint()
    if (this.#bytesSincePointSync >= RECOVERY_POINT_SYNC_BYTES) await this.#syncPoint()
  }

  async #commit(file: StorageFile): Promise<void> {
    try {
      await this.#durability.commit({
        topicId: this.#files.topicId,
        partition: this.#files.partition,
        file,
        position: this.#flushedPosition,
        baseOffset: this.#flushedOffset,
        buffers: this.#buffersInFlight,
        lastSyncedAtMs: this.#lastSyncedAtMs,
      })
    } catch (cause) {
      throw new SyncFailure(cause)
    }
    this.#buffersInFlight = []
  }

  /**
   * Closes the active segment and begins the next one at `writtenOffset`. In this order, so that whatever
   * a crash leaves, a segment that exists has a predecessor that is wholly on disk: sync the log, seal and
   * sync the indexes, write the producer snapshot, sync the directory, create the next segment, sync the
   * directory again (its name must last before anything in it is acknowledged), move the recovery point.
   */
  async roll(): Promise<void> {
    const closing = this.#segments.active
    if (closing.sizeBytes === 0) return
    this.#isSealed = false
    await this.flush()
    await closeSegmentFiles(this.#files, closing)
    await writeProducerSnapshot(this.#files, this.#writtenOffset, this.#producers)
    await this.#files.fileSystem.syncDirectory(this.#files.directory)
    const next = await createSegment(this.#files, this.#writtenOffset, this.#clock.now())
    closing.releaseIndexes()
    this.#segments.push(next)
    this.#flushedPosition = toPosition(0)
    await this.#syncPoint()
  }

  /** Cuts off what a failed write may have left past the written end, durably. */
  async cut(): Promise<void> {
    const { file, sizeBytes } = this.#segments.active
    await file.truncate(sizeBytes)
    await file.sync()
    this.#flushedOffset = this.#writtenOffset
    this.#flushedPosition = toPosition(sizeBytes)
    await this.#recordPoint()
  }

  /**
   * Moves the log's start, durably. Until then nobody is told of it: who removed segments by a start that
   * a crash takes back would leave a log without its first records.
   */
  async moveStart(logStartOffset: Offset): Promise<void> {
    this.#recordedStart = toOffset(Math.max(this.#recordedStart, logStartOffset))
    await this.#syncPoint()
    this.#logStartOffset = toOffset(Math.max(this.#logStartOffset, logStartOffset))
  }

  /** At a clean stop: everything a clean start needs, on disk. */
  async seal(): Promise<void> {
    if (this.#isSealed) return
    await this.flush()
    this.#isRelaxed = false
    await closeSegmentFiles(this.#files, this.#segments.active)
    await writeProducerSnapshot(this.#files, this.#writtenOffset, this.#producers)
    await this.#files.fileSystem.syncDirectory(this.#files.directory)
    await this.#syncPoint()
    this.#isSealed = true
  }

  async close(): Promise<void> {
    await this.#recoveryPoint.close()
    await Promise.all([...this.#segments].map((segment) => segment.file.close()))
  }

  #recordPoint(): Promise<void> | void {
    return this.#recoveryPoint.record({
      segmentBaseOffset: this.#segments.active.baseOffset,
      position: this.#flushedPosition,
      flushedOffset: this.#flushedOffset,
      logStartOffset: this.#recordedStart,
      lastAppendMs: this.#segments.active.lastAppendMs,
      isRelaxed: this.#isRelaxed,
    })
  }

  async #syncPoint(): Promise<void> {
    await this.#recordPoint()
    try {
      await this.#recoveryPoint.sync()
    } catch (cause) {
      throw new SyncFailure(cause)
    }
    this.#bytesSincePointSync = 0
  }
}
