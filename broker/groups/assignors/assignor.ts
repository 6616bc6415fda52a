/**
 * What an assignor is asked and what it answers. Assignors are pure and deterministic: the same question,
 * in whatever order its members were met, has the same answer, so that any broker, and a replay, decides
 * alike.
 */

import type { GroupTopic, TopicPartitions } from '../group-topics.ts'

export interface AssignorMember {
  readonly memberId: string
  readonly instanceId: string | null
  /** Sorted by name. Members with the same subscription share one array. */
  readonly topics: readonly GroupTopic[]
  /** The target so far. May name topics and partitions that are gone, or not subscribed to any more. */
  readonly previous: readonly TopicPartitions[]
}

export interface AssignorQuestion {
  /** Sorted by member id; at least one. */
  readonly members: readonly AssignorMember[]
  /** All that somebody subscribes to, sorted by name. */
  readonly topics: readonly GroupTopic[]
}

/** Every member with its partitions: topics in the order of the question, partitions rising. */
export type GroupAssignment = ReadonlyMap<string, readonly TopicPartitions[]>

export type Assignor = (question: AssignorQuestion) => GroupAssignment

/** Collects an assignment partition by partition, in any order. */
export class AssignmentBuilder {
  readonly #topics: readonly GroupTopic[]
  readonly #byMember = new Map<string, Map<string, number[]>>()

  constructor({ members, topics }: AssignorQuestion) {
    this.#topics = topics
    for (const { memberId } of members) this.#byMember.set(memberId, new Map())
  }

  add(memberId: string, topicId: string, partition: number): void {
    const byTopic = this.#byMember.get(memberId)!
    const partitions = byTopic.get(topicId)
    if (partitions === undefined) byTopic.set(topicId, [partition])
    else partitions.push(partition)
  }

  finish(): GroupAssignment {
    const assignment = new Map<string, TopicPartitions[]>()
    for (const [memberId, byTopic] of this.#byMember) {
      const mine = byTopic.size === 0 ? [] : this.#topics.filter((it) => byTopic.has(it.topicId))
      const topics = mine.map(({ topicId }) => ({
        topicId,
        partitions: byTopic.get(topicId)!.sort((a, b) => a - b),
      }))
      assignment.set(memberId, topics)
    }
    return assignment
  }
}
