/**
 * What a log remembers of idempotent producers, so that a retry lands once (KIP-98): for each producer
 * id its epoch and its last five batches. A pure state machine over batch headers; how it gets to disk
 * is `producer-snapshot.ts`.
 *
 * More than five batches are kept while they are not flushed yet: when the disk refuses a group, `truncate`
 * must take the state back to exactly where it was.
 *
 *     flushed ─┐
 *     [s 0–9][s 10–19]…five…│[s 60–69][s 70–79]     truncate(offset of s 60) leaves the five
 */

import { StorageError } from '../errors.ts'
import { type Offset, toOffset } from '../record/offsets.ts'

/** As in Kafka: a client may have this many requests in flight, so each of them can be a retry. */
export const BATCHES_PER_PRODUCER = 5

const SEQUENCE_COUNT = 2 ** 31

/** One batch a producer appended. */
export interface ProducedBatch {
  readonly epoch: number
  readonly lastSequence: number
  readonly lastOffset: Offset
  /** Records in the batch, minus one. */
  readonly offsetDelta: number
  /** Wall clock of the append (not the records' timestamps: those may be of last year). */
  readonly appendedAtMs: number
}

/** What `check` reads from a batch header. */
export interface ProducerHeader {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastOffsetDelta: number
}

/** Where the original of a repeated batch lies. */
export interface DuplicateOf {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
}

export interface ProducerLimits {
  readonly producersMax: number
  readonly expirationMs: number
}

export class ProducerState {
  /** Least recently appending first. Invariant: no entry is empty, and offsets rise within one. */
  readonly #producers = new Map<number, ProducedBatch[]>()
  readonly #limits: ProducerLimits

  constructor(limits: ProducerLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#producers.size
  }

  /**
   * Whether a batch may be appended. Returns the place of its original when it is a repeat of one of the
   * last five; throws `INVALID_PRODUCER_EPOCH` or `OUT_OF_ORDER_SEQUENCE_NUMBER` (outcome `refused`).
   * A producer without state here may start at any sequence (KIP-360).
   */
  check(header: ProducerHeader): DuplicateOf | undefined {
    const batches = this.#producers.get(header.producerId)
    const last = batches?.at(-1)
    if (batches === undefined || last === undefined) return undefined
    if (header.producerEpoch < last.epoch) throw staleEpoch(header, last.epoch)
    if (header.producerEpoch > last.epoch) {
      if (header.baseSequence !== 0) throw sequenceGap(header, 0)
      return undefined
    }
    const original = batches.find((batch) => isRepeat(header, batch))
    if (original !== undefined) {
      return {
        baseOffset: toOffset(original.lastOffset - original.offsetDelta),
        lastOffset: original.lastOffset,
      }
    }
    const expected = (last.lastSequence + 1) % SEQUENCE_COUNT
    if (header.baseSequence !== expected) throw sequenceGap(header, expected)
    return undefined
  }

  /** Notes an appended batch. Everything below `flushedOffset` will never be taken back. */
  update(header: ProducerHeader, lastOffset: Offset, nowMs: number, flushedOffset: Offset): void {
    const batches = this.#producers.get(header.producerId) ?? []
    batches.push({
      epoch: header.producerEpoch,
      lastSequence: (header.baseSequence + header.lastOffsetDelta) % SEQUENCE_COUNT,
      lastOffset,
      offsetDelta: header.lastOffsetDelta,
      appendedAtMs: nowMs,
    })
    forgetOldest(batches, flushedOffset)
    this.#producers.delete(header.producerId)
    this.#producers.set(header.producerId, batches)
    if (this.#producers.size > this.#limits.producersMax) this.#dropLeastRecent()
  }

  /** Takes back every batch at or beyond `offset`. */
  truncate(offset: Offset): void {
    for (const [producerId, batches] of this.#producers) {
      while (batches.length > 0 && batches[batches.length - 1]!.lastOffset >= offset) batches.pop()
      if (batches.length === 0) this.#producers.delete(producerId)
    }
  }

  /** Forgets producers that appended nothing for `producer.id.expiration.ms`. */
  expire(nowMs: number): void {
    for (const [producerId, batches] of this.#producers) {
      const last = batches[batches.length - 1]!
      if (nowMs - last.appendedAtMs > this.#limits.expirationMs) this.#producers.delete(producerId)
    }
  }

  /** Where the newest batch of each producer ends. */
  lastOffsets(): Set<number> {
    const offsets = new Set<number>()
    for (const batches of this.#producers.values()) offsets.add(batches.at(-1)!.lastOffset)
    return offsets
  }

  clear(): void {
    this.#producers.clear()
  }

  /** Puts back what a snapshot held. */
  restore(producerId: number, batches: readonly ProducedBatch[]): void {
    if (batches.length > 0) this.#producers.set(producerId, [...batches])
  }

  /** Each producer with its batches, least recently appending first. */
  entries(): IterableIterator<[number, readonly ProducedBatch[]]> {
    return this.#producers.entries()
  }

  #dropLeastRecent(): void {
    const oldest = this.#producers.keys().next()
    if (!oldest.done) this.#producers.delete(oldest.value)
  }
}

function isRepeat(header: ProducerHeader, batch: ProducedBatch): boolean {
  const lastSequence = (header.baseSequence + header.lastOffsetDelta) % SEQUENCE_COUNT
  return (
    batch.epoch === header.producerEpoch &&
    batch.lastSequence === lastSequence &&
    batch.offsetDelta === header.lastOffsetDelta
  )
}

/** Keeps the last five batches that are flushed, and all that are not. */
function forgetOldest(batches: ProducedBatch[], flushedOffset: Offset): void {
  const unflushed = batches.findIndex((batch) => batch.lastOffset >= flushedOffset)
  const flushedCount = unflushed < 0 ? batches.length : unflushed
  const surplus = flushedCount - BATCHES_PER_PRODUCER
  if (surplus > 0) batches.splice(0, surplus)
}

function staleEpoch(header: ProducerHeader, currentEpoch: number): StorageError {
  return new StorageError(
    'INVALID_PRODUCER_EPOCH',
    `producer ${header.producerId} has epoch ${currentEpoch}; the batch came with the older epoch ${header.producerEpoch}`,
    { outcome: 'refused', values: { producerId: header.producerId, currentEpoch } },
  )
}

function sequenceGap(header: ProducerHeader, expected: number): StorageError {
  return new StorageError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `producer ${header.producerId} must continue with sequence ${expected}; the batch begins with ${header.baseSequence}`,
    { outcome: 'refused', values: { producerId: header.producerId, expectedSequence: expected } },
  )
}
