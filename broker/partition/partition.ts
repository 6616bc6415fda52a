/**
 * One partition as its leader serves it: may this append happen, how far may readers see, who waits for
 * more. Owns the high watermark and the waiters of the partition; the bytes, their order and their
 * durability are the log's, waiting and its limits the purgatory's.
 */

import assert from 'node:assert/strict'
import { SpoolError } from '../../client/api/errors.ts'
import { acknowledgesAfterSync } from '../../storage/config.ts'
import type { LogRead, ReadWish } from '../../storage/log/log-reader.ts'
import { type Offset, toOffset } from '../../storage/record/offsets.ts'
import type { TopicConfig } from '../topics/topic-config.ts'
import { refuseInternalTopic } from '../topics/topic-name.ts'
import type { DiskReserve } from './disk-reserve.ts'
import { type Durability, durabilityReached } from './durability.ts'
import type { PartitionLog } from './partition-log.ts'
import type { Purgatory } from './purgatory.ts'
import { highWatermark } from './replica-progress.ts'

/** `all`: every in-sync replica; 1: the leader; 0: nobody is asked, and nobody told. */
export type Acks = 'all' | 1 | 0

export interface AppendOptions {
  readonly acks: Acks
  /** Append only if this is the next offset. */
  readonly expectOffset?: number
  /** From the broker itself: may write to its own topics, and into the disk reserve. */
  readonly internal?: boolean
}

export interface PartitionAppend {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  readonly logAppendTime: number
  readonly duplicate: boolean
  /** What was reached, once it is; rejects with the outcome set. With acks=0 nobody needs to listen. */
  readonly acknowledged: Promise<Durability>
}

export interface PartitionOptions {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  readonly config: TopicConfig
  /** This broker, leader of the partition. */
  readonly nodeId: number
  readonly purgatory: Purgatory
  readonly diskReserve: DiskReserve
  readonly decompressedBytesMax: number
  /** Shared by all partitions of the broker. */
  readonly appended: AppendedTotals
}

/** What clients appended since the broker started, repeats not counted. */
export interface AppendedTotals {
  records: number
  batches: number
  bytes: number
}

