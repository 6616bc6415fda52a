/**
 * The batches of an endless upload: a builder for each partition, appended when it is full or when its
 * time to linger is over, and the account of which lines have their fate. Owns the bytes that are not
 * acknowledged yet; whoever reads the body asks for them and stops reading when there are too many.
 *
 * Lines are spread over partitions, so they are acknowledged out of order: `resumeAtLine` is the first
 * whose fate is not known, and everything below it has one.
 */

import { type SpoolError, withOutcome } from '../../../client/api/errors.ts'
import type { Clock, Random, Timer } from '../../../storage/clock.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { StickyChooser } from '../../../storage/record/partitioner.ts'
import { RECORD_BATCH_HEADER_BYTES } from '../../../storage/record/record-batch.ts'
import type { Durability } from '../../partition/durability.ts'
import type { Acks } from '../../partition/partition.ts'
import type { ReplicaManager } from '../../partition/replica-manager.ts'
import type { Topic } from '../../topics/topic.ts'
import { weaker } from './append-batches.ts'
import type { ProducedHeader } from './produced-record.ts'
import type { RecordRules } from './record-rules.ts'

/** A batch of an upload is appended when it reaches this, whatever its time to linger. */
const BATCH_BYTES_MAX = 512 * 1024
/** Builders keep their room between batches on topics of at most so many partitions. */
const KEPT_BUILDERS_MAX = 32

export interface UploadBatchesOptions {
  readonly topic: Topic
  readonly rules: RecordRules
  readonly replicas: ReplicaManager
  readonly clock: Clock
  readonly random: Random
  readonly acks: Acks
  readonly lingerMs: number
  /** After a batch was acknowledged. */
  readonly onProgress: () => void
  /** Once: a batch failed; nothing more is appended. The error says its outcome. */
  readonly onFailed: (error: SpoolError) => void
}

/** What was appended to one partition. */
export interface PartitionTotals {
  readonly partition: number
  count: number
  firstOffset: number
  lastOffset: number
}

/** Lines that wait in a builder. */
interface OpenBatch {
  readonly builder: BatchBuilder
  /** Of the first line in it. */
  firstLine: number
}

/** Lines handed to a log and not acknowledged. */
interface PendingBatch {
  readonly firstLine: number
  bytes: number
}

export class UploadBatches {
  readonly #options: UploadBatchesOptions
  readonly #sticky: StickyChooser
  /** By partition. */
  readonly #open: (OpenBatch | undefined)[] = []
  readonly #pending = new Set<PendingBatch>()
  readonly #totals = new Map<number, PartitionTotals>()
  #openBytes = 0
  #pendingBytes = 0
  #linger: Timer | undefined
  #hasFailed = false
  /** The first line of the batch that failed first, or of none. */
  #lostLine = Number.POSITIVE_INFINITY
  /** Called once, when nothing is pending. */
  #onSettled: (() => void) | undefined

  /** Records acknowledged (with acks=0: taken). */
  appended = 0
  /** The weakest that was reached so far. */
  durability: Durability | undefined

  constructor(options: UploadBatchesOptions) {
    this.#options = options
    this.#sticky = new StickyChooser(options.random)
  }

  /** Bytes in builders and in batches not acknowledged. */
  get heldBytes(): number {
    return this.#openBytes + this.#pendingBytes
  }

