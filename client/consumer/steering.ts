/**
 * What a program does with partitions that are held: it pauses them, resumes them, goes on elsewhere. The
 * worker and the sources hear of it at once; what is committed after a seek, `offset-tracker.ts` knows.
 */

import type { ClientContext } from '../client-context.ts'
import { offsetsAsker } from '../reader/ask-offsets.ts'
import { type PositionLike, positionOf, positionText } from '../reader/position-text.ts'
import type { AssignedSources } from './assigned-sources.ts'
import type { HeldPartition, HeldPartitions, TopicPartition } from './held-partition.ts'
import { takenAway } from './taken-away.ts'
import type { DropReason } from './worker.ts'

export interface SteeringOptions<K, V> {
  readonly context: ClientContext
  readonly held: HeldPartitions<K, V>
  readonly sources: AssignedSources<K, V>
  /** Nothing more of it may be given, also not of what was taken from the sources. */
  readonly drop: (held: HeldPartition<K, V>, reason: DropReason) => void
}

export class Steering<K, V> {
  readonly #options: SteeringOptions<K, V>

  constructor(options: SteeringOptions<K, V>) {
    this.#options = options
  }

  /** Gives nothing more of them until they are resumed. */
  pause(partitions: Iterable<TopicPartition>): void {
    const { sources, drop } = this.#options
    for (const held of this.#heldOf(partitions)) {
      if (held.isPaused) continue
      drop(held, 'paused')
      held.isPaused = true
      sources.remove([held])
    }
  }

  resume(partitions: Iterable<TopicPartition>): void {
    for (const held of this.#heldOf(partitions)) {
      if (!held.isPaused) continue
      held.isPaused = false
      held.suppliedTo = held.tracker.position
      this.#read(held)
    }
  }

  /**
   * Goes on at a position, which the broker is asked for where it is no offset.
   *
   * @throws SpoolError FENCED_MEMBER_EPOCH when the partition is not held, or not any more.
   */
  async seek(topic: string, partition: number, position: PositionLike): Promise<void> {
    const wanted = positionOf(position, 'position')
    const held = this.#options.held.named(topic, partition)
    if (held === undefined || held.isLeaving) throw takenAway({ topic, partition })
    const offset = wanted.kind === 'offset' ? wanted.offset : await this.#offsetAt(held, position)
    if (held.isGone || held.isLeaving) throw takenAway(held)
    const { sources, drop } = this.#options
    drop(held, 'sought')
    sources.remove([held])
    held.seek(offset)
    this.#read(held)
  }

  async #offsetAt(held: HeldPartition<K, V>, position: PositionLike): Promise<number> {
    const { context } = this.#options
    const { topic, topicId, partition } = held
    const timeoutMs = context.settings.requestTimeoutMs
    const ask = offsetsAsker(context, topic, { timeoutMs, signal: context.closed })
    const answer = await ask(positionText(position, 'position'))
    const found = answer.partitions.find((it) => it.partition === partition)
    if (answer.topicId !== topicId || found === undefined) throw takenAway(held)
    return found.offset
  }

  #read(held: HeldPartition<K, V>): void {
    if (held.isGiving) this.#options.sources.add([held])
  }

  /** Those that are not held are left out: they may have gone a moment ago. */
  #heldOf(partitions: Iterable<TopicPartition>): HeldPartition<K, V>[] {
    const { held } = this.#options
    return [...partitions].flatMap((it) => held.named(it.topic, it.partition) ?? [])
  }
}
