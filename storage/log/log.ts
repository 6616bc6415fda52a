/**
 * One partition's log: the only way in and out of it. Fixes the order of appends synchronously, gives
 * durability as a promise, and caps every reader at the high watermark. Composes the parts of this
 * folder; how bytes get to disk is `appender.ts` and `tail.ts`, how they are found `log-reader.ts`.
 *
 * Not for: who leads the partition or how many replicas have it (broker/partition), names of topics and
 * their settings (broker/topics), opening and recovery (`log-open.ts`).
 */

import type { Clock, Timer } from '../clock.ts'
import { LogCompaction } from '../compaction/log-compaction.ts'
import { acknowledgesAfterSync, type LogConfig } from '../config.ts'
import { StorageError } from '../errors.ts'
import { type Offset, toOffset, toPosition } from '../record/offsets.ts'
import { AppendLine } from './append-line.ts'
import { Appender, type AppenderEvents } from './appender.ts'
import type { Durability } from './durability.ts'
import { HighWatermark } from './high-watermark.ts'
import {
  type AppendOptions,
  appendReply,
  closedLog,
  type LogAppend,
  offlineLog,
  requireOffset,
  validatedBatch,
} from './log-append.ts'
import type { OpenedLog } from './log-open.ts'
import { LogPrefix } from './log-prefix.ts'
import {
  findByTime,
  type LogRead,
  outOfRange,
  type ReadLimit,
  type ReadWish,
  readBatches,
  type TimedOffset,
} from './log-reader.ts'
import { OneAtATime } from './one-at-a-time.ts'
import type { ProducerState } from './producer-state.ts'
import type { LogFiles } from './segment-files.ts'
import type { SegmentList } from './segment-list.ts'
import { LogTail } from './tail.ts'

export interface LogOptions {
  readonly topic: string
  readonly files: LogFiles
  readonly config: LogConfig
  readonly clock: Clock
  readonly durability: Durability
  readonly groupBytesMax: number
  readonly maxDecompressedBytes: number
}

const RESOLVED = Promise.resolve()

export class Log {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly #files: LogFiles
  readonly #clock: Clock
  readonly #maxDecompressedBytes: number
  readonly #segments: SegmentList
  readonly #producers: ProducerState
  readonly #tail: LogTail
  readonly #appender: Appender
  readonly #line: AppendLine
  readonly #prefix: LogPrefix
  readonly compaction: LogCompaction
  #config: LogConfig
  #leaderEpoch = -1
  #isClosed = false
  /** Invariant: highWatermark <= writtenOffset <= logEndOffset. */
  readonly #highWatermark: HighWatermark
  #flushTimer: Timer | undefined

