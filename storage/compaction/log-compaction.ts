/**
 * Compaction as one log sees it: how dirty it is, that one compaction runs at a time and stops when the log
 * is closed, and what went wrong last. When it is this log's turn among all is `cleaner.ts`'s; what a
 * compaction does is `compactor.ts`'s.
 *
 * A failure changes nothing for those who write and read. The log is left as it is and tried again later; but
 * after a swap that may or may not have begun to count, only a restart can tell.
 */

import type { Clock } from '../clock.ts'
import { isCompacted, type LogConfig, segmentAgeMsMax, UNLIMITED } from '../config.ts'
import { StorageError } from '../errors.ts'
import { fileErrorCode } from '../file/file-system.ts'
import type { OneAtATime } from '../log/one-at-a-time.ts'
import type { Segment } from '../log/segment.ts'
import type { LogFiles } from '../log/segment-files.ts'
import type { SegmentList } from '../log/segment-list.ts'
import { type Offset, toOffset } from '../record/offsets.ts'
import { type Dirt, dirtOf, dirtyRatio } from './cleanable.ts'
import { readCompactionPoint } from './compaction-point.ts'
import { type Compacted, type CompactionLimits, compact, type RangeToCompact } from './compactor.ts'
import { CompactionStopped, Pace, type Throttle } from './pace.ts'
import { SwapFailure } from './segment-swap.ts'

export interface LogCompactionOptions {
  readonly files: LogFiles
  readonly segments: SegmentList
  readonly changes: OneAtATime
  readonly clock: Clock
  config(): LogConfig
  logStartOffset(): Offset
  /** Everything below it is on stable storage and stays, whatever happens. */
  settledOffset(): Offset
  newestOfProducers(): ReadonlySet<number>
  /** False once the disk failed or the log is closed: then nothing is begun. */
  isUsable(): boolean
  roll(): Promise<void>
}

/** How a log stands before a compaction. */
export interface LogDirt extends Dirt {
  readonly ratio: number
  /** Dirty enough, or for too long. */
  readonly isDue: boolean
}

/** What a compaction is given by who takes the logs in turn. */
export type SharedLimits = Omit<CompactionLimits, 'pace'> & { readonly throttle: Throttle }

/** After a failure another try is of use only when something may have changed. */
const RETRY_AFTER_MS = 5 * 60_000

export class LogCompaction {
  readonly #options: LogCompactionOptions
  /** Read when it is first asked for. */
  #firstDirty: Offset | undefined
  #running: { readonly pace: Pace; readonly done: Promise<unknown> } | undefined
  #isClosed = false
  #dirtyRatio = 0
  #failure: { readonly reason: string; readonly retryAtMs: number } | undefined

  constructor(options: LogCompactionOptions) {
    this.#options = options
  }

