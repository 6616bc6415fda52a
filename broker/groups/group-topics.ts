/**
 * What a group sees of the cluster: which topics there are and how many partitions they have, and how a
 * pattern finds topics. Interfaces only, so that the machine needs neither the cluster's picture nor a
 * library for regular expressions.
 */

export interface GroupTopic {
  readonly name: string
  /** A UUID in lower case; a topic created again has another one. */
  readonly topicId: string
  readonly partitions: number
}

/** Only topics that are served: not those being created or deleted, nor the broker's own. */
export interface GroupTopics {
  /** Rises with each change of the topics: a heartbeat that sees another one looks again. */
  readonly version: number
  byName(name: string): GroupTopic | undefined
  byId(topicId: string): GroupTopic | undefined
  names(): Iterable<string>
}

/** RE2 patterns over topic names. A pattern matches the whole name, as in Kafka (KIP-848). */
export interface TopicPatterns {
  /** Why the text is no pattern; `undefined` when it is one. */
  problem(pattern: string): string | undefined
  /** The names that match, sorted. Called with the same `topics` for many groups: worth remembering. */
  matching(pattern: string, topics: GroupTopics): readonly string[]
  /** Resolves when `matching` has nothing left to do for these topics; others have their turn meanwhile. */
  prepare(pattern: string, topics: GroupTopics): Promise<void>
}

/** Partitions of one topic, rising. The shape of assignments everywhere in this room. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}
