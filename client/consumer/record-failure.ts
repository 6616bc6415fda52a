/** What a handler of whole batches throws to say which record of the batch failed. */

import type { ReadRecord } from '../reader/read-record.ts'

/**
 * Thrown by a handler of `runBatches`: the records of the batch before this one are done, this one failed,
 * because of `cause`, and those after it were not begun. It alone is attempted again and goes to the dead
 * letters, and those after it come again in a shorter batch. Anything else that a handler throws is about
 * the batch as a whole.
 */
export class RecordFailure extends Error {
  override readonly name = 'RecordFailure'
  readonly record: ReadRecord<unknown, unknown>

  constructor(record: ReadRecord<unknown, unknown>, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const { topic, partition, offset } = record
    super(`offset ${offset} of partition ${partition} of ${topic}: ${why}`, { cause })
    this.record = record
  }
}
