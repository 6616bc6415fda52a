/**
 * Where a reader is in each of its partitions: what it gave out, and where it ends. Lives as long as the
 * reader, over all its loops; asks nobody and waits for nothing.
 */

import type { TopicOffsets } from '../api/schemas/topics.ts'
import type { ReadRange } from '../transport.ts'

export interface ReadPlace {
  readonly partition: number
  /** The next offset to give out. */
  nextOffset: number
  /** Exclusive; `Infinity` where it has no end, or its end is a time still to come. */
  until: number
  /** That time, in milliseconds since 1970: the first record at or after it is the end. */
  endTimeMs: number | undefined
}

/** What becomes of partitions that come into being later. */
export interface LaterPartitions {
  /** False: they are not read. */
  readonly isWanted: boolean
  readonly endTimeMs: number | undefined
}

export class ReadPlaces {
  readonly topicId: string
  readonly #later: LaterPartitions
  readonly #places = new Map<number, ReadPlace>()

  constructor(topicId: string, places: readonly ReadPlace[], later: LaterPartitions) {
    this.topicId = topicId
    this.#later = later
    for (const place of places) this.#places.set(place.partition, place)
  }

  /** The place of a partition that is read. */
  get(partition: number): ReadPlace | undefined {
    return this.#places.get(partition)
  }

  /** What is left to read. */
  ranges(): ReadRange[] {
    return [...this.#places.values()].map(rangeOf)
  }

  /** True while partitions that come into being are read too. */
  get wantsLater(): boolean {
    return this.#later.isWanted && [...this.#places.values()].some(hasNoEnd)
  }

  /** Of the topic's partitions, takes in those that are new here: from their first record. */
  addLater(partitions: TopicOffsets['partitions']): ReadRange[] {
    if (!this.#later.isWanted) return []
    const { endTimeMs } = this.#later
    const added = partitions
      .filter(({ partition }) => !this.#places.has(partition))
      .map(
        ({ partition, logStartOffset: nextOffset }): ReadPlace => ({
          partition,
          nextOffset,
          until: Number.POSITIVE_INFINITY,
          endTimeMs,
        }),
      )
    for (const place of added) this.#places.set(place.partition, place)
    return added.map(rangeOf)
  }

  /** The times at which partitions end, the soonest first. */
  endTimes(): number[] {
    const times = [...this.#places.values()].map(({ endTimeMs }) => endTimeMs)
    return [...new Set(times.filter((time) => time !== undefined))].sort((a, b) => a - b)
  }

  /** The partition ends before `offset`, where its end was to be found at `timeMs`; true where it was. */
  endAt(partition: number, timeMs: number, offset: number): boolean {
    const place = this.#places.get(partition)
    if (place?.endTimeMs !== timeMs) return false
    place.endTimeMs = undefined
    place.until = offset
    return true
  }

  /** Everything was read up to the ends; behind the last record there may be offsets without one. */
  finish(): void {
    for (const place of this.#places.values()) {
      if (!hasNoEnd(place)) place.nextOffset = Math.max(place.nextOffset, place.until)
    }
  }

  position(): Record<number, number> {
    const numbers = [...this.#places.keys()].sort((a, b) => a - b)
    return Object.fromEntries(numbers.map((it) => [it, this.#places.get(it)!.nextOffset]))
  }
}

function rangeOf({ partition, nextOffset, until }: ReadPlace): ReadRange {
  return { partition, offset: nextOffset, until }
}

function hasNoEnd({ until }: ReadPlace): boolean {
  return until === Number.POSITIVE_INFINITY
}