  constructor(options: LogOptions, opened: OpenedLog) {
    this.topic = options.topic
    this.topicId = options.files.topicId
    this.partition = options.files.partition
    this.#files = options.files
    this.#config = options.config
    this.#clock = options.clock
    this.#maxDecompressedBytes = options.maxDecompressedBytes
    this.#segments = opened.segments
    this.#producers = opened.producers
    this.#highWatermark = new HighWatermark(opened.endOffset)
    this.#tail = new LogTail({ ...options, ...opened })
    this.#appender = new Appender(this.#tail, this.#appenderEvents(), () => this.#config)
    this.#line = new AppendLine(
      this.#appender,
      options.groupBytesMax,
      opened.endOffset,
      opened.segments.active,
    )
    const { segments, producers } = opened
    // Of which closed segments there are: one changes it by their age, the other by what is in them.
    const shared = { ...options, segments, changes: new OneAtATime() }
    this.#prefix = new LogPrefix({ ...shared, tail: this.#tail, appender: this.#appender })
    this.compaction = new LogCompaction({
      ...shared,
      config: () => this.#config,
      logStartOffset: () => this.logStartOffset,
      settledOffset: () => toOffset(Math.min(this.flushedOffset, this.highWatermark)),
      newestOfProducers: () => producers.lastOffsets(),
      isUsable: () => !this.#isClosed && !this.isOffline,
      roll: () => this.roll(),
    })
  }

  get config(): LogConfig {
    return this.#config
  }

  /** The first offset that can be read. */
  get logStartOffset(): Offset {
    return this.#tail.logStartOffset
  }

  /** The offset the next appended record gets. */
  get logEndOffset(): Offset {
    return this.#line.endOffset
  }

  /** Everything below it is in the segment files; with relaxed flush that is what readers may see. */
  get writtenOffset(): Offset {
    return this.#tail.writtenOffset
  }

  /** Everything below it is on stable storage. */
  get flushedOffset(): Offset {
    return this.#tail.flushedOffset
  }

  /** Readers see what is below it. */
  get highWatermark(): Offset {
    return this.#highWatermark.offset
  }

  get leaderEpoch(): number {
    return this.#leaderEpoch
  }

  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  get segmentCount(): number {
    return this.#segments.count
  }

  get producerCount(): number {
    return this.#producers.size
  }

  /** Why nothing can be appended until a restart; `undefined` while all is well. */
  get offlineReason(): string | undefined {
    return this.#appender.offline?.message
  }

  get isOffline(): boolean {
    return this.#appender.offline !== undefined
  }

  /** The epoch new batches carry. It is durable before this is called. */
  becomeLeader(leaderEpoch: number): void {
    if (leaderEpoch <= this.#leaderEpoch) {
      throw new Error(`leader epoch ${leaderEpoch} does not follow ${this.#leaderEpoch}`)
    }
    this.#leaderEpoch = leaderEpoch
  }

  /**
   * Changes the settings from the next append on. Where flushing becomes stricter, resolves once all that
   * was written before is flushed too.
   */
  async setConfig(config: LogConfig): Promise<void> {
    const becomesStricter = acknowledgesAfterSync(config) && !acknowledgesAfterSync(this.#config)
    this.#config = config
    this.compaction.configChanged()
    if (!becomesStricter || this.isOffline) return
    await this.#appender.exclusively(() => this.#tail.becomeStrict())
    this.#flushed()
  }

  /**
   * Appends exactly one record batch, which is patched in place. Synchronous up to the order of things:
   * on return the batch has its offsets and nothing can come between. Throws a `StorageError` with
   * outcome `refused` when the batch is not taken. The buffer's memory is the log's until `acknowledged`
   * settles, and the caller's again after that.
   */
  append(buffer: Buffer, options: AppendOptions): LogAppend {
    this.#requireWritable()
    const { flushedOffset } = this
    const nowMs = this.#clock.now()
    const batch = validatedBatch(buffer, this.#config, options, nowMs)
    const duplicate = batch.producerId < 0 ? undefined : this.#producers.check(batch)
    if (duplicate !== undefined) {
      const original = this.#line.pendingWith(duplicate.lastOffset)
      return appendReply(duplicate, batch, original, { duplicate: true, flushedOffset })
    }
    const baseOffset = this.#line.endOffset
    requireOffset(options.expectOffset, baseOffset)
    batch.assign(baseOffset, this.#leaderEpoch)
    const { nextOffset, lastOffset } = batch
    const group = this.#line.join(buffer, nextOffset, this.#config, nowMs)
    if (batch.producerId >= 0) {
      this.#producers.update(batch, lastOffset, nowMs, flushedOffset)
    }
    const place = { baseOffset, lastOffset }
    return appendReply(place, batch, group, { duplicate: false, flushedOffset })
  }

  /**
   * Whole batches from `from` on, at most `maxBytes` but at least one, up to the high watermark (or to
   * `upTo`, for a replica, at most the written end). Throws `OFFSET_OUT_OF_RANGE`.
   */
  async read(from: Offset, options: ReadWish & { upTo?: Offset }): Promise<LogRead> {
    const { logStartOffset, highWatermark } = this
    const limit = this.#readLimit(options.upTo)
    if (from < logStartOffset || from > Math.max(limit.offset, highWatermark)) {
      throw outOfRange(from, logStartOffset, highWatermark)
    }
    if (from >= limit.offset) {
      return { bytes: Buffer.alloc(0), nextOffset: from, logStartOffset, highWatermark }
    }
    const read = await this.#whileOpen(() => readBatches(this.#segments, from, limit, options))
    return { ...read, logStartOffset, highWatermark }
  }

  /** The first record at or after `timestampMs`; `undefined` when there is none below the high watermark. */
  offsetForTime(timestampMs: number): Promise<TimedOffset | undefined> {
    const limit = this.#readLimit(undefined)
    const { logStartOffset } = this
    return this.#whileOpen(() =>
      findByTime(this.#segments, timestampMs, logStartOffset, limit, this.#maxDecompressedBytes),
    )
  }

  /** Moves the log's start up to `before`, durably, and removes segments wholly below it. */
  async deletePrefix(before: Offset): Promise<Offset> {
    const { logStartOffset, highWatermark } = this
    if (before > highWatermark) throw outOfRange(before, logStartOffset, highWatermark)
    this.#requireOpen()
    if (before > logStartOffset) {
      // A durable start must not lie beyond what a power cut leaves of the log (relaxed flush).
      if (before > this.flushedOffset) await this.flush()
      await this.#prefix.deleteTo(before, this.#config)
    }
    return this.logStartOffset
  }

  /** Deletes what `retention.ms` and `retention.bytes` no longer keep. Returns the segments removed. */
  async applyRetention(trustsClock: boolean): Promise<number> {
    if (this.isOffline || this.#isClosed) return 0
    const rule = this.#prefix.retentionRule(this.#config, trustsClock)
    if (await this.#prefix.isActiveExpired(rule)) await this.roll()
    return await this.#prefix.deleteOld(rule, this.#config)
  }

  /** Closes the active segment, unless it is empty, and begins the next. */
  roll(): Promise<void> {
    return this.#appender.exclusively(async () => {
      this.#requireOpen()
      try {
        await this.#tail.roll()
      } finally {
        this.#line.rolled(this.#segments.active, this.#clock.now())
      }
    })
  }

  /** Resolves when everything appended before the call is on stable storage. */
  flush(): Promise<void> {
    return this.#appender.exclusively(async () => {
      try {
        await this.#tail.flush()
      } catch (error) {
        const failure = new StorageError('KAFKA_STORAGE_ERROR', `flush failed: ${error}`, {
          outcome: 'unknown',
          cause: error,
        })
        this.#appender.goOffline(failure)
        throw failure
      }
      this.#flushed()
    })
  }

  forgetIdleProducers(): void {
    this.#producers.expire(this.#clock.now())
  }

  /** Calls `listener` after the high watermark moved, or the log went offline or was closed. */
  onHighWatermark(listener: () => void): () => void {
    return this.#highWatermark.listen(listener)
  }

  /** Flushes, writes what a clean start needs, releases the files. True when the stop was clean. */
  async close(): Promise<boolean> {
    this.#isClosed = true
    await this.compaction.close()
    let isClean = !this.isOffline
    await this.#appender
      .exclusively(() => this.#tail.seal())
      .catch(() => {
        isClean = false
      })
    await this.release()
    return isClean
  }

  /** Lets go of the files without any promise about what is in them: for a log about to be deleted. */
  async release(): Promise<void> {
    this.#isClosed = true
    await this.compaction.close()
    await this.#appender.exclusively(() => RESOLVED).catch(() => {})
    this.#flushTimer?.cancel()
    this.#highWatermark.notify()
    await this.#prefix.release()
    await this.#tail.close()
    for (const segment of this.#segments) this.#files.indexCache.forget(segment)
  }

  #requireWritable(): void {
    this.#requireOpen()
    const reason = this.offlineReason
    if (reason !== undefined) throw offlineLog(`${this.topic}-${this.partition}`, reason)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw closedLog(`${this.topic}-${this.partition}`)
  }

  /** Runs a read; one that the log's closing overtakes is told so, not that some file is closed. */
  async #whileOpen<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      this.#requireOpen()
      throw error
    }
  }

  #appenderEvents(): AppenderEvents {
    return {
      written: (group) => {
        if (group.waitsForSync) return
        this.#raiseHighWatermark(group.nextOffset)
        this.#flushTimer ??= this.#clock.after(this.#config.flushMs, () =>
          this.#flushInBackground(),
        )
      },
      flushed: () => this.#flushed(),
      takenBack: () => {
        this.#line.takeBack(this.#tail.writtenOffset, this.#segments.active)
        this.#producers.truncate(this.#tail.writtenOffset)
      },
      wentOffline: () => {
        this.#line.takeBack(this.#tail.writtenOffset, this.#segments.active)
        this.#highWatermark.notify()
      },
    }
  }

  #flushed(): void {
    this.#flushTimer?.cancel()
    this.#flushTimer = undefined
    this.#raiseHighWatermark(this.#tail.flushedOffset)
  }

  #flushInBackground(): void {
    this.#flushTimer = undefined
    this.flush().catch((error) => {
      this.#files.logger.error(
        { topic: this.topic, partition: this.partition, error },
        'flush failed',
      )
    })
  }

  #raiseHighWatermark(offset: Offset): void {
    this.#line.acknowledgedTo(offset)
    this.#highWatermark.raise(offset)
  }

  #readLimit(upTo: Offset | undefined): ReadLimit {
    const segment = this.#segments.active
    const written = this.#tail.writtenOffset
    const offset = toOffset(Math.min(upTo ?? this.highWatermark, written))
    const seesUnflushed = offset > this.#tail.flushedOffset
    const position = seesUnflushed ? toPosition(segment.sizeBytes) : this.#tail.flushedPosition
    return { offset, segment, position }
  }
}
