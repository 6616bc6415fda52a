/**
 * The supply of one loop: an open source, its batches within the reader's bounds, and the watch over
 * what changes meanwhile. Keeps the places true as batches are taken. Ended with its loop; the next loop
 * opens another where this one left off.
 */

import type { ClientContext } from '../client-context.ts'
import type { RecordSource, SourceBatch } from '../transport.ts'
import { ReadBatch } from './read-batch.ts'
import type { ReadPlace, ReadPlaces } from './read-places.ts'
import type { RecordContext } from './read-record.ts'
import { ReadWatch } from './read-watch.ts'
import type { ReaderSettings } from './reader-options.ts'
import { Turn } from './turn.ts'

export interface SessionOptions<K, V> {
  readonly context: ClientContext
  readonly topic: string
  readonly settings: ReaderSettings<K, V>
  readonly places: ReadPlaces
  /** Aborted when the loop ends, for whatever reason. */
  readonly signal: AbortSignal
}

/** Bounds that leave nothing out. */
const WHOLE = { from: 0, until: Number.POSITIVE_INFINITY }

export class ReadSession<K, V> {
  readonly turn = new Turn()
  readonly #records: RecordContext<K, V>
  readonly #places: ReadPlaces
  readonly #source: RecordSource
  readonly #signal: AbortSignal
  /** Waited for, and not yet given out. */
  #held: SourceBatch | undefined
  #failure: { readonly reason: unknown } | undefined

  constructor({ context, topic, settings, places, signal }: SessionOptions<K, V>) {
    this.#records = { topic, key: settings.key, value: settings.value }
    this.#places = places
    this.#signal = signal
    this.#source = context.transport.openSource({
      topic,
      topicId: places.topicId,
      partitions: places.ranges(),
      prefetchBytes: settings.prefetchBytes,
      maxWaitMs: settings.maxWaitMs,
      outOfRange: settings.outOfRange,
      signal,
    })
    new ReadWatch({ context, topic, places, source: this.#source, signal }).start((reason) => {
      this.#failure = { reason }
      void this.close()
    })
  }

  /** The next batch with records that are wanted, where one lies ready and the turn is not over. */
  poll(): ReadBatch<K, V> | undefined {
    if (this.turn.isOver) return undefined
    for (;;) {
      const batch = this.#held ?? this.#source.poll()
      this.#held = undefined
      if (batch === undefined) return undefined
      const wanted = this.#wanted(batch)
      if (wanted !== undefined) return wanted
    }
  }

  /** Waits until `poll` may have something; false at the end of everything. */
  async ready(): Promise<boolean> {
    if (this.turn.isOver) {
      await this.turn.next()
      return true
    }
    if (this.#held === undefined) {
      this.#held = await this.#source.next()
      this.turn.begin()
    }
    if (this.#failure !== undefined) throw this.#failure.reason
    if (this.#held !== undefined) return true
    if (!this.#signal.aborted) this.#places.finish()
    return false
  }

  /** Of the partition, everything before `nextOffset` was given out. */
  taken(partition: number, nextOffset: number): void {
    this.#places.get(partition)!.nextOffset = nextOffset
  }

  close(): Promise<void> {
    return this.#source.close()
  }

  #wanted(batch: SourceBatch): ReadBatch<K, V> | undefined {
    const place = this.#places.get(batch.partition)
    if (place === undefined) return undefined
    if (place.endTimeMs !== undefined && batch.maxTimestamp >= place.endTimeMs) {
      this.#endWithin(batch, place, place.endTimeMs)
    }
    const { until } = place
    if (batch.fromOffset >= until) return undefined
    place.nextOffset = batch.fromOffset
    return new ReadBatch(batch, { from: batch.fromOffset, until }, this.#records)
  }

  /** The batch may hold the first record of the time at which its partition ends. */
  #endWithin(batch: SourceBatch, place: ReadPlace, endTimeMs: number): void {
    for (const { offset, timestamp } of new ReadBatch(batch, WHOLE, this.#records)) {
      if (timestamp < endTimeMs) continue
      place.until = offset
      place.endTimeMs = undefined
      this.#source.endAt(place.partition, offset)
      return
    }
  }
}
