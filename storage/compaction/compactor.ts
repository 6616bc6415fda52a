/**
 * One compaction of one log. First the dirty part is read, and the last offset of every key noted, as far
 * as memory reaches. Then everything from the log's start to there is copied, group by group, without the
 * records that have a later one, and each group takes the place of its segments before the next is begun.
 * In that order a record that deletes a key is never without its date before all that it deletes is gone. At
 * last the new beginning of the dirty part is written down.
 *
 * What is read is checked to the last byte, and nothing is replaced by what was made of unsound bytes.
 * Whether a compaction is due is decided in `log-compaction.ts` and `cleaner.ts`.
 */

import { isDeletedByAge, type LogConfig } from '../config.ts'
import { StorageError } from '../errors.ts'
import { RELATIVE_OFFSET_MAX } from '../log/offset-index.ts'
import type { OneAtATime } from '../log/one-at-a-time.ts'
import type { Segment } from '../log/segment.ts'
import type { LogFiles } from '../log/segment-files.ts'
import type { SegmentList } from '../log/segment-list.ts'
import { type Offset, toOffset } from '../record/offsets.ts'
import { groupsOf } from './cleanable.ts'
import { CleanedSegment } from './cleaned-segment.ts'
import { writeCompactionPoint } from './compaction-point.ts'
import type { WorkTotals } from './compaction-work.ts'
import type { Pace } from './pace.ts'
import { readPieces } from './segment-pieces.ts'
import { swapSegments } from './segment-swap.ts'
import type { WorkPlace } from './work-place.ts'

/** The log to be compacted, as it is when that begins. */
export interface LogToCompact {
  readonly files: LogFiles
  readonly segments: SegmentList
  /** For whoever changes which closed segments there are. */
  readonly changes: OneAtATime
  readonly config: LogConfig
  readonly logStartOffset: Offset
  /** Last offset of the newest batch of each producer that is remembered. */
  readonly newestOfProducers: ReadonlySet<number>
  /** Wall clock. */
  readonly nowMs: number
}

/** The closed segments it may look at, which follow each other, and where the dirty part begins. */
export interface RangeToCompact {
  readonly segments: readonly Segment[]
  readonly firstDirty: Offset
  readonly endOffset: Offset
}

export interface CompactionLimits {
  readonly pace: Pace
  /** Where the heavy part runs. */
  readonly work: WorkPlace
  /** Read at once, but always one whole batch. */
  readonly bufferBytes: number
  readonly maxDecompressedBytes: number
  /** Memory for keys. */
  readonly mapBytesMax: number
  /** Left free on the disk. */
  readonly reserveBytes: number
}

export interface Compacted extends WorkTotals {
  /** Where the dirty part begins now. */
  readonly firstDirty: Offset
  readonly readBytes: number
  readonly writtenBytes: number
  readonly segmentsRead: number
  readonly segmentsWritten: number
}

/**
 * Compacts the log. Throws `CompactionStopped`, `SwapFailure`, `StorageError` or the disk's errors; the
 * groups that took their place by then stay.
 */
export async function compact(
  log: LogToCompact,
  range: RangeToCompact,
  limits: CompactionLimits,
): Promise<Compacted> {
  const compaction = new Compaction(log, range, limits)
  try {
    const firstDirty = await compaction.run()
    return { firstDirty, ...compaction.counts, ...(await limits.work.end()) }
  } catch (error) {
    // It may have been the thread itself that failed.
    await limits.work.end().catch(() => {})
    throw error
  }
}

class Compaction {
  readonly counts = { readBytes: 0, writtenBytes: 0, segmentsRead: 0, segmentsWritten: 0 }
  readonly #log: LogToCompact
  readonly #range: RangeToCompact
  readonly #limits: CompactionLimits

  constructor(log: LogToCompact, range: RangeToCompact, limits: CompactionLimits) {
    this.#log = log
    this.#range = range
    this.#limits = limits
  }