  /** The first line of those given to `add` whose fate is not known; infinite when all have theirs. */
  get firstOpenLine(): number {
    let first = this.#lostLine
    for (const batch of this.#open) {
      if (batch !== undefined && batch.builder.recordCount > 0) {
        first = Math.min(first, batch.firstLine)
      }
    }
    for (const { firstLine } of this.#pending) first = Math.min(first, firstLine)
    return first
  }

  /** What was acknowledged, by partition. */
  totals(): PartitionTotals[] {
    return [...this.#totals.values()].sort((one, other) => one.partition - other.partition)
  }

  /** Adds a record that came in `line`; `partition` -1: any. `size` is what it adds to a batch. */
  add(
    line: number,
    partition: number,
    size: number,
    timestamp: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: readonly ProducedHeader[],
  ): void {
    const { topic, rules, lingerMs, clock } = this.#options
    const target = partition >= 0 ? partition : this.#sticky.choose(topic.partitions)
    const bytesMax = Math.min(BATCH_BYTES_MAX, rules.batchBytesMax)
    let batch = this.#batch(target)
    if (batch.builder.recordCount > 0 && batch.builder.sizeBytes + size > bytesMax) {
      this.#append(target, batch)
      batch = this.#batch(target)
    }
    if (batch.builder.recordCount === 0) batch.firstLine = line
    const before = batch.builder.sizeBytes
    batch.builder.append(timestamp, key, value, headers)
    this.#openBytes += batch.builder.sizeBytes - before
    if (batch.builder.sizeBytes >= bytesMax) this.#append(target, batch)
    else if (lingerMs > 0) this.#linger ??= clock.after(lingerMs, () => this.flush())
  }

  /** Appends everything that waits in builders. */
  flush(): void {
    this.#linger?.cancel()
    this.#linger = undefined
    for (const [partition, batch] of this.#open.entries()) {
      if (batch !== undefined && batch.builder.recordCount > 0) this.#append(partition, batch)
    }
  }

  /** Drops what waits in builders, for good: those lines are not in the log. */
  #drop(): void {
    for (const batch of this.#open) {
      if (batch === undefined || batch.builder.recordCount === 0) continue
      this.#lostLine = Math.min(this.#lostLine, batch.firstLine)
    }
    this.#linger?.cancel()
    this.#open.length = 0
    this.#openBytes = 0
    this.#hasFailed = true
  }

  /** Resolves when every batch appended so far is acknowledged or failed. */
  settled(): Promise<void> {
    if (this.#pending.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onSettled = resolve
    })
  }

  #batch(partition: number): OpenBatch {
    const open = this.#open[partition]
    if (open !== undefined) return open
    const compression = this.#options.rules.compression(BATCH_BYTES_MAX)
    const batch = { builder: new BatchBuilder({ compression }), firstLine: 0 }
    // A list without holes, so that it stays a plain array for the engine.
    while (this.#open.length < partition) this.#open.push(undefined)
    this.#open[partition] = batch
    return batch
  }

  #append(partition: number, { builder, firstLine }: OpenBatch): void {
    if (this.#hasFailed) return
    const { replicas, topic, acks } = this.#options
    const count = builder.recordCount
    this.#openBytes -= builder.sizeBytes - RECORD_BATCH_HEADER_BYTES
    const pending = { firstLine, bytes: 0 }
    try {
      const bytes = builder.build()
      if (topic.partitions <= KEPT_BUILDERS_MAX) builder.reset()
      else this.#open[partition] = undefined
      this.#sticky.batchDone(topic.partitions)
      const append = replicas.partition(topic.name, partition).appendAsLeader(bytes, { acks })
      pending.bytes = bytes.length
      this.#pending.add(pending)
      this.#pendingBytes += pending.bytes
      // With acks=0 being taken is all that counts; its bytes stay in memory until it is written.
      if (acks === 0) this.#count(partition, count, append.baseOffset, 'written')
      append.acknowledged.then(
        (durability) => {
          if (acks !== 0) this.#count(partition, count, append.baseOffset, durability)
          this.#settle(pending)
        },
        (error) => this.#failed(pending, withOutcome(error, 'unknown')),
      )
    } catch (error) {
      this.#failed(pending, withOutcome(error, 'refused'))
    }
  }

  #count(partition: number, count: number, baseOffset: number, durability: Durability): void {
    this.appended += count
    this.durability = weaker(this.durability, durability)
    const totals = this.#totals.get(partition)
    const lastOffset = baseOffset + count - 1
    if (totals === undefined) {
      this.#totals.set(partition, { partition, count, firstOffset: baseOffset, lastOffset })
    } else {
      totals.count += count
      totals.firstOffset = Math.min(totals.firstOffset, baseOffset)
      totals.lastOffset = Math.max(totals.lastOffset, lastOffset)
    }
  }

  #failed(pending: PendingBatch, error: SpoolError): void {
    const isFirst = !this.#hasFailed
    this.#lostLine = Math.min(this.#lostLine, pending.firstLine)
    this.#drop()
    this.#settle(pending)
    if (isFirst) this.#options.onFailed(error)
  }

  #settle(pending: PendingBatch): void {
    if (this.#pending.delete(pending)) this.#pendingBytes -= pending.bytes
    this.#options.onProgress()
    if (this.#pending.size === 0) this.#onSettled?.()
  }
}
