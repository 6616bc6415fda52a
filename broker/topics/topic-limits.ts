/**
 * How many topics, partitions and replicas there may be. Pure but for the places it holds for topics
 * that are on their way into the metadata, so that two that fit alone do not pass together.
 *
 * The broker's own topics are not counted: a broker that is full of topics can still begin its first group.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { PARTITION_MAX } from '../../storage/file/names.ts'
import type { ClusterImage } from '../cluster/cluster-image.ts'

export interface TopicLimitsOptions {
  readonly topicsMax: number
  readonly partitionsMax: number
  image(): ClusterImage
}

export class TopicLimits {
  readonly #options: TopicLimitsOptions
  #heldTopics = 0
  #heldPartitions = 0

  constructor(options: TopicLimitsOptions) {
    this.#options = options
  }

  /**
   * Holds room for so many more; the call it returns lets go, once the metadata counts them.
   *
   * @throws SpoolError LIMIT_EXCEEDED naming the setting, what there is and what was asked.
   */
  hold(topics: number, partitions: number): () => void {
    const { topicsMax, partitionsMax } = this.#options
    let topicsNow = this.#heldTopics
    let partitionsNow = this.#heldPartitions
    for (const topic of this.#options.image().topics.values()) {
      if (topic.isInternal) continue
      topicsNow++
      partitionsNow += topic.growingTo ?? topic.partitions
    }
    if (topics > 0 && topicsNow + topics > topicsMax) {
      throw exceeded('topics', topicsNow, topics, 'topics.max', topicsMax)
    }
    if (partitions > 0 && partitionsNow + partitions > partitionsMax) {
      throw exceeded('partitions', partitionsNow, partitions, 'partitions.max', partitionsMax)
    }
    this.#heldTopics += topics
    this.#heldPartitions += partitions
    return () => {
      this.#heldTopics -= topics
      this.#heldPartitions -= partitions
    }
  }
}

function exceeded(
  what: string,
  now: number,
  more: number,
  setting: string,
  max: number,
): SpoolError {
  return new SpoolError(
    'LIMIT_EXCEEDED',
    `there are ${now} ${what}; ${more} more would exceed ${setting} ${max}`,
    { extensions: { limit: setting, max } },
  )
}

/** @throws SpoolError INVALID_PARTITIONS naming the bounds. */
export function checkPartitionCount(partitions: number): void {
  const max = PARTITION_MAX + 1
  if (Number.isSafeInteger(partitions) && partitions >= 1 && partitions <= max) return
  throw new SpoolError('INVALID_PARTITIONS', `partitions is ${partitions}, not from 1 to ${max}`)
}

/** @throws SpoolError INVALID_REPLICATION_FACTOR: more replicas than brokers, or none. */
export function checkReplicationFactor(replicationFactor: number, brokers: number): void {
  const isWhole = Number.isSafeInteger(replicationFactor)
  if (isWhole && replicationFactor >= 1 && replicationFactor <= brokers) return
  throw new SpoolError(
    'INVALID_REPLICATION_FACTOR',
    `replicationFactor is ${replicationFactor}, not from 1 to the number of brokers, ${brokers}`,
  )
}
