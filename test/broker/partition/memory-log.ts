/**
 * A log in memory for tests of what stands on one: each append is one batch of one record, and nothing
 * is flushed until the test says so. Not a model of the engine; only of the door a partition uses.
 */

import type { PartitionLog } from '../../../broker/partition/partition-log.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../../../storage/config.ts'
import { StorageError } from '../../../storage/errors.ts'
import { type LogAppend, requireOffset } from '../../../storage/log/log-append.ts'
import type { LogRead, ReadWish } from '../../../storage/log/log-reader.ts'
import { type Offset, toOffset } from '../../../storage/record/offsets.ts'

export class MemoryLog implements PartitionLog {
  readonly topicId: string
  config: LogConfig
  logStartOffset = toOffset(0)
  flushedOffset = toOffset(0)
  leaderEpoch = 3
  offlineReason: string | undefined
  readonly compaction = { dirtyRatio: 0, failure: undefined }
  reads = 0
  readonly #batches: Buffer[] = []
  readonly #listeners = new Set<() => void>()
  readonly #waiting: { settle(error?: Error): void }[] = []

  constructor(topicId = 'topic-id', config = DEFAULT_LOG_CONFIG) {
    this.topicId = topicId
    this.config = config
  }

  get logEndOffset(): Offset {
    return toOffset(this.#batches.length)
  }
  get writtenOffset(): Offset {
    return this.logEndOffset
  }
  get highWatermark(): Offset {
    return this.config.flushMessages === 1 ? this.flushedOffset : this.logEndOffset
  }
  get sizeBytes(): number {
    return this.#batches.reduce((total, batch) => total + batch.length, 0)
  }
  get isOffline(): boolean {
    return this.offlineReason !== undefined
  }
  get listenerCount(): number {
    return this.#listeners.size
  }

  async setConfig(config: LogConfig): Promise<void> {
    this.config = config
  }

  append(batch: Buffer, { expectOffset }: { expectOffset?: Offset } = {}): LogAppend {
    if (this.isOffline) throw new StorageError('KAFKA_STORAGE_ERROR', 'offline')
    const offset = this.logEndOffset
    requireOffset(expectOffset, offset)
    this.#batches.push(batch)
    const acknowledged = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ settle: (error) => (error ? reject(error) : resolve()) })
    })
    if (this.config.flushMessages > 1) this.#notify()
    return {
      baseOffset: offset,
      lastOffset: offset,
      logAppendTime: -1,
      duplicate: false,
      durability: this.config.flushMessages === 1 ? 'flushed' : 'written',
      acknowledged,
    }
  }

  /** Makes everything durable, or the first `batches` of what is not. */
  flush(batches = this.#waiting.length): void {
    const rest = this.#waiting.length - batches
    this.flushedOffset = toOffset(this.logEndOffset - rest)
    for (const one of this.#waiting.splice(0, batches)) one.settle()
    this.#notify()
  }

  /** Its disk is full: what is not durable is taken back. */
  takeBack(): void {
    this.#batches.length = this.flushedOffset
    const error = new StorageError('DISK_FULL', 'no space left', { outcome: 'refused' })
    for (const one of this.#waiting.splice(0)) one.settle(error)
    this.#notify()
  }

  /** Its disk fails: nothing more is taken, and what waits learns that its fate is unknown. */
  fail(): void {
    this.offlineReason = 'fdatasync failed'
    const error = new StorageError('KAFKA_STORAGE_ERROR', 'fdatasync failed', {
      outcome: 'unknown',
    })
    for (const one of this.#waiting.splice(0)) one.settle(error)
    this.#notify()
  }

  async read(from: Offset, options: ReadWish & { upTo?: Offset }): Promise<LogRead> {
    this.reads += 1
    const upTo = options.upTo ?? this.highWatermark
    const taken: Buffer[] = []
    let bytes = 0
    for (let at: number = from; at < upTo; at += 1) {
      const batch = this.#batches[at]!
      const isFirst = taken.length === 0
      if (isFirst && batch.length > (options.firstBytesMax ?? batch.length)) break
      if (!isFirst && bytes + batch.length > options.maxBytes) break
      taken.push(batch)
      bytes += batch.length
    }
    return {
      bytes: Buffer.concat(taken),
      nextOffset: toOffset(from + taken.length),
      logStartOffset: this.logStartOffset,
      highWatermark: this.highWatermark,
    }
  }

  async offsetForTime(timestampMs: number) {
    const offset = toOffset(timestampMs)
    return offset < this.logEndOffset ? { offset, timestamp: timestampMs } : undefined
  }

  async deletePrefix(before: Offset): Promise<Offset> {
    this.logStartOffset = before
    return before
  }

  onHighWatermark(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
