/**
 * A batch from its first record to its fate: the records in it, who waits for them, and until when. Owns
 * no decision.
 */

import { SpoolError } from '../api/errors.ts'
import type { BatchFate, OpenBatch, ProducerNumbers, SealedBatch } from '../transport.ts'
import type { Delivery } from './delivery.ts'

/** Who wants to know what became of some records. */
export interface RecordOwner {
  /** The record is in a batch, at `index`. Once for each record, in the order of their appending. */
  placed(batch: ProducerBatch, index: number, timestampMs: number): void
  /** What became of the batch. Once for each batch that it `owns` records of. */
  told(batch: ProducerBatch, fate: BatchFate): void
  /** A record failed before it was in a batch. */
  failed(error: SpoolError): void
}

export interface BatchPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

export interface BatchTimes {
  readonly createdAtMs: number
  /** When it goes if it is not full before. */
  readonly dueAtMs: number
  readonly deadlineMs: number
}

export class ProducerBatch {
  readonly place: BatchPlace
  readonly records: OpenBatch
  readonly times: BatchTimes
  /** Which `flush` it belongs to: that which was called next. */
  generation: number
  /** Counted against the producer's buffer until its fate is told. */
  heldBytes = 0
  /** True when nobody but `onDelivery` hears of some of its records. */
  hasUnowned = false
  #owners: RecordOwner[] | undefined
  #tags: unknown[] | undefined
  #sealed: SealedBatch | undefined

  constructor(place: BatchPlace, records: OpenBatch, times: BatchTimes, generation: number) {
    this.place = place
    this.records = records
    this.times = times
    this.generation = generation
  }

  /** `owner` wants to know its fate. Once an owner, however many records. */
  addOwner(owner: RecordOwner): void {
    if (this.#owners === undefined) this.#owners = [owner]
    else this.#owners.push(owner)
  }

  tag(index: number, tag: unknown): void {
    this.#tags ??= []
    this.#tags[index] = tag
  }

  /**
   * The bytes to send: those of last time, where the numbers are the same.
   *
   * @throws SpoolError UNSUPPORTED_COMPRESSION_TYPE where its records can not be compressed.
   */
  seal(numbers: ProducerNumbers | undefined): SealedBatch {
    if (this.#sealed === undefined || this.#sealed.producer !== numbers) {
      try {
        this.#sealed = this.records.seal(numbers)
      } catch (cause) {
        throw new SpoolError(
          'UNSUPPORTED_COMPRESSION_TYPE',
          `a batch for ${this.place.topic} could not be made: ${(cause as Error).message}`,
          { outcome: 'refused', cause },
        )
      }
    }
    return this.#sealed
  }

  tellOwners(fate: BatchFate): void {
    if (this.#owners === undefined) return
    for (const owner of this.#owners) owner.told(this, fate)
  }

  delivery(fate: BatchFate): Delivery {
    const { topic, partition } = this.place
    const { recordCount } = this.records
    if (this.#tags !== undefined) this.#tags.length = recordCount
    const common = { topic, partition, recordCount, tags: this.#tags }
    if (fate.error !== undefined) return { ...common, ...NOWHERE, error: fate.error }
    const { baseOffset, timestamp, durability, duplicate } = fate
    return { ...common, baseOffset, timestamp, durability, duplicate, error: undefined }
  }
}

export const NOWHERE = { baseOffset: -1, timestamp: -1, durability: undefined, duplicate: false }
