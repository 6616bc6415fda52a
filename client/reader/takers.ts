/** What the two kinds of loops over a reader take: batches as they are, and records out of them. */

import type { ReadBatch, RecordIterator } from './read-batch.ts'
import type { Taker } from './read-loop.ts'
import type { ReadRecord } from './read-record.ts'
import type { ReadSession } from './read-session.ts'

/** After so many records it is worth looking at the clock; a power of two. */
const RECORDS_BETWEEN_LOOKS = 1_024

export class BatchTaker<K, V> implements Taker<ReadBatch<K, V>> {
  readonly #session: ReadSession<K, V>

  constructor(session: ReadSession<K, V>) {
    this.#session = session
  }

  take(): ReadBatch<K, V> | undefined {
    const batch = this.#session.poll()
    if (batch !== undefined) this.#session.taken(batch.partition, endOf(batch))
    return batch
  }

  ready(): Promise<boolean> {
    return this.#session.ready()
  }

  settle(): void {}

  close(): Promise<void> {
    return this.#session.close()
  }
}

export class RecordTaker<K, V> implements Taker<ReadRecord<K, V>> {
  readonly #session: ReadSession<K, V>
  #batch: ReadBatch<K, V> | undefined
  /** Over `#batch`. */
  #records: RecordIterator<K, V> | undefined
  #looks = 0

  constructor(session: ReadSession<K, V>) {
    this.#session = session
  }

  take(): ReadRecord<K, V> | undefined {
    for (;;) {
      if (this.#records !== undefined) {
        this.#looks = (this.#looks + 1) & (RECORDS_BETWEEN_LOOKS - 1)
        if (this.#looks === 0 && this.#session.turn.isOver) return undefined
        const record = this.#records.nextRecord()
        if (record !== undefined) return record
        this.#finish()
      }
      const batch = this.#session.poll()
      if (batch === undefined) return undefined
      this.#batch = batch
      this.#records = batch[Symbol.iterator]()
    }
  }

  ready(): Promise<boolean> {
    return this.#session.ready()
  }

  settle(): void {
    if (this.#records === undefined) return
    this.#session.taken(this.#batch!.partition, this.#records.nextOffset)
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #finish(): void {
    const batch = this.#batch!
    this.#session.taken(batch.partition, endOf(batch))
    this.#batch = undefined
    this.#records = undefined
  }
}

function endOf({ nextOffset, untilOffset }: { nextOffset: number; untilOffset: number }): number {
  return Math.min(nextOffset, untilOffset)
}
