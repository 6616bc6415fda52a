/**
 * The front end of one log, where it is shortened: by request (`deletePrefix`) and by retention. The new
 * start is durable before any file goes. Which segments are too old is decided in `retention.ts`.
 */

import type { Clock } from '../clock.ts'
import { isDeletedByAge, type LogConfig } from '../config.ts'
import { StorageError } from '../errors.ts'
import { isDiskFull } from '../file/file-system.ts'
import { type Offset, toOffset } from '../record/offsets.ts'
import type { Appender } from './appender.ts'
import type { OneAtATime } from './one-at-a-time.ts'
import { deletablePrefix, isExpired, type RetentionRule, type SegmentAge } from './retention.ts'
import { RetiredSegments } from './retired-segments.ts'
import type { Segment } from './segment.ts'
import type { LogFiles } from './segment-files.ts'
import type { SegmentList } from './segment-list.ts'
import type { LogTail } from './tail.ts'

export interface LogPrefixOptions {
  readonly files: LogFiles
  readonly segments: SegmentList
  readonly tail: LogTail
  readonly appender: Appender
  readonly clock: Clock
  /** For whoever changes which closed segments there are. */
  readonly changes: OneAtATime
}

export class LogPrefix {
  readonly #options: LogPrefixOptions
  readonly #retired: RetiredSegments

  constructor(options: LogPrefixOptions) {
    this.#options = options
    this.#retired = new RetiredSegments(options.files, options.clock)
  }

  /** Moves the log's start up to `before`, which is flushed, durably; removes segments wholly below it. */
  async deleteTo(before: Offset, config: LogConfig): Promise<void> {
    await this.#moveStart(before)
    await this.#removeBelowStart(config)
  }

  retentionRule(config: LogConfig, trustsClock: boolean): RetentionRule {
    const { tail, clock } = this.#options
    const { logStartOffset } = tail
    const limits = isDeletedByAge(config)
      ? { retentionMs: config.retentionMs, retentionBytes: config.retentionBytes }
      : { retentionMs: -1, retentionBytes: -1 }
    return { ...limits, logStartOffset, now: clock.now(), trustsClock }
  }

  /** Whether the active segment has outlived `retention.ms` too, and must roll before it can go. */
  async isActiveExpired(rule: RetentionRule): Promise<boolean> {
    const { active } = this.#options.segments
    if (active.sizeBytes === 0) return false
    const maxTimestamp = await active.maxTimestamp()
    return isExpired({ maxTimestamp, lastAppendMs: active.lastAppendMs }, rule)
  }

  /** Deletes the closed segments that `rule` no longer keeps. Returns how many. */
  async deleteOld(rule: RetentionRule, config: LogConfig): Promise<number> {
    const { segments, tail } = this.#options
    const closed = await Promise.all(segments.closed.map((segment) => this.#ageOf(segment)))
    const count = deletablePrefix(closed, segments.active.sizeBytes, rule)
    if (count === 0) return 0
    const start = toOffset(closed[count - 1]!.nextOffset)
    if (start > tail.logStartOffset) await this.#moveStart(start)
    return await this.#removeBelowStart(config)
  }

  /** Removes the files of deleted segments that still wait for their time. */
  release(): Promise<void> {
    return this.#retired.removeAll()
  }

  async #ageOf(segment: Segment): Promise<SegmentAge> {
    const next = this.#options.segments.after(segment)
    return {
      sizeBytes: segment.sizeBytes,
      nextOffset: next?.baseOffset ?? this.#options.tail.writtenOffset,
      // It may be deleted on request meanwhile: its file stays until it was asked.
      maxTimestamp: await segment.whileReading(() => segment.maxTimestamp()),
      lastAppendMs: segment.lastAppendMs,
    }
  }

  async #moveStart(start: Offset): Promise<void> {
    try {
      await this.#options.tail.moveStart(start)
    } catch (error) {
      const reason = `the start of the log could not be moved: ${error}`
      const failure = new StorageError('KAFKA_STORAGE_ERROR', reason, { cause: error })
      if (!isDiskFull(error)) this.#options.appender.goOffline(failure)
      throw failure
    }
  }

  #removeBelowStart(config: LogConfig): Promise<number> {
    return this.#options.changes.run(() => this.#removeBelowStartNow(config))
  }

  async #removeBelowStartNow(config: LogConfig): Promise<number> {
    const { segments, tail } = this.#options
    const count = segments.closed.filter(
      (segment) => segments.after(segment)!.baseOffset <= tail.logStartOffset,
    ).length
    const removed = segments.removePrefix(count)
    for (const segment of removed) await this.#retired.add(segment, config.fileDeleteDelayMs)
    return removed.length
  }
}
