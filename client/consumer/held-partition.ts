/**
 * One partition from the moment a member is given it until it is let go of or lost. What happens in which
 * order is for `rebalance.ts`; where records come from, for `assigned-sources.ts`.
 */

import type { AssignedPartition } from '../api/schemas/groups.ts'
import type { RecordContext } from '../reader/read-record.ts'
import type { Deserializer } from '../serdes/serde.ts'
import type { ReadRange } from '../transport.ts'
import { OffsetTracker } from './offset-tracker.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A partition as the broker gives it, with the offset to begin at. */
export type PlaceToRead = AssignedPartition & { readonly offset: number }

export interface Serdes<K, V> {
  readonly key: Deserializer<K>
  readonly value: Deserializer<V>
}

export class HeldPartition<K = unknown, V = unknown> {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly #serdes: Serdes<K, V>
  #tracker: OffsetTracker
  #context: RecordContext<K, V>
  /** `onAssigned` was called, or would have been. */
  isAnnounced = false
  /** … and has come to its end. */
  isReady = false
  /** Asked back: nothing of it is given any more. */
  isLeaving = false
  /** It is somebody else's. */
  isGone = false
  isPaused = false
  /** What the open source reads for it; `undefined`: nothing. Another after each interruption. */
  range: ReadRange | undefined
  /** The source gave everything before it. */
  suppliedTo: number
  /** Called once, when nothing of it is in hand any more. */
  #onIdle: (() => void)[] = []

  constructor({ topic, topicId, partition, offset }: PlaceToRead, serdes: Serdes<K, V>) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.#serdes = serdes
    this.suppliedTo = offset
    this.#tracker = new OffsetTracker(offset, { isCommitted: true })
    this.#context = this.#newContext()
  }

  get tracker(): OffsetTracker {
    return this.#tracker
  }

  /** For its records. They carry the tracker: what is done with one counts only while it is this one. */
  get context(): RecordContext<K, V> {
    return this.#context
  }

  get isGiving(): boolean {
    return this.isReady && !this.isLeaving && !this.isGone && !this.isPaused
  }

  /** Goes on at `offset`; what was given before does not count any more. */
  seek(offset: number): void {
    this.#tracker = new OffsetTracker(offset, { isCommitted: false })
    this.#context = this.#newContext()
    this.suppliedTo = offset
  }

  /** Resolves once nothing of it is in hand. */
  whenIdle(): Promise<void> {
    if (!this.#tracker.isInHand) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle.push(resolve)
    })
  }

  /** To be called when something of it is done, or given up, and somebody may wait for that. */
  tellIdle(): void {
    if (this.#onIdle.length === 0 || this.#tracker.isInHand) return
    for (const wake of this.#onIdle.splice(0)) wake()
  }

  #newContext(): RecordContext<K, V> {
    const { topic } = this
    const { key, value } = this.#serdes
    return { topic, key, value, lease: this.#tracker }
  }
}

/** All that a member holds. */
export class HeldPartitions<K, V> implements Iterable<HeldPartition<K, V>> {
  readonly #byId = new Map<string, HeldPartition<K, V>>()
  /** Of a topic made anew, those of the new one. */
  readonly #byName = new Map<string, HeldPartition<K, V>>()

  get size(): number {
    return this.#byId.size
  }

  [Symbol.iterator](): Iterator<HeldPartition<K, V>> {
    return this.#byId.values()
  }

  add(held: HeldPartition<K, V>): void {
    this.#byId.set(idOf(held), held)
    this.#byName.set(nameOf(held), held)
  }

  delete(held: HeldPartition<K, V>): void {
    if (this.#byId.get(idOf(held)) === held) this.#byId.delete(idOf(held))
    if (this.#byName.get(nameOf(held)) === held) this.#byName.delete(nameOf(held))
  }

  named(topic: string, partition: number): HeldPartition<K, V> | undefined {
    return this.#byName.get(nameOf({ topic, partition }))
  }

  has(place: { readonly topicId: string; readonly partition: number }): boolean {
    return this.#byId.has(idOf(place))
  }
}

export function idOf(place: { readonly topicId: string; readonly partition: number }): string {
  return `${place.partition}/${place.topicId}`
}

function nameOf(place: TopicPartition): string {
  return `${place.partition}/${place.topic}`
}
