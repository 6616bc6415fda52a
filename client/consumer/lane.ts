/**
 * What waits to be worked on of one partition, in order: batches as they came, and in each the record that
 * is next. Gives one piece after another and writes down in the partition's tracker what became of it.
 * Whose turn it is, and what is done with a piece, is for `runner.ts`.
 */

import type { ReadBatch, RecordIterator } from '../reader/read-batch.ts'
import type { ReadRecord } from '../reader/read-record.ts'
import { type HeldPartition, idOf } from './held-partition.ts'
import type { OffsetTracker } from './offset-tracker.ts'

/** What a handler is given, with what becomes of it. */
export interface Piece<K, V> {
  readonly record: ReadRecord<K, V> | undefined
  /** Instead of a record. */
  readonly batch: ReadBatch<K, V> | undefined
  /** Why the batch can not be read, from that offset on: nobody can be given it. */
  readonly unreadable?: { readonly error: unknown; readonly from: number }
  readonly tracker: OffsetTracker
  /** One past what it stands for. */
  readonly nextOffset: number
}

export class Lane<K, V> {
  readonly held: HeldPartition<K, V>
  /** Of the partition, whoever holds it. */
  readonly id: string
  readonly #isOfBatches: boolean
  readonly #queue: ReadBatch<K, V>[] = []
  /** Over the first of them. */
  #records: RecordIterator<K, V> | undefined
  #queuedBytes = 0
  #inHand: Piece<K, V> | undefined
  /** Nothing more is fetched for it until less waits here. */
  isHeldBack = false
  /** While a handler is called: since which tick (`patience.ts`). */
  calledAt: number | undefined
  /** It has its turn, or waits for it. */
  isScheduled = false
  /** Its piece in hand was to wait before another attempt, and has waited: this gives it its turn. */
  goOn: (() => void) | undefined
  /** Nothing more of it is wanted: another attempt would be in vain. */
  readonly leaving = new AbortController()
  readonly gone = new AbortController()

  constructor(held: HeldPartition<K, V>, isOfBatches: boolean) {
    this.held = held
    this.id = idOf(held)
    this.#isOfBatches = isOfBatches
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /** What waits, as it came over the wire. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  push(batch: ReadBatch<K, V>): void {
    this.#queue.push(batch)
    this.#queuedBytes += batch.sizeBytes
  }

  /**
   * The next piece, which is in hand from then on; `undefined` when nothing waits. Records of a batch that
   * can not be read are one piece.
   */
  take(): Piece<K, V> | undefined {
    this.#inHand = this.#isOfBatches ? this.#takeBatch() : this.#takeRecord()
    return this.#inHand
  }

  /** What a handler is being called for. */
  get inHand(): Piece<K, V> | undefined {
    return this.#inHand
  }

  /** The piece in hand is done, or is given up and would be given again. */
  finish(isDone: boolean): void {
    const piece = this.#inHand
    if (piece === undefined) return
    this.#inHand = undefined
    if (isDone) piece.tracker.moveTo(piece.nextOffset)
    else piece.tracker.abandon()
    this.held.tellIdle()
  }

  /** Forgets what waits. What is in hand stays in hand. */
  drop(): void {
    this.#queue.length = 0
    this.#records = undefined
    this.#queuedBytes = 0
    this.isHeldBack = false
  }

  #takeBatch(): Piece<K, V> | undefined {
    const batch = this.#shift()
    if (batch === undefined) return undefined
    const { tracker } = this.held
    const { nextOffset } = batch
    tracker.moveTo(nextOffset, batch.fromOffset)
    return { record: undefined, batch, tracker, nextOffset }
  }

  #takeRecord(): Piece<K, V> | undefined {
    const { tracker } = this.held
    for (;;) {
      const batch = this.#queue[0]
      if (batch === undefined) return undefined
      let record: ReadRecord<K, V> | undefined
      try {
        this.#records ??= batch[Symbol.iterator]()
        record = this.#records.nextRecord()
      } catch (error) {
        return this.#takeUnreadable(batch, error)
      }
      if (record !== undefined) {
        const nextOffset = record.offset + 1
        tracker.moveTo(nextOffset, record.offset)
        return { record, batch: undefined, tracker, nextOffset }
      }
      this.#records = undefined
      this.#shift()
      tracker.moveTo(batch.nextOffset)
    }
  }

  #takeUnreadable(batch: ReadBatch<K, V>, error: unknown): Piece<K, V> {
    const { tracker } = this.held
    const { nextOffset } = batch
    const from = this.#records?.nextOffset ?? batch.fromOffset
    this.#records = undefined
    this.#shift()
    tracker.moveTo(nextOffset, from)
    return { record: undefined, batch, tracker, nextOffset, unreadable: { error, from } }
  }

  #shift(): ReadBatch<K, V> | undefined {
    const batch = this.#queue.shift()
    if (batch !== undefined) this.#queuedBytes -= batch.sizeBytes
    return batch
  }
}
