/**
 * The offsets a group has committed, by topic name and partition as in Kafka's keys. Each remembers the
 * id of its topic, so that a topic created again under the same name does not inherit them.
 */

import type { GroupTopic } from './group-topics.ts'
import type { OffsetCommitValue } from './records/group-record.ts'

export class CommittedOffsets {
  readonly #byTopic = new Map<string, Map<number, OffsetCommitValue>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Whatever topic it was for. */
  get(topic: string, partition: number): OffsetCommitValue | undefined {
    return this.#byTopic.get(topic)?.get(partition)
  }

  /** Only if it was for this very topic, or from before ids were kept. */
  of(topic: GroupTopic, partition: number): OffsetCommitValue | undefined {
    const value = this.get(topic.name, partition)
    return value !== undefined && isFor(value, topic) ? value : undefined
  }

  /** Topics by name, partitions rising. */
  *entries(): Iterable<readonly [topic: string, partition: number, value: OffsetCommitValue]> {
    for (const topic of [...this.#byTopic.keys()].sort()) {
      const partitions = this.#byTopic.get(topic)!
      for (const partition of [...partitions.keys()].sort((a, b) => a - b)) {
        yield [topic, partition, partitions.get(partition)!]
      }
    }
  }

  apply(topic: string, partition: number, value: OffsetCommitValue | null): void {
    let partitions = this.#byTopic.get(topic)
    const before = partitions?.size ?? 0
    if (value !== null) {
      if (partitions === undefined) {
        partitions = new Map()
        this.#byTopic.set(topic, partitions)
      }
      partitions.set(partition, value)
    } else if (partitions?.delete(partition) === true && partitions.size === 0) {
      this.#byTopic.delete(topic)
    }
    this.#size += (partitions?.size ?? 0) - before
  }
}

export function isFor(value: OffsetCommitValue, topic: GroupTopic): boolean {
  return value.topicId === null || value.topicId === topic.topicId
}
