/**
 * Where the records of one `sendMany` are: ranges of them, no object per record. A range is a run of
 * records that stand one after the other in one batch and have one timestamp.
 *
 *     records   0 1 2 3 4 5 6 …
 *     ranges   [0    ][3    ][5 …     first record, batch, place in the batch, timestamp
 */

import type { SpoolError } from '../api/errors.ts'
import type { BatchFate } from '../transport.ts'
import type { Sent } from './delivery.ts'
import type { ProducerBatch } from './producer-batch.ts'

interface SentBatch {
  readonly topic: string
  readonly partition: number
  fate: BatchFate | undefined
}

export class SentRecords {
  #length = 0
  readonly #firsts: number[] = []
  readonly #batchOf: number[] = []
  readonly #indexes: number[] = []
  readonly #timestamps: number[] = []
  readonly #batches: SentBatch[] = []

  /** How many records were given. */
  get length(): number {
    return this.#length
  }

  /**
   * Where record `at` is, in the order they were given; `undefined` when there is none.
   *
   * @throws SpoolError why this record failed.
   */
  at(at: number): Sent | undefined {
    if (!(at >= 0 && at < this.#length)) return undefined
    const range = this.#rangeOf(at)
    const { topic, partition, fate } = this.#batches[this.#batchOf[range]!]!
    if (fate === undefined) throw new Error('a record without a fate')
    if (fate.error !== undefined) throw fate.error
    const index = this.#indexes[range]! + at - this.#firsts[range]!
    return {
      topic,
      partition,
      offset: fate.baseOffset < 0 ? -1 : fate.baseOffset + index,
      timestamp: fate.timestamp < 0 ? this.#timestamps[range]! : fate.timestamp,
    }
  }

  /** Why record `at` failed; `undefined` where it did not. */
  errorAt(at: number): SpoolError | undefined {
    if (!(at >= 0 && at < this.#length)) return undefined
    return this.#batches[this.#batchOf[this.#rangeOf(at)]!]?.fate?.error
  }

  /** @internal The next record is in the batch with this number, at `index`. */
  add(batchNumber: number, index: number, timestampMs: number): void {
    const range = this.#firsts.length - 1
    const record = this.#length
    this.#length += 1
    const isNext =
      range >= 0 &&
      this.#batchOf[range] === batchNumber &&
      this.#timestamps[range] === timestampMs &&
      this.#indexes[range]! + record - this.#firsts[range]! === index
    if (isNext) return
    this.#firsts.push(record)
    this.#batchOf.push(batchNumber)
    this.#indexes.push(index)
    this.#timestamps.push(timestampMs)
  }

  /** @internal Returns the batch's number. */
  addBatch({ place }: ProducerBatch): number {
    const { topic, partition } = place
    return this.#batches.push({ topic, partition, fate: undefined }) - 1
  }

  /** @internal */
  tell(batchNumber: number, fate: BatchFate): void {
    this.#batches[batchNumber]!.fate = fate
  }

  #rangeOf(record: number): number {
    let low = 0
    let high = this.#firsts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#firsts[middle]! <= record) low = middle
      else high = middle - 1
    }
    return low
  }
}
