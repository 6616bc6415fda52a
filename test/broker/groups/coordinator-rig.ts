/**
 * A coordinator over logs in memory whose durability the test decides: nothing of `__consumer_offsets` is
 * flushed until it says so, or is flushed at once where it says `flushes`. And the events of one member.
 */

import { GroupCoordinator, OFFSETS_TOPIC } from '../../../broker/groups/group-coordinator.ts'
import { DEFAULT_GROUP_LIMITS } from '../../../broker/groups/group-limits.ts'
import type { TopicPatterns } from '../../../broker/groups/group-topics.ts'
import { Re2Patterns } from '../../../broker/groups/re2-patterns.ts'
import { silentLogger } from '../../../storage/logger.ts'
import type { MemoryLog } from '../partition/memory-log.ts'
import { Serving, settled } from '../partition/serving.ts'

export interface CoordinatorRigOptions {
  /** Partitions of `__consumer_offsets`. */
  readonly shards?: number
  readonly waitingRequestsMax?: number
  readonly groupsMax?: number
  readonly groupsBytesMax?: number
  readonly patterns?: TopicPatterns
}

export class CoordinatorRig {
  readonly serving: Serving
  readonly groups: GroupCoordinator
  readonly #patterns: TopicPatterns
  #topicsMade = 0

  constructor({
    shards = 1,
    waitingRequestsMax,
    groupsMax = 100,
    groupsBytesMax = 1 << 28,
    patterns = new Re2Patterns(),
  }: CoordinatorRigOptions = {}) {
    this.serving = new Serving(waitingRequestsMax === undefined ? {} : { waitingRequestsMax })
    this.#patterns = patterns
    this.put(OFFSETS_TOPIC, shards)
    this.groups = this.coordinator(groupsMax, groupsBytesMax)
  }

  /** Another one over the same logs: what a restart would find. */
  coordinator(groupsMax = 100, groupsBytesMax = 1 << 28): GroupCoordinator {
    const { serving } = this
    return new GroupCoordinator({
      limits: DEFAULT_GROUP_LIMITS,
      groupsMax,
      groupsBytesMax,
      decompressedBytesMax: 1 << 20,
      patterns: this.#patterns,
      clock: serving.clock,
      logger: silentLogger,
      image: () => serving.image,
      partition: (number) => serving.replicas.partition(OFFSETS_TOPIC, number),
      createTopic: async () => this.put(OFFSETS_TOPIC, 1),
    })
  }

  put(name: string, partitions: number): void {
    const known = this.serving.image.topics.get(name)?.topicId
    const topicId =
      known ?? `00000000-0000-4000-8000-${String(++this.#topicsMade).padStart(12, '0')}`
    this.serving.put({ name, topicId, partitions })
  }

  log(shard = 0): MemoryLog {
    return this.serving.log(OFFSETS_TOPIC, shard)
  }

  /** Waits for what `work` comes to, making durable whatever it appends. */
  async durably<T>(work: Promise<T>): Promise<T> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    while (!isOver) {
      for (const [name, log] of this.serving.logs) if (name.startsWith('__')) log.flush()
      await settled()
    }
    return await work
  }

  async open(): Promise<void> {
    this.groups.open()
    await this.durably(this.groups.whenLoaded())
    await settled()
    await settled()
  }

  join(group: string, memberId = 'm', topics = ['orders']) {
    return this.groups.run(group, { kind: 'join', memberId, details: { topics } })
  }

  /** Somebody without membership, so that any offset will do. */
  commit(group: string, offset: number, partition = 0) {
    const offsets = [{ topic: 'orders', partition, offset }]
    return this.groups.run(group, { kind: 'commitOffsets', offsets })
  }

  async committed(group: string, groups = this.groups): Promise<number[]> {
    const { offsets } = await groups.run(group, { kind: 'fetchOffsets' })
    return offsets.map(({ offset }) => offset)
  }
}

/** `done` once the promise is settled, whichever way. */
export function fate(promise: Promise<unknown>): { isKnown: boolean } {
  const seen = { isKnown: false }
  const known = () => {
    seen.isKnown = true
  }
  promise.then(known, known)
  return seen
}
