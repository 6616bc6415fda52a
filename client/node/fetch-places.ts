/**
 * Where a reader is in each of its partitions, and what to ask for next: a pure state machine. What was
 * fetched moves a place on; a failed request moves nothing, so that the same is asked again.
 *
 * Partitions take turns at the front of the question: the broker fills its answer from there.
 */

import { SpoolError } from '../api/errors.ts'
import { type Backoff, isWorthRetrying, retryDelayMs } from '../retry.ts'
import type { OutOfRange, ReadRange } from '../transport.ts'
import type { FetchedPlace } from './fetch-reply.ts'

interface Place {
  readonly partition: number
  /** The next offset to ask for. */
  offset: number
  readonly until: number
  /** Failures in a row, and when to ask again after them. */
  failures: number
  askAtMs: number
}

export class FetchPlaces {
  readonly #outOfRange: OutOfRange
  readonly #backoff: Backoff
  readonly #known = new Set<number>()
  /** Those that have not reached their end. */
  readonly #open: Place[] = []

  constructor(ranges: readonly ReadRange[], outOfRange: OutOfRange, backoff: Backoff) {
    this.#outOfRange = outOfRange
    this.#backoff = backoff
    this.add(ranges)
  }

  add(ranges: readonly ReadRange[]): void {
    for (const { partition, offset, until } of ranges) {
      if (this.#known.has(partition)) continue
      this.#known.add(partition)
      const place = { partition, offset, until, failures: 0, askAtMs: 0 }
      if (offset < until) this.#open.push(place)
    }
  }

  /** True once every partition has reached its end. */
  get isDone(): boolean {
    return this.#open.length === 0
  }

  /** What to ask now; the one that stands first now stands last the next time. */
  toAsk(nowMs: number): Place[] {
    const first = this.#open.shift()
    if (first !== undefined) this.#open.push(first)
    return this.#open.filter((place) => place.askAtMs <= nowMs)
  }

  /** When the next of those that wait after a failure may be asked. */
  get askAgainAtMs(): number {
    return this.#open.reduce((first, { askAtMs }) => Math.min(first, askAtMs), Infinity)
  }

  /**
   * Takes what became of one partition's part of the question.
   *
   * @throws SpoolError what can not be put right by asking again.
   */
  take(fetched: FetchedPlace, nowMs: number, random: number): void {
    const place = this.#open.find(({ partition }) => partition === fetched.partition)
    if (place === undefined) return
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
    if (place.offset >= place.until) this.#open.splice(this.#open.indexOf(place), 1)
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
