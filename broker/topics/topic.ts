/** A topic as the rest of the broker sees it: a value, replaced and never changed. */

import type { TopicConfig } from './topic-config.ts'

export interface Topic {
  readonly name: string
  /** A UUID; a topic created again under the same name is another topic with another id. */
  readonly topicId: string
  /** How many; their numbers are 0 … partitions - 1. */
  readonly partitions: number
  readonly replicationFactor: number
  readonly config: TopicConfig
  readonly isInternal: boolean
}
