/**
 * Where a reader is in each of its partitions, and what to ask for next: a pure state machine. What was
 * fetched moves a place on; a failed request moves nothing, so that the same is asked again.
 *
 * Partitions take turns at the front of the question: the broker fills its answer from there.
 */

import { SpoolError } from '../api/errors.ts'
import { ENVELOPE_PARTITIONS_MAX } from '../api/schemas/envelopes.ts'
import { type Backoff, isWorthRetrying, retryDelayMs } from '../retry.ts'
import type { OutOfRange, ReadRange } from '../transport.ts'
import type { FetchedPlace, FetchPlace } from './fetch-reply.ts'

interface Place {
  readonly partition: number
  readonly range: ReadRange
  /** The next offset to ask for. */
  offset: number
  until: number
  /** Failures in a row, and when to ask again after them. */
  failures: number
  askAtMs: number
}

export class FetchPlaces {
  readonly #outOfRange: OutOfRange
  readonly #backoff: Backoff
  readonly #known = new Set<number>()
  /** Those that have not reached their end, in the order of their turns. */
  readonly #open = new Map<number, Place>()

  constructor(ranges: readonly ReadRange[], outOfRange: OutOfRange, backoff: Backoff) {
    this.#outOfRange = outOfRange
    this.#backoff = backoff
    this.add(ranges)
  }

  add(ranges: readonly ReadRange[]): void {
    for (const range of ranges) {
      const { partition, offset, until } = range
      if (this.#known.has(partition)) continue
      this.#known.add(partition)
      const place = { partition, range, offset, until, failures: 0, askAtMs: 0 }
      if (offset < until) this.#open.set(partition, place)
    }
  }

  /** What is on its way for them is not taken any more; they may be added again. */
  remove(partitions: readonly number[]): void {
    for (const partition of partitions) {
      this.#known.delete(partition)
      this.#open.delete(partition)
    }
  }

  /** Whether what was fetched is still wanted: its partition may have been removed meanwhile. */
  wants({ partition, range }: FetchPlace): boolean {
    return this.#open.get(partition)?.range === range
  }

  /** The partition has an end now. */
  endAt(partition: number, until: number): void {
    const place = this.#open.get(partition)
    if (place === undefined) return
    place.until = until
    if (place.offset >= until) this.#open.delete(partition)
  }

  /** True once every partition has reached its end. */
  get isDone(): boolean {
    return this.#open.size === 0
  }

  /** What to ask now, as much as one question holds; who stood first stands last the next time. */
  toAsk(nowMs: number): Place[] {
    const ready = [...this.#open.values()].filter(({ askAtMs }) => askAtMs <= nowMs)
    const asked = ready.slice(0, ENVELOPE_PARTITIONS_MAX)
    for (const place of asked.length < ready.length ? asked : asked.slice(0, 1)) {
      this.#open.delete(place.partition)
      this.#open.set(place.partition, place)
    }
    return asked
  }

  /** When the next of those that wait after a failure may be asked. */
  get askAgainAtMs(): number {
    let first = Number.POSITIVE_INFINITY
    for (const { askAtMs } of this.#open.values()) first = Math.min(first, askAtMs)
    return first
  }

  /**
   * Takes what became of one partition's part of the question.
   *
   * @throws SpoolError what can not be put right by asking again.
   */
  take(fetched: FetchedPlace, nowMs: number, random: number): void {
    if (!this.wants(fetched)) return
    const place = this.#open.get(fetched.partition)!
    if (fetched.error === undefined) {
      place.failures = 0
      place.offset = fetched.batches.at(-1)?.nextOffset ?? place.offset
    } else if (fetched.error.code === 'OFFSET_OUT_OF_RANGE') {
      place.offset = this.#offsetInRange(place, fetched, fetched.error)
    } else {
      if (!isWorthRetrying(fetched.error)) throw fetched.error
      place.failures += 1
      place.askAtMs = nowMs + retryDelayMs(place.failures, this.#backoff, random, fetched.error)
    }
    if (place.offset >= place.until) this.#open.delete(place.partition)
  }

  /** The offset `outOfRange` chooses; once, for a broker that does not know its own range has none. */
  #offsetInRange(place: Place, fetched: FetchedPlace, error: SpoolError): number {
    const { logStartOffset, highWatermark } = fetched
    const isKnown = logStartOffset >= 0 && highWatermark >= 0
    const offset = this.#outOfRange === 'latest' ? highWatermark : logStartOffset
    if (this.#outOfRange !== undefined && isKnown && offset !== place.offset) return offset
    throw new SpoolError(
      error.code,
      `${error.detail}; outOfRange: 'earliest' or 'latest' goes on from there`,
      { extensions: error.extensions, cause: error },
    )
  }
}
