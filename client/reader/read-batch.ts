/**
 * One record batch as a reader gives it: what its header says, and its records when it is iterated, which
 * is also when it is checked and decompressed.
 */

import { SpoolError, spoolErrorFrom } from '../api/errors.ts'
import type { RecordFields, SourceBatch } from '../transport.ts'
import { ReadRecord, type RecordContext, type RecordOrigin } from './read-record.ts'

export interface BatchBounds {
  /** Records below are skipped: they were not asked for. */
  readonly from: number
  /** Exclusive. */
  readonly until: number
}

export class ReadBatch<K = string | Uint8Array, V = unknown> implements Iterable<ReadRecord<K, V>> {
  readonly #batch: SourceBatch
  readonly #bounds: BatchBounds
  readonly #context: RecordContext<K, V>

  constructor(batch: SourceBatch, bounds: BatchBounds, context: RecordContext<K, V>) {
    this.#batch = batch
    this.#bounds = bounds
    this.#context = context
  }

  get topic(): string {
    return this.#context.topic
  }

  /** @internal */
  get lease(): unknown {
    return this.#context.lease
  }

  get partition(): number {
    return this.#batch.partition
  }

  /** Of the batch as it is stored; iterating begins later where the reader does. */
  get baseOffset(): number {
    return this.#batch.baseOffset
  }

  /** One past the last offset the batch stands for; the reader's `until` may come before it. */
  get nextOffset(): number {
    return this.#batch.nextOffset
  }

  /** Where iterating begins: earlier records of the batch were not asked for. */
  get fromOffset(): number {
    return this.#bounds.from
  }

  /** Where iterating ends, exclusive; `Infinity` where the whole batch was asked for. */
  get untilOffset(): number {
    return this.#bounds.until
  }

  /** Records in it as it is stored. */
  get recordCount(): number {
    return this.#batch.recordCount
  }

  /** As it came over the wire. */
  get sizeBytes(): number {
    return this.#batch.sizeBytes
  }

  /** The first offset nobody could read yet when it was fetched. */
  get highWatermark(): number {
    return this.#batch.highWatermark
  }

  /** The batch as it is stored (Kafka's record batch v2); `undefined` where the transport has none. */
  get bytes(): Uint8Array | undefined {
    return this.#batch.bytes
  }

  /** @internal The same from a later record on; `undefined` where no record is left. */
  startingAt(offset: number): ReadBatch<K, V> | undefined {
    const bounds = { ...this.#bounds, from: Math.max(offset, this.#bounds.from) }
    const rest = new ReadBatch(this.#batch, bounds, this.#context)
    return rest[Symbol.iterator]().nextRecord() === undefined ? undefined : rest
  }

  /**
   * The records, in order. Checked and decompressed each time it is asked for.
   *
   * @throws SpoolError CORRUPT_MESSAGE, MESSAGE_TOO_LARGE (past `decompressedBytesMax`), INVALID_RECORD,
   * with `extensions` `topic`, `partition`, `offset` and the batch's `nextOffset`: what comes after can be read.
   */
  [Symbol.iterator](): RecordIterator<K, V> {
    return new RecordIterator(this.#batch, this.#bounds, this.#context)
  }
}

/** Moves over the records of one batch that lie within bounds. */
export class RecordIterator<K, V> implements IterableIterator<ReadRecord<K, V>, void, void> {
  readonly #batch: SourceBatch
  readonly #origin: RecordOrigin<K, V>
  readonly #fields: RecordFields
  readonly #from: number
  readonly #until: number
  #nextOffset: number

  constructor(batch: SourceBatch, { from, until }: BatchBounds, context: RecordContext<K, V>) {
    this.#batch = batch
    this.#from = from
    this.#until = until
    this.#nextOffset = from
    try {
      this.#fields = batch.cursor()
    } catch (error) {
      throw unreadable(context.topic, batch, from, error)
    }
    this.#origin = { ...context, partition: batch.partition, fields: this.#fields }
  }

  next(): IteratorResult<ReadRecord<K, V>, void> {
    const record = this.nextRecord()
    return record === undefined ? { done: true, value: undefined } : { done: false, value: record }
  }

  /** As `next`, without an object around the record; `undefined` after the last. */
  nextRecord(): ReadRecord<K, V> | undefined {
    const fields = this.#fields
    try {
      while (fields.next()) {
        if (fields.offset < this.#from) continue
        if (fields.offset >= this.#until) return undefined
        this.#nextOffset = fields.offset + 1
        return new ReadRecord(this.#origin)
      }
    } catch (error) {
      throw unreadable(this.#origin.topic, this.#batch, this.nextOffset, error)
    }
    return undefined
  }

  /** One past the last record given. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  [Symbol.iterator](): this {
    return this
  }
}

/** What is wrong with the records of a batch from `offset` on, and where to go on after them. */
function unreadable(
  topic: string,
  { partition, baseOffset, nextOffset }: SourceBatch,
  offset: number,
  cause: unknown,
): SpoolError {
  const { code, detail, extensions } = spoolErrorFrom(cause)
  return new SpoolError(
    code,
    `partition ${partition} of ${topic}, offset ${offset}, in the batch of ${baseOffset} to ${nextOffset - 1}: ${detail}`,
    { cause, extensions: { ...extensions, topic, partition, offset, nextOffset } },
  )
}
