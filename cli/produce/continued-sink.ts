/**
 * Between an upload that goes on and its producer: holds back the records that are in the log already,
 * and makes sure that they are the same.
 */

import type { Acknowledged } from './acknowledged.ts'
import { type Arrived, printOf } from './arrived.ts'
import type { RecordSink } from './line-upload.ts'
import type { PlacedRecord } from './target.ts'

/** What is in the log is not what would be sent. */
export class ChangedRecordError extends Error {}

export class ContinuedSink implements RecordSink {
  readonly #producer: RecordSink
  readonly #acknowledged: Acknowledged
  readonly #arrived: Arrived
  /** Records that are there and were not met yet. */
  #left: number

  constructor(producer: RecordSink, acknowledged: Acknowledged, arrived: Arrived) {
    this.#producer = producer
    this.#acknowledged = acknowledged
    this.#arrived = arrived
    this.#left = arrived.total
  }

  /** @throws ChangedRecordError where another record has this one's number. */
  enqueue(record: PlacedRecord, number: number): boolean {
    const { partition } = record
    if (this.#left === 0 || number >= this.#arrived.count(partition)) {
      return this.#producer.enqueue(record, number)
    }
    this.#left -= 1
    if (!this.#arrived.matches(partition, number, printOf(record.key, record.value))) {
      throw new ChangedRecordError(`record ${number} of partition ${partition}`)
    }
    this.#acknowledged.found(partition)
    return true
  }

  room(): Promise<void> {
    return this.#producer.room()
  }
}
