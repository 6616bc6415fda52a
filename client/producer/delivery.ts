/** What a producer tells of its records: the fate of a batch, of one record. Types only. */

import type { SpoolError } from '../api/errors.ts'
import type { Durability } from '../transport.ts'

/** The fate of one batch, told once. */
export interface Delivery {
  readonly topic: string
  /** -1 for records that failed before they had one: their topic could not be asked about. */
  readonly partition: number
  /** Of the first record; the others follow it without a gap. -1 where it is not known. */
  readonly baseOffset: number
  readonly recordCount: number
  /** The time of the append where the topic stamps that, else -1. */
  readonly timestamp: number
  readonly durability: Durability | undefined
  /** It had been appended by an attempt whose answer was lost; the offsets are those of then. */
  readonly duplicate: boolean
  /** Its `outcome` says whether the records are surely not in the log, or may be. */
  readonly error: SpoolError | undefined
  /** What was given with each record to `enqueue`, by its place in the batch, if anything was. */
  readonly tags: readonly unknown[] | undefined
}

/** Where a record is. */
export interface Sent {
  readonly topic: string
  readonly partition: number
  /** -1 with `acks: 0`. */
  readonly offset: number
  /** Milliseconds since 1970: the record's own, or the broker's where the topic stamps that. */
  readonly timestamp: number
}