export class Partition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Node ids, the leader first. One broker is its own only replica. */
  readonly inSyncReplicas: readonly number[]
  readonly #options: PartitionOptions
  readonly #log: PartitionLog
  readonly #wakes = new Set<() => void>()
  readonly #unsubscribe: () => void
  #config: TopicConfig
  /** Invariant: logStartOffset <= #highWatermark <= logEndOffset, but for the moment inside a deletePrefix. */
  #highWatermark: Offset
  #isClosed = false

  constructor(options: PartitionOptions) {
    this.topic = options.topic
    this.topicId = options.log.topicId
    this.partition = options.partition
    this.inSyncReplicas = [options.nodeId]
    this.#options = options
    this.#log = options.log
    this.#config = options.config
    // Everything that recovery kept was written by this broker, its own only replica.
    this.#highWatermark = options.log.highWatermark
    this.#unsubscribe = options.log.onHighWatermark(() => this.#advance())
  }

  get leaderEpoch(): number {
    return this.#log.leaderEpoch
  }
  get logStartOffset(): Offset {
    return this.#log.logStartOffset
  }
  get logEndOffset(): Offset {
    return this.#log.logEndOffset
  }
  get flushedOffset(): Offset {
    return this.#log.flushedOffset
  }
  /** What readers may see ends before this. */
  get highWatermark(): Offset {
    return this.#highWatermark
  }
  /** No transaction is open below: there are none yet. */
  get lastStableOffset(): Offset {
    return this.#highWatermark
  }
  get sizeBytes(): number {
    return this.#log.sizeBytes
  }
  get isOffline(): boolean {
    return this.#log.isOffline
  }
  /** False once the topic is deleted or the disk failed: every call but the getters then throws. */
  get isServed(): boolean {
    return !this.#isClosed && !this.#log.isOffline
  }
  get compaction(): PartitionLog['compaction'] {
    return this.#log.compaction
  }
  get config(): TopicConfig {
    return this.#config
  }
  /** Requests woken by this partition: back at 0 when nobody waits. */
  get waiters(): number {
    return this.#wakes.size
  }

  /**
   * Takes one whole batch, patched in place. Its offsets are fixed when this returns; durability is the
   * promise in the result.
   *
   * @throws SpoolError or StorageError: it is not in the log and never will be, whether or not the error
   * says `refused`.
   */
  appendAsLeader(batch: Buffer, options: AppendOptions): PartitionAppend {
    this.#checkOpen({ outcome: 'refused' })
    if (options.internal !== true) {
      refuseInternalTopic(this.topic)
      this.#options.diskReserve.check()
    }
    if (options.acks === 'all') this.#checkInSyncReplicas()
    const append = this.#log.append(batch, {
      maxDecompressedBytes: this.#options.decompressedBytesMax,
      ...(options.expectOffset === undefined
        ? {}
        : { expectOffset: toOffset(options.expectOffset) }),
    })
    if (!append.duplicate) this.#count(append.lastOffset - append.baseOffset + 1, batch.length)
    const replicas = this.inSyncReplicas.length
    const acknowledged = append.acknowledged.then(() =>
      durabilityReached(append.durability, replicas),
    )
    // The client may be gone, or not have asked: then nobody listens, and that is no crash.
    acknowledged.catch(() => {})
    const { baseOffset, lastOffset, logAppendTime, duplicate } = append
    return { baseOffset, lastOffset, logAppendTime, duplicate, acknowledged }
  }

  /**
   * Whole batches from the one that contains `offset`, at least one if there is any below `upTo`
   * (the high watermark, if that is lower or none is given).
   *
   * @throws SpoolError OFFSET_OUT_OF_RANGE with `logStartOffset` and `highWatermark`.
   */
  async read(offset: number, options: ReadWish & { upTo?: Offset }): Promise<LogRead> {
    this.#checkOpen()
    this.#checkOffset(offset)
    const upTo = Math.min(options.upTo ?? this.#highWatermark, this.#highWatermark) as Offset
    const read = await this.#log.read(toOffset(offset), { ...options, upTo })
    return { ...read, highWatermark: this.#highWatermark }
  }

  /** The first record at or after that time; `undefined` when readers can see none. */
  async offsetForTime(
    timestampMs: number,
  ): Promise<{ offset: Offset; timestamp: number } | undefined> {
    this.#checkOpen()
    const found = await this.#log.offsetForTime(timestampMs)
    return found !== undefined && found.offset < this.#highWatermark ? found : undefined
  }

  /**
   * Waits until readers can see a record at `afterOffset` or later. True when they can; false when the
   * time is up or `signal` aborted.
   *
   * @throws SpoolError when too many requests wait, or the partition goes away meanwhile.
   */
  waitForAppend(afterOffset: number, waitMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#options.purgatory.wait({
      waitMs,
      signal,
      subscribe: (wake) => this.subscribe(wake),
      isSatisfied: () => this.hasRecordFrom(afterOffset),
    })
  }

  /**
   * True when readers can see a record at `offset` or later.
   *
   * @throws SpoolError when the partition is not served any more.
   */
  hasRecordFrom(offset: number): boolean {
    this.#checkOpen()
    return this.#highWatermark > offset
  }

  /** Calls `wake` whenever the high watermark moved or the partition went away. */
  subscribe(wake: () => void): () => void {
    // Each subscription is its own, even of the same function twice.
    const own = () => wake()
    this.#wakes.add(own)
    return () => void this.#wakes.delete(own)
  }

  /**
   * Forgets all records before `before`; returns the first offset kept, when that is durable. Less than
   * the present start changes nothing.
   *
   * @throws SpoolError OFFSET_OUT_OF_RANGE when it is beyond the high watermark.
   */
  async deletePrefix(before: number): Promise<Offset> {
    this.#checkOpen()
    if (before > this.#highWatermark) throw this.#outOfRange(before)
    if (before <= this.#log.logStartOffset) return this.#log.logStartOffset
    return await this.#log.deletePrefix(toOffset(before))
  }

  /** @throws SpoolError when `currentLeaderEpoch`, as the client knows it, is not the one in force. */
  checkLeaderEpoch(currentLeaderEpoch: number): void {
    if (currentLeaderEpoch === this.leaderEpoch) return
    const isOld = currentLeaderEpoch < this.leaderEpoch
    throw new SpoolError(
      isOld ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH',
      `the leader epoch of ${this.#name} is ${this.leaderEpoch}, not ${currentLeaderEpoch}`,
      { extensions: { leaderEpoch: this.leaderEpoch } },
    )
  }

  /** @throws SpoolError INCONSISTENT_TOPIC_ID when the client means another topic of the same name. */
  checkTopicId(topicId: string): void {
    if (topicId === this.topicId) return
    throw new SpoolError(
      'INCONSISTENT_TOPIC_ID',
      `topic ${this.topic} was created anew: its id is ${this.topicId} now`,
      { extensions: { topicId: this.topicId } },
    )
  }

  /** Resolves once what was written before holds to the new settings too (a stricter `flush.messages`). */
  async setConfig(config: TopicConfig): Promise<void> {
    this.#config = config
    const applied = this.#log.setConfig(config.log)
    this.#advance()
    await applied
  }

  /** The partition is no longer served here: everybody who waits is told. */
  close(): void {
    this.#isClosed = true
    this.#unsubscribe()
    this.#wakeAll()
  }

  #count(records: number, bytes: number): void {
    const { appended, diskReserve } = this.#options
    appended.records += records
    appended.batches += 1
    appended.bytes += bytes
    diskReserve.appended(bytes)
  }

  get #name(): string {
    return `${this.topic}-${this.partition}`
  }

  #advance(): void {
    const previous = this.#highWatermark
    const log = this.#log
    this.#highWatermark = highWatermark({
      // What is only enqueued can still be refused: nobody may see it.
      leader: { logEndOffset: log.writtenOffset, flushedOffset: log.flushedOffset },
      followers: [],
      acknowledgesAfterSync: acknowledgesAfterSync(log.config),
      minInSyncReplicas: this.#config.minInSyncReplicas,
      previous,
    })
    assert(
      this.#highWatermark <= log.logEndOffset,
      `${this.#name}: high watermark ${this.#highWatermark} beyond log end ${log.logEndOffset}`,
    )
    if (this.#highWatermark !== previous || log.isOffline) this.#wakeAll()
  }

  #wakeAll(): void {
    for (const wake of [...this.#wakes]) wake()
  }

  #checkOpen(options: { outcome?: 'refused' } = {}): void {
    if (this.#isClosed) {
      throw new SpoolError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `partition ${this.#name} was deleted`,
        options,
      )
    }
    if (this.#log.isOffline) {
      throw new SpoolError(
        'KAFKA_STORAGE_ERROR',
        `partition ${this.#name} is offline: ${this.#log.offlineReason ?? 'its disk failed'}`,
        options,
      )
    }
  }

  #checkInSyncReplicas(): void {
    const inSync = this.inSyncReplicas.length
    const { minInSyncReplicas } = this.#config
    if (inSync >= minInSyncReplicas) return
    throw new SpoolError(
      'NOT_ENOUGH_REPLICAS',
      `${this.#name} has ${inSync} in-sync replicas, fewer than min.insync.replicas ${minInSyncReplicas}`,
      { outcome: 'refused', retryAfterS: 1, extensions: { inSyncReplicas: inSync } },
    )
  }

  #checkOffset(offset: number): void {
    const isInside = offset >= this.#log.logStartOffset && offset <= this.#highWatermark
    if (!isInside) throw this.#outOfRange(offset)
  }

  #outOfRange(offset: number): SpoolError {
    const { logStartOffset } = this.#log
    return new SpoolError(
      'OFFSET_OUT_OF_RANGE',
      `${this.#name} has offsets from ${logStartOffset} to before ${this.#highWatermark}, not ${offset}`,
      { extensions: { logStartOffset, highWatermark: this.#highWatermark } },
    )
  }
}
