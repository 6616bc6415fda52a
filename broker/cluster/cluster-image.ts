/**
 * The cluster's metadata as one immutable picture: which brokers are there, which topics exist, who
 * leads each partition. Built from the store's entries; a change makes a new picture, and the
 * difference between two pictures is what the replica manager acts on. Pure: no I/O, no clock.
 *
 * An entry nobody can read is left out and named in `problems`; it never removes anything from disk.
 */

import { topicNameProblem } from '../../storage/file/names.ts'
import { isInternalTopic } from '../topics/topic-name.ts'
import type { EntryEvent } from './cluster-store.ts'
import {
  BROKERS_PREFIX,
  parseBrokerEntry,
  parseTopicEntry,
  TOPICS_PREFIX,
  type TopicEntry,
} from './metadata-keys.ts'

export interface BrokerImage {
  readonly nodeId: number
  readonly brokerEpoch: number
  readonly url: string
}

export interface TopicImage extends TopicEntry {
  readonly name: string
  readonly isInternal: boolean
  /** The store's version of the entry, for the next compare-and-swap. */
  readonly version: number
}

/** Who serves one partition. */
export interface PartitionImage {
  /** The leader's node id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly inSyncReplicas: readonly number[]
}

/** What stays the same for the life of the process. */
export interface ImageIdentity {
  readonly clusterId: string
  /** This broker. Alone, it leads every partition and is its only replica. */
  readonly nodeId: number
  readonly brokerEpoch: number
  /** The epoch under which this broker leads a partition: fixed from the load of its log on. */
  leaderEpochOf(topic: string, partition: number): number
}

export class ClusterImage {
  readonly clusterId: string
  readonly nodeId: number
  readonly brokerEpoch: number
  readonly brokers: ReadonlyMap<number, BrokerImage>
  /** By name, also those being created or deleted: see `activeTopic`. */
  readonly topics: ReadonlyMap<string, TopicImage>
  /** Keys of entries that make no sense, each with a sentence. */
  readonly problems: ReadonlyMap<string, string>
  readonly #identity: ImageIdentity

  private constructor(
    identity: ImageIdentity,
    parts: Pick<ClusterImage, 'brokers' | 'topics' | 'problems'>,
  ) {
    this.clusterId = identity.clusterId
    this.nodeId = identity.nodeId
    this.brokerEpoch = identity.brokerEpoch
    this.brokers = parts.brokers
    this.topics = parts.topics
    this.problems = parts.problems
    this.#identity = identity
  }

  static empty(identity: ImageIdentity): ClusterImage {
    return new ClusterImage(identity, {
      brokers: new Map(),
      topics: new Map(),
      problems: new Map(),
    })
  }

  /** The picture after these changes; topics that did not change stay the same objects. */
  with(events: readonly EntryEvent[]): ClusterImage {
    const parts = {
      brokers: new Map(this.brokers),
      topics: new Map(this.topics),
      problems: new Map(this.problems),
    }
    for (const event of events) {
      parts.problems.delete(event.key)
      if (event.key.startsWith(TOPICS_PREFIX)) applyTopic(parts, event)
      else if (event.key.startsWith(BROKERS_PREFIX)) applyBroker(parts, event)
    }
    return new ClusterImage(this.#identity, parts)
  }

  /** The topic as clients see it: `undefined` while it is being created or deleted. */
  activeTopic(name: string): TopicImage | undefined {
    const topic = this.topics.get(name)
    return topic?.state === 'active' ? topic : undefined
  }

  /** Who serves that partition of an active topic; `undefined` when there is no such partition. */
  partition(topic: string, partition: number): PartitionImage | undefined {
    const image = this.activeTopic(topic)
    if (image === undefined || !Number.isInteger(partition)) return undefined
    if (partition < 0 || partition >= image.partitions) return undefined
    return {
      leader: this.nodeId,
      leaderEpoch: this.#identity.leaderEpochOf(topic, partition),
      replicas: [this.nodeId],
      inSyncReplicas: [this.nodeId],
    }
  }

  /** The broker that makes changes to the metadata: alone, this one. */
  get controllerId(): number {
    return this.nodeId
  }
}

interface Parts {
  readonly brokers: Map<number, BrokerImage>
  readonly topics: Map<string, TopicImage>
  readonly problems: Map<string, string>
}

function applyTopic(parts: Parts, event: EntryEvent): void {
  const name = event.key.slice(TOPICS_PREFIX.length)
  if (event.value === null) {
    parts.topics.delete(name)
    return
  }
  const entry = parseTopicEntry(event.value)
  if (entry === undefined || topicNameProblem(name) !== undefined) {
    parts.problems.set(event.key, 'the entry is not a topic that this version can read')
    return
  }
  const isInternal = isInternalTopic(name)
  parts.topics.set(name, { ...entry, name, isInternal, version: event.version })
}

function applyBroker(parts: Parts, event: EntryEvent): void {
  const digits = event.key.slice(BROKERS_PREFIX.length)
  const nodeId = Number(digits)
  if (event.value === null) {
    parts.brokers.delete(nodeId)
    return
  }
  const entry = parseBrokerEntry(event.value)
  if (entry === undefined || !/^\d{1,10}$/.test(digits)) {
    parts.problems.set(event.key, 'the entry is not a broker that this version can read')
    return
  }
  parts.brokers.set(nodeId, { ...entry, nodeId })
}

/** What to do to come from one picture to the next. */
export interface ImageDifference {
  /** Topics that are no longer served: deleted, or replaced by another of the same name. */
  readonly removed: readonly TopicImage[]
  /** Topics now served that were not, with all their partitions. */
  readonly added: readonly TopicImage[]
  /** Topics with other settings or more partitions than before. */
  readonly changed: readonly { readonly before: TopicImage; readonly after: TopicImage }[]
}

/** Compares what is served; unchanged topics cost one comparison of references. */
export function differenceOf(before: ClusterImage, after: ClusterImage): ImageDifference {
  const removed: TopicImage[] = []
  const added: TopicImage[] = []
  const changed: { before: TopicImage; after: TopicImage }[] = []
  for (const topic of before.topics.values()) {
    if (topic.state !== 'active') continue
    if (after.activeTopic(topic.name)?.topicId !== topic.topicId) removed.push(topic)
  }
  for (const topic of after.topics.values()) {
    const previous = before.topics.get(topic.name)
    if (topic === previous || topic.state !== 'active') continue
    if (previous?.state !== 'active' || previous.topicId !== topic.topicId) added.push(topic)
    else changed.push({ before: previous, after: topic })
  }
  return { removed, added, changed }
}
