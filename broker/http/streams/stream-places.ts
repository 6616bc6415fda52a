/**
 * From a request to the places its stream reads: where each begins and ends, how its records look, and
 * what comes later, which is partitions that are added and a time that ends it. Reads nothing but the index.
 */

import { positionTime } from '../../../client/api/positions.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { Partition } from '../../partition/partition.ts'
import type { ReplicaManager } from '../../partition/replica-manager.ts'
import { waitForAppends } from '../../partition/wait-for-appends.ts'
import { encodeCursor } from '../records/cursor.ts'
import { endOf, type ReadPlace, readPlaces } from '../records/read-places.ts'
import type { Rendering } from './chunk.ts'
import { recordRendering } from './format.ts'
import { Place, type PlaceOptions } from './place.ts'
import type { StreamPlan } from './plan.ts'
import type { PlaceChange, PlaceSource } from './stream.ts'

/** What all places of a broker share. */
export type PlaceSurroundings = Pick<
  PlaceOptions,
  'feeds' | 'memory' | 'totals' | 'maxDecompressedBytes'
>

export interface StreamPlacesOptions {
  readonly plan: StreamPlan
  /** One, or all of the topic. */
  readonly partitions: readonly Partition[]
  /** True: all of the topic, be it one. */
  readonly isTopic: boolean
  readonly replicas: ReplicaManager
  readonly clock: Clock
  readonly surroundings: PlaceSurroundings
  /** Aborted when nobody waits for the stream any more. */
  readonly signal: AbortSignal
}

export class StreamPlaces implements PlaceSource {
  readonly topicId: string
  readonly untilMs: number | undefined
  readonly #options: StreamPlacesOptions
  readonly #topic: string
  /** Partitions that are added are part of what was asked for. */
  readonly #grows: boolean
  readonly #places: Place[] = []

  private constructor(options: StreamPlacesOptions, found: readonly ReadPlace[], now: number) {
    const { plan, isTopic } = options
    const { topic, topicId } = found[0]!.partition
    this.#options = options
    this.#topic = topic
    this.topicId = topicId
    const time = plan.until === undefined ? undefined : positionTime(plan.until, now)
    const isAhead = time !== undefined && time > now
    this.untilMs = isAhead && plan.follows ? time : undefined
    this.#grows = isTopic && plan.follows && (plan.until === undefined || isAhead)
    for (const { partition, from, end } of found) {
      // A time that has come and has no record at or after it means the end of what there is.
      const isNow = end === Number.POSITIVE_INFINITY && time !== undefined && !isAhead
      const until = isNow ? Math.max(from, partition.highWatermark) : end
      this.#places.push(this.#place(partition, from, until, found.length === 1))
    }
  }

  /** The places of a request. Throws SpoolError as `readPlaces` does. */
  static async begin(options: StreamPlacesOptions): Promise<StreamPlaces> {
    const now = options.clock.now()
    const found = await readPlaces(options.partitions, options.plan, now)
    if (options.plan.waitMs > 0) await waitForFirst(found, options)
    return new StreamPlaces(options, found, now)
  }

  get places(): readonly Place[] {
    return this.#places
  }

  async endOf(place: Place): Promise<number> {
    const { plan, clock } = this.#options
    const end = await endOf(place.partition, plan.until, clock.now())
    return Math.min(end, place.partition.highWatermark)
  }

  get tellsAfterChunks(): boolean {
    return this.#options.plan.isEvents && this.#places.length > 1
  }

  get outlivesTopics(): boolean {
    return false
  }

  get hasMoreToTell(): boolean {
    return false
  }

  get canEnd(): boolean {
    return true
  }

  cursor(isEnd: boolean): string {
    const places = this.#places.map(({ partition: { partition }, nextOffset, until }) =>
      isEnd || !Number.isFinite(until)
        ? { partition, nextOffset }
        : { partition, nextOffset, endOffset: Math.max(until, nextOffset) },
    )
    return encodeCursor({ topicId: this.topicId, places, isEnd })
  }

  /** Partitions were added, or the topic is another one. */
  isChanged(): boolean {
    if (!this.#grows || this.#isOver) return false
    return this.#options.replicas.partitionCount(this.#topic) !== this.#places.length
  }

  change(): PlaceChange {
    const partitions = this.#options.replicas.partitionsOf(this.#topic)
    partitions[0]!.checkTopicId(this.topicId)
    const added = partitions
      .slice(this.#places.length)
      .map((partition) =>
        this.#place(partition, partition.logStartOffset, Number.POSITIVE_INFINITY, false),
      )
    // With several partitions an event's own place says nothing of the others.
    if (this.#places.length === 1 && added.length > 0) {
      this.#places[0]!.renderAs(recordRendering(this.#options.plan))
    }
    this.#places.push(...added)
    return { added, removed: [], told: [] }
  }

  get #isOver(): boolean {
    return this.untilMs !== undefined && this.#options.clock.now() >= this.untilMs
  }

  #place(partition: Partition, from: number, until: number, isOnly: boolean): Place {
    const { plan, surroundings } = this.#options
    const end = plan.follows ? until : Math.max(from, Math.min(until, partition.highWatermark))
    const rendering = this.#rendering(until, isOnly)
    return new Place({ ...surroundings, partition, from, until, end, rendering })
  }

  #rendering(until: number, isOnly: boolean): Rendering {
    const { plan } = this.#options
    return isOnly ? recordRendering(plan, { topicId: this.topicId, until }) : recordRendering(plan)
  }
}

/** Waits for the first record, where there is none yet. */
async function waitForFirst(
  found: readonly ReadPlace[],
  { plan, replicas, signal }: StreamPlacesOptions,
): Promise<void> {
  const open = found.filter(({ from, end }) => from < end)
  if (open.length === 0) return
  const places = open.map(({ partition, from }) => ({ partition, nextOffset: from }))
  await waitForAppends(replicas.purgatory, places, plan.waitMs, signal)
}