  /** The dirty part of what can be compacted, when that was last looked at. */
  get dirtyRatio(): number {
    return isCompacted(this.#options.config()) ? this.#dirtyRatio : 0
  }

  /** Why the last compaction came to nothing, for anybody to read; `undefined` when all is well. */
  get failure(): string | undefined {
    return isCompacted(this.#options.config()) ? this.#failure?.reason : undefined
  }

  /** Stops what runs where the log is not to be compacted any more. */
  configChanged(): void {
    if (!isCompacted(this.#options.config())) this.#running?.pace.stop()
  }

  /** How dirty the log is; `undefined` for one that is not compacted, or cannot be now. */
  async dirt(): Promise<LogDirt | undefined> {
    const { clock, config, isUsable } = this.#options
    if (!isCompacted(config()) || this.#running !== undefined) return undefined
    if (this.#isClosed || !isUsable()) return undefined
    if (clock.monotonicMs() < (this.#failure?.retryAtMs ?? Number.NEGATIVE_INFINITY)) {
      return undefined
    }
    await this.#rollIfOld()
    const range = await this.#range()
    const dirt = dirtOf(range.segments, range.firstDirty, range.endOffset)
    const ratio = dirtyRatio(dirt)
    this.#dirtyRatio = ratio
    const { minCleanableDirtyRatio } = config()
    const isDue =
      dirt.dirtyBytes > 0 && (ratio >= minCleanableDirtyRatio || (await this.#isOverdue(range)))
    return { ...dirt, ratio, isDue }
  }

  /**
   * Compacts the log, whether or not it is due. `undefined` when it was stopped, or there was nothing to do;
   * throws what made it fail, which is remembered.
   */
  async run(limits: SharedLimits): Promise<Compacted | undefined> {
    const { clock, isUsable, config } = this.#options
    if (this.#isClosed || !isUsable() || !isCompacted(config())) return undefined
    if (this.#running !== undefined) throw new Error('the log is being compacted already')
    const pace = new Pace(clock, limits.throttle)
    const result = this.#compact({ ...limits, pace })
    const done = result.catch(() => {})
    this.#running = { pace, done }
    try {
      return await result
    } finally {
      this.#running = undefined
    }
  }

  /** Nothing is begun any more; what runs ends soon, at a point where nothing is half done. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#running?.pace.stop()
    await this.#running?.done
  }

  async #compact(limits: CompactionLimits): Promise<Compacted | undefined> {
    const { files, segments, changes, clock } = this.#options
    const logStartOffset = this.#options.logStartOffset()
    try {
      const range = await this.#range()
      if (range.endOffset <= range.firstDirty) return undefined
      const log = {
        ...{ files, segments, changes, logStartOffset },
        config: this.#options.config(),
        newestOfProducers: this.#options.newestOfProducers(),
        nowMs: clock.now(),
      }
      const compacted = await compact(log, range, limits)
      this.#firstDirty = compacted.firstDirty
      this.#failure = undefined
      return compacted
    } catch (error) {
      // A segment may have been deleted as too old just when it was to be read.
      const isShortened = this.#options.logStartOffset() > logStartOffset
      const isNothing = isShortened && !(error instanceof SwapFailure)
      if (isNothing || error instanceof CompactionStopped) return undefined
      this.#failed(error)
      throw error
    }
  }

  #failed(error: unknown): void {
    const isForGood = error instanceof SwapFailure
    const retryAtMs = isForGood
      ? Number.POSITIVE_INFINITY
      : this.#options.clock.monotonicMs() + RETRY_AFTER_MS
    this.#failure = { reason: reasonOf(error), retryAtMs }
  }

  /** What may be compacted now: closed segments that are settled and, if the log wants that, old enough. */
  async #range(): Promise<RangeToCompact> {
    const { segments, clock } = this.#options
    const firstDirty = await this.#knownFirstDirty()
    const { minCompactionLagMs } = this.#options.config()
    const settled = this.#options.settledOffset()
    const youngest = clock.now() - minCompactionLagMs
    const logStartOffset = this.#options.logStartOffset()
    const taken: Segment[] = []
    let endOffset = logStartOffset
    for (const segment of segments.closed) {
      const nextOffset = segments.after(segment)?.baseOffset
      if (nextOffset === undefined || nextOffset > settled) break
      // On its way out.
      if (nextOffset <= logStartOffset) continue
      const isYoung =
        minCompactionLagMs > 0 &&
        nextOffset > firstDirty &&
        (await segment.whileReading(() => segment.maxTimestamp())) > youngest
      if (isYoung) break
      taken.push(segment)
      endOffset = nextOffset
    }
    const dirtyFrom = toOffset(Math.max(logStartOffset, firstDirty))
    return { segments: taken, firstDirty: dirtyFrom, endOffset }
  }

  /** A point beyond the closed segments is of another log than this one: then nothing was looked at. */
  async #knownFirstDirty(): Promise<Offset> {
    const { files, segments } = this.#options
    const known = this.#firstDirty ?? (await readCompactionPoint(files))
    this.#firstDirty = known <= segments.active.baseOffset ? known : toOffset(0)
    return this.#firstDirty
  }

  /** Whether the oldest dirty segment waits for longer than `max.compaction.lag.ms`. */
  async #isOverdue({ segments, firstDirty, endOffset }: RangeToCompact): Promise<boolean> {
    const { maxCompactionLagMs } = this.#options.config()
    if (maxCompactionLagMs === UNLIMITED) return false
    const oldest = segments.find(
      (_, index) => (segments[index + 1]?.baseOffset ?? endOffset) > firstDirty,
    )
    if (oldest === undefined) return false
    const oldestMs = await oldest.whileReading(() => oldest.firstTimestamp())
    return oldestMs <= this.#options.clock.now() - maxCompactionLagMs
  }

  /** A log that nobody writes to any more would never close its last segment. */
  async #rollIfOld(): Promise<void> {
    const { segments, clock } = this.#options
    const { sizeBytes, firstAppendMs } = segments.active
    const isOld = clock.now() - firstAppendMs > segmentAgeMsMax(this.#options.config())
    if (sizeBytes > 0 && isOld) await this.#options.roll()
  }
}

/** Without the paths that the disk's own errors hold. */
function reasonOf(error: unknown): string {
  if (error instanceof StorageError) return error.message
  if (error instanceof SwapFailure) {
    return `a compacted segment could not take its place (${reasonOf(error.cause)}); the next start tells whether it did`
  }
  const code = fileErrorCode(error)
  if (code !== undefined) return `the disk failed with ${code}`
  return 'an internal error, which the log of the broker describes'
}