  /** Returns where the dirty part begins now. */
  async run(): Promise<Offset> {
    const { firstDirty, endOffset } = this.#range
    const { work, mapBytesMax, maxDecompressedBytes } = this.#limits
    await work.begin({ firstDirty, endOffset, mapBytesMax, maxDecompressedBytes })
    const mapEnd = await this.#noteKeys()
    const { logStartOffset, newestOfProducers, nowMs, config } = this.#log
    const { deleteRetentionMs } = config
    const rules = { mapEnd, logStartOffset, newestOfProducers, nowMs, deleteRetentionMs }
    await work.beginCopies(rules)
    await this.#copyBelow(mapEnd)
    await writeCompactionPoint(this.#log.files, mapEnd)
    return mapEnd
  }

  /** Notes the keys of the dirty part; returns the first offset that was not. */
  async #noteKeys(): Promise<Offset> {
    const { segments, firstDirty, endOffset } = this.#range
    for (const [index, segment] of segments.entries()) {
      const nextOffset = segments[index + 1]?.baseOffset ?? endOffset
      if (nextOffset <= firstDirty) continue
      const fullAt = await segment.whileReading(() => this.#noteSegment(segment, nextOffset))
      if (fullAt >= 0) return toOffset(fullAt)
    }
    return endOffset
  }

  /** The first offset whose key had no room, or -1. */
  async #noteSegment(segment: Segment, endOffset: Offset): Promise<number> {
    const from = await segment.positionOf(this.#range.firstDirty, segment.sizeBytes)
    let fullAt = -1
    const range = { from, endOffset }
    this.counts.readBytes += await readPieces(segment, range, this.#limits, async (piece) => {
      const noted = await this.#limits.work.note(piece)
      if (noted.isFull) fullAt = noted.nextOffset
      return noted
    })
    return fullAt
  }

  async #copyBelow(mapEnd: Offset): Promise<void> {
    const { segments, endOffset } = this.#range
    const below = segments.filter(({ baseOffset }) => baseOffset < mapEnd)
    const end = segments[below.length]?.baseOffset ?? endOffset
    const { config } = this.#log
    // Records of many ages in one segment would be as young as the youngest, and never be deleted for their age.
    const bytesMax = isDeletedByAge(config) ? 0 : config.segmentBytes
    const groups = groupsOf(below, end, {
      bytesMax: Math.min(bytesMax, await this.#roomBytes()),
      offsetsMax: RELATIVE_OFFSET_MAX,
    })
    for (const [index, group] of groups.entries()) {
      await this.#copyGroup(group, groups[index + 1]?.[0]?.baseOffset ?? end)
    }
  }

  async #copyGroup(group: readonly Segment[], endOffset: Offset): Promise<void> {
    const { files, segments, changes, config } = this.#log
    const { baseOffset } = group[0]!
    await this.#checkRoom(group)
    const cleaned = await CleanedSegment.create(files, baseOffset, {
      indexIntervalBytes: config.indexIntervalBytes,
      lastAppendMs: Math.max(...group.map(({ lastAppendMs }) => lastAppendMs)),
    })
    try {
      await this.#limits.work.beginSegment(baseOffset)
      let isSame = group.length === 1
      for (const [index, segment] of group.entries()) {
        const nextOffset = group[index + 1]?.baseOffset ?? endOffset
        const isWhole = await segment.whileReading(() => this.#copy(segment, nextOffset, cleaned))
        isSame &&= isWhole
      }
      if (isSame) return await cleaned.abandon()
      await cleaned.append(await this.#limits.work.endSegment(endOffset))
      await cleaned.finish()
      // The last moment at which it can be stopped.
      this.#limits.pace.checkGoing()
    } catch (error) {
      await cleaned.abandon()
      throw error
    }
    await changes.run(() => swapSegments(files, segments, group, cleaned))
    this.counts.segmentsRead += group.length
    this.counts.segmentsWritten += 1
  }

  /** Copies what is left of `segment`; true when that was all of it. */
  async #copy(segment: Segment, endOffset: Offset, cleaned: CleanedSegment): Promise<boolean> {
    const { work, pace } = this.#limits
    let isWhole = true
    this.counts.readBytes += await readPieces(
      segment,
      { endOffset },
      this.#limits,
      async (piece) => {
        const copied = await work.copy(piece)
        isWhole &&= copied.isWhole
        if (copied.problem === undefined) {
          await cleaned.append(copied.output)
          this.counts.writtenBytes += copied.output.length
          await pace.moved(copied.output.length)
        }
        return copied
      },
    )
    return isWhole
  }

  /** What is left may be as large as what there is; the rest of the disk is for others. */
  async #checkRoom(group: readonly Segment[]): Promise<void> {
    const neededBytes = group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const freeBytes = await this.#roomBytes()
    if (freeBytes >= neededBytes) return
    throw new StorageError(
      'DISK_FULL',
      `compacting needs ${neededBytes} bytes beside the disk's reserve, ${freeBytes} are free`,
    )
  }

  /** Beside the disk's reserve. */
  async #roomBytes(): Promise<number> {
    const { fileSystem, directory } = this.#log.files
    return Math.max(0, (await fileSystem.freeBytes(directory)) - this.#limits.reserveBytes)
  }
}
