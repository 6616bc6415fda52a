/**
 * The records of one request, gathered into batches: one a partition, more only where
 * `max.message.bytes` makes it so. Nothing is appended here. Remembers where each record went, so that
 * an answer can say offsets in the records' own order.
 */

import type { Random } from '../../../storage/clock.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { RECORD_BATCH_HEADER_BYTES } from '../../../storage/record/record-batch.ts'
import type { ProducePlan } from './produce-plan.ts'
import { type ProducedRecord, RecordRefusal } from './produced-record.ts'
import type { RecordRules } from './record-rules.ts'

export interface GatheredBatch {
  readonly partition: number
  readonly builder: BatchBuilder
}

export class RequestBatches {
  readonly #plan: ProducePlan
  readonly #rules: RecordRules
  readonly #random: Random
  readonly #bodyBytes: number
  readonly #now: number
  /** In the order they were begun. */
  readonly batches: GatheredBatch[] = []
  /** The batch that takes the next record of a partition, as an index. */
  readonly #open = new Map<number, number>()
  /** For each record: the index of its batch, its place in it, its timestamp. */
  readonly batchOf: number[] = []
  readonly placeOf: number[] = []
  readonly timestampOf: number[] = []
  #keyless = -1

  /** `bodyBytes`: the size of the body, for a guess at how large the batches become. */
  constructor(
    plan: ProducePlan,
    rules: RecordRules,
    options: { readonly random: Random; readonly bodyBytes: number; readonly now: number },
  ) {
    this.#plan = plan
    this.#rules = rules
    this.#random = options.random
    this.#bodyBytes = options.bodyBytes
    this.#now = options.now
  }

  get recordCount(): number {
    return this.batchOf.length
  }

  /** Adds a record. Throws `RecordRefusal`; the record is then in no batch. */
  add(record: ProducedRecord): void {
    const { value, headers } = record
    const key = this.#keyOf(record)
    this.#rules.checkKey(key)
    const partition = this.#partitionOf(record.partition, key)
    const timestamp = this.#rules.timestamp(record.timestamp, this.#now)
    const size = this.#rules.checkedSize(key, value, headers)
    const index = this.#batchWithRoom(partition, size)
    const { builder } = this.batches[index]!
    this.batchOf.push(index)
    this.placeOf.push(builder.recordCount)
    this.timestampOf.push(timestamp)
    builder.append(timestamp, key, value, headers)
  }

  #keyOf(record: ProducedRecord): Buffer | null {
    const common = this.#plan.key
    if (common === null) return record.key
    if (record.key === null || record.key.equals(common)) return common
    throw new RecordRefusal('INVALID_RECORD', 'the record has another key than the request (key=)')
  }

  /** All records without a key and a wish share one partition: few batches, and large. */
  #partitionOf(own: number, key: Buffer | null): number {
    const partition = this.#rules.partition(own, this.#plan.partition, key)
    if (partition >= 0) return partition
    if (this.#keyless < 0) {
      this.#keyless = Math.floor(this.#random.next() * this.#plan.topic.partitions)
    }
    return this.#keyless
  }

  #batchWithRoom(partition: number, size: number): number {
    const open = this.#open.get(partition)
    if (open !== undefined) {
      const { builder } = this.batches[open]!
      if (builder.sizeBytes + size <= this.#rules.batchBytesMax) return open
    }
    const index = this.batches.length
    this.batches.push({
      partition,
      builder: new BatchBuilder({
        compression: this.#rules.compression(this.#bodyBytes),
        initialBytes: RECORD_BATCH_HEADER_BYTES + size,
        ...this.#plan.producer,
      }),
    })
    this.#open.set(partition, index)
    return index
  }
}
