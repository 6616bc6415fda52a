/**
 * What the two kinds of loops over a consumer take, and what of it is in hand: a record, or a batch, from
 * when it was given until the loop asks for the next. Nothing is written down for each record: how far the
 * loop is, is looked up where its batch is, when somebody wants to know.
 */

import type { ReadBatch, RecordIterator } from '../reader/read-batch.ts'
import type { Taker } from '../reader/read-loop.ts'
import type { ReadRecord } from '../reader/read-record.ts'
import type { ConsumerSession } from './consumer-session.ts'
import type { HeldPartition } from './held-partition.ts'
import type { OffsetTracker } from './offset-tracker.ts'
import type { Patience } from './patience.ts'
import type { InHand, Worker } from './worker.ts'

/** The batch whose records are given, one after another. */
interface OpenBatch<K, V> {
  readonly held: HeldPartition<K, V>
  /** Of when the batch was taken. */
  readonly tracker: OffsetTracker
  readonly batch: ReadBatch<K, V>
  readonly records: RecordIterator<K, V>
}

export class GroupRecordTaker<K, V> implements Taker<ReadRecord<K, V>>, Worker<K, V> {
  readonly #session: ConsumerSession<K, V>
  readonly #patience: Patience
  #open: OpenBatch<K, V> | undefined
  /** The record given last is being worked on. */
  #isInHand = false
  #givenAt = 0
  /** Nothing more of the batch is to be given. */
  #isDropped = false

  constructor(session: ConsumerSession<K, V>) {
    this.#session = session
    this.#patience = session.patience
  }

  take(): ReadRecord<K, V> | undefined {
    this.asked()
    if (this.#session.isHalted) return undefined
    for (;;) {
      if (this.#open !== undefined) {
        if (this.#session.pace.step()) return undefined
        const record = this.#open.records.nextRecord()
        if (record !== undefined) {
          this.#isInHand = true
          this.#givenAt = this.#patience.tick
          return record
        }
        this.#open.tracker.moveTo(this.#open.batch.nextOffset)
        this.#open = undefined
      }
      const given = this.#session.poll()
      if (given === undefined) return undefined
      const { held, batch } = given
      this.#open = { held, batch, tracker: held.tracker, records: batch[Symbol.iterator]() }
    }
  }

  /** The loop asks for the next: the last one is done. */
  asked(): void {
    if (!this.#isInHand) return
    this.#isInHand = false
    if (!this.#isDropped) return
    const { held, tracker, records } = this.#open!
    tracker.moveTo(records.nextOffset)
    this.#forget()
    held.tellIdle()
  }

  oldest(): InHand | undefined {
    if (!this.#isInHand) return undefined
    const { held, records } = this.#open!
    return { held, offset: records.nextOffset - 1, since: this.#givenAt }
  }

  ready(): Promise<boolean> {
    return this.#session.ready()
  }

  settle(): void {
    if (this.#open === undefined || this.#isDropped) return
    const { tracker, records } = this.#open
    const { nextOffset } = records
    tracker.moveTo(nextOffset, this.#isInHand ? nextOffset - 1 : nextOffset)
  }

  drop(held: HeldPartition<K, V>): void {
    if (this.#open?.held !== held) return
    this.settle()
    if (this.#isInHand) this.#isDropped = true
    else this.#forget()
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #forget(): void {
    this.#open = undefined
    this.#isDropped = false
  }
}

export class GroupBatchTaker<K, V> implements Taker<ReadBatch<K, V>>, Worker<K, V> {
  readonly #session: ConsumerSession<K, V>
  #inHand: (Omit<OpenBatch<K, V>, 'records'> & { readonly since: number }) | undefined

  constructor(session: ConsumerSession<K, V>) {
    this.#session = session
  }

  take(): ReadBatch<K, V> | undefined {
    this.asked()
    const given = this.#session.poll()
    if (given === undefined) return undefined
    const { held, batch } = given
    const { tracker } = held
    tracker.moveTo(batch.nextOffset, batch.fromOffset)
    this.#inHand = { held, tracker, batch, since: this.#session.patience.tick }
    return batch
  }

  /** The loop asks for the next: the last one is done. */
  asked(): void {
    if (this.#inHand === undefined) return
    const { held, tracker, batch } = this.#inHand
    this.#inHand = undefined
    tracker.moveTo(batch.nextOffset)
    held.tellIdle()
  }

  oldest(): InHand | undefined {
    if (this.#inHand === undefined) return undefined
    const { held, batch, since } = this.#inHand
    return { held, offset: batch.fromOffset, since }
  }

  ready(): Promise<boolean> {
    return this.#session.ready()
  }

  settle(): void {}

  drop(): void {}

  close(): Promise<void> {
    return this.#session.close()
  }
}
