/**
 * What of the previous assignment still stands: each partition of a topic that its holder subscribes to,
 * counted once, and what is left over. The common beginning of the sticky assignors.
 */

import type { AssignorQuestion } from './assignor.ts'

export interface HeldPartition {
  readonly topicId: string
  readonly partition: number
}

export class KeptPartitions {
  readonly #question: AssignorQuestion
  readonly #byMember = new Map<string, HeldPartition[]>()
  /** For each topic one flag for each partition: 1 where somebody has it. */
  readonly #taken: Map<string, Uint8Array>

  constructor(question: AssignorQuestion) {
    this.#question = question
    this.#taken = new Map(
      question.topics.map(({ topicId, partitions }) => [topicId, new Uint8Array(partitions)]),
    )
    const subscribed = new Map<readonly unknown[], Set<string>>()
    for (const { memberId, topics, previous } of question.members) {
      let ids = subscribed.get(topics)
      if (ids === undefined) {
        ids = new Set(topics.map(({ topicId }) => topicId))
        subscribed.set(topics, ids)
      }
      const kept: HeldPartition[] = []
      for (const { topicId, partitions } of previous) {
        if (!ids.has(topicId)) continue
        for (const partition of partitions) this.#keep(kept, topicId, partition)
      }
      this.#byMember.set(memberId, kept)
    }
  }

  ofMember(memberId: string): readonly HeldPartition[] {
    return this.#byMember.get(memberId)!
  }

  /** The caller gives the partition to nobody yet. */
  release({ topicId, partition }: HeldPartition): void {
    this.#taken.get(topicId)![partition] = 0
  }

  /** What nobody has, by topic and rising. */
  *unassigned(): Iterable<HeldPartition> {
    for (const { topicId } of this.#question.topics) {
      const taken = this.#taken.get(topicId)!
      for (let partition = 0; partition < taken.length; partition++) {
        if (taken[partition] === 0) yield { topicId, partition }
      }
    }
  }

  /** A partition that two members had, which no target of ours holds, stays with the first. */
  #keep(kept: HeldPartition[], topicId: string, partition: number): void {
    const taken = this.#taken.get(topicId)
    if (taken === undefined || partition >= taken.length || taken[partition] === 1) return
    taken[partition] = 1
    kept.push({ topicId, partition })
  }
}
