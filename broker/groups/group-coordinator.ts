/**
 * All consumer groups of this broker: which partition of `__consumer_offsets` a group lives in, making
 * that topic with the first group, telling groups that topics changed, and forgetting what is too old.
 * What happens to one group is `group-shard.ts`.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { ClusterImage } from '../cluster/cluster-image.ts'
import { Deadlines } from '../partition/deadlines.ts'
import type { Partition } from '../partition/partition.ts'
import type {
  DeleteTopicEvent,
  ExpireOffsetsEvent,
  GroupDescription,
  GroupEvent,
  GroupReplies,
  MemberReply,
  TopicsChangedEvent,
} from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupMachine } from './group-machine.ts'
import { GroupShard, unknownGroup } from './group-shard.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'
import { LagReader } from './lag.ts'
import { TopicsView } from './topics-view.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** How often offsets are looked at for being too old: Kafka's `offsets.retention.check.interval.ms`. */
const EXPIRY_CHECK_MS = 10 * 60_000

export interface CoordinatorOptions {
  readonly limits: GroupLimits
  readonly groupsMax: number
  /** The most a batch may become that is opened to find out how old a record is. */
  readonly decompressedBytesMax: number
  readonly patterns: TopicPatterns
  readonly clock: Clock
  readonly logger: Logger
  image(): ClusterImage
  /** Partitions of `__consumer_offsets`; throws UNKNOWN_TOPIC_OR_PARTITION before there is one. */
  partitions(): readonly Partition[]
  /** Makes `__consumer_offsets`; rejects with TOPIC_ALREADY_EXISTS where another call was faster. */
  createTopic(): Promise<void>
}

export class GroupCoordinator {
  /** How far readers are behind. */
  readonly lags: LagReader
  readonly #options: CoordinatorOptions
  readonly #deadlines: Deadlines
  readonly #topics: TopicsView
  readonly #listeners = new Map<string, Set<() => void>>()
  #shards: readonly GroupShard[] = []
  #creating: Promise<void> | undefined
  #topicsChange: Promise<void> = Promise.resolve()
  #isTopicsChangeDue = false
  #expiry: Timer | undefined
  #isClosed = false

  constructor(options: CoordinatorOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.clock)
    this.#topics = new TopicsView(options.image)
    this.lags = new LagReader({ maxDecompressedBytes: options.decompressedBytesMax })
  }

  /** Begins to load the groups there are: once, when the logs are there. */
  open(): void {
    if (this.#options.image().activeTopic(OFFSETS_TOPIC) === undefined) return
    this.#shards = this.#options.partitions().map((partition) => this.#shard(partition))
    this.topicsChanged()
    this.#expireLater()
  }

  /** Resolves once the groups of every partition are loaded; what can not be loaded is told to who asks. */
  async whenLoaded(): Promise<void> {
    await Promise.allSettled(this.#shards.map((shard) => shard.whenLoaded()))
  }

  get topics(): GroupTopics {
    return this.#topics.now()
  }

  /** The names of topics that a pattern matches now. @throws SpoolError INVALID_REGULAR_EXPRESSION. */
  matching(pattern: string): readonly string[] {
    const { patterns } = this.#options
    const problem = patterns.problem(pattern)
    if (problem === undefined) return patterns.matching(pattern, this.topics)
    throw new SpoolError('INVALID_REGULAR_EXPRESSION', problem)
  }

  /**
   * Lets an event happen to a group; resolves with its reply when that is durable.
   *
   * @throws SpoolError as the group refuses; GROUP_ID_NOT_FOUND; `outcome` says whether it may have happened.
   */
  async run<E extends GroupEvent>(groupId: string, event: E): Promise<GroupReplies[E['kind']]> {
    const begins = event.kind === 'join' || event.kind === 'commitOffsets'
    if (this.#shards.length === 0 && begins) await this.#createTopic()
    return await this.#shardOf(groupId).run(groupId, event)
  }

  /** What the group is now, once it is durable. @throws SpoolError GROUP_ID_NOT_FOUND. */
  async describe(groupId: string): Promise<GroupDescription> {
    return (await this.#settledGroup(groupId)).describe(this.topics)
  }

  /** What a member has, without a heartbeat. @throws SpoolError GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID. */
  async member(groupId: string, memberId: string): Promise<MemberReply> {
    const member = (await this.#settledGroup(groupId)).member(memberId, this.topics)
    if (member !== undefined) return member
    throw new SpoolError(
      'UNKNOWN_MEMBER_ID',
      `group ${groupId} has no member ${memberId}: it left, or was silent for too long; join again`,
    )
  }

  /** All groups, by name. Rejects when those of a partition can not be loaded. */
  async list(): Promise<readonly GroupMachine[]> {
    for (const shard of this.#shards) await shard.settled()
    const groups = this.#shards.flatMap((shard) => [...shard.groups.values()])
    return groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
  }

  /** Groups of the partitions that are loaded, for counting: not all of it may be durable. */
  *groups(): Generator<GroupMachine> {
    for (const shard of this.#shards) yield* shard.groups.values()
  }

  /** Members of the group, by id, whose next heartbeat brings something new. */
  membersToWake(groupId: string): readonly string[] {
    return this.#loadedGroup(groupId)?.membersToWake() ?? []
  }

  /** Calls `wake` whenever members of the group may have something new to hear; returns the call that ends that. */
  subscribe(groupId: string, wake: () => void): () => void {
    const listeners = this.#listeners.get(groupId) ?? new Set()
    this.#listeners.set(groupId, listeners)
    const own = () => wake()
    listeners.add(own)
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(groupId) === listeners) {
        this.#listeners.delete(groupId)
      }
    }
  }

  /** Topics came, grew or went: groups look again, once for all changes that come together. */
  topicsChanged(): void {
    if (this.#shards.length === 0 || this.#isTopicsChangeDue) return
    this.#isTopicsChangeDue = true
    this.#topicsChange = this.#topicsChange.then(() => this.#tellTopicsChanged())
  }

  /**
   * Forgets what groups committed for a topic that is being deleted; resolves when that is durable.
   *
   * @throws SpoolError: then the topic is not to be forgotten yet.
   */
  async forgetTopic(topic: { readonly name: string; readonly topicId: string }): Promise<void> {
    const event = { kind: 'deleteTopic', topic: topic.name, topicId: topic.topicId } as const
    await this.#each(event)
  }

  close(): void {
    this.#isClosed = true
    this.#expiry?.cancel()
    for (const shard of this.#shards) shard.close()
  }

  #shard(partition: Partition): GroupShard {
    const { limits, patterns, clock, logger } = this.#options
    return new GroupShard({
      partition,
      limits,
      patterns,
      clock,
      logger,
      deadlines: this.#deadlines,
      topics: () => this.topics,
      checkRoom: () => this.#checkRoom(),
      moved: (groupId) => this.#moved(groupId),
    })
  }

  #checkRoom(): void {
    const { groupsMax } = this.#options
    let count = 0
    for (const shard of this.#shards) count += shard.groups.size
    if (count < groupsMax) return
    throw new SpoolError(
      'LIMIT_EXCEEDED',
      `there are ${count} groups, the most groups.max allows; delete some, or wait until they expire`,
      { extensions: { limit: 'groups.max', max: groupsMax } },
    )
  }

  #moved(groupId: string): void {
    for (const wake of [...(this.#listeners.get(groupId) ?? [])]) wake()
  }

  #shardOf(groupId: string): GroupShard {
    const count = this.#shards.length
    if (count === 0) throw unknownGroup(groupId)
    return this.#shards[partitionOfGroup(groupId, count)]!
  }

  async #settledGroup(groupId: string): Promise<GroupMachine> {
    const shard = this.#shardOf(groupId)
    await shard.settled()
    const group = shard.groups.get(groupId)
    if (group === undefined) throw unknownGroup(groupId)
    return group
  }

  #loadedGroup(groupId: string): GroupMachine | undefined {
    return this.#shards.length === 0 ? undefined : this.#shardOf(groupId).groups.get(groupId)
  }

  /** With the first group; callers that come together share it. */
  #createTopic(): Promise<void> {
    this.#creating ??= this.#createTopicNow().finally(() => {
      this.#creating = undefined
    })
    return this.#creating
  }

  async #createTopicNow(): Promise<void> {
    try {
      await this.#options.createTopic()
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'TOPIC_ALREADY_EXISTS') throw error
    }
    if (this.#shards.length === 0) this.open()
  }

  async #tellTopicsChanged(): Promise<void> {
    // Changes that come together are told together.
    await new Promise((resolve) => setImmediate(resolve))
    this.#isTopicsChangeDue = false
    try {
      await this.#each({ kind: 'topicsChanged' })
    } catch (error) {
      this.#options.logger.warn({ error }, 'not every group could be told that topics changed')
    }
  }

  /** Lets the event happen to every group. Rejects with the first failure, after all were tried. */
  async #each(event: TopicsChangedEvent | DeleteTopicEvent | ExpireOffsetsEvent): Promise<void> {
    await this.whenLoaded()
    const runs: Promise<unknown>[] = []
    for (const shard of this.#shards) {
      await shard.whenLoaded()
      for (const groupId of [...shard.groups.keys()]) runs.push(shard.run(groupId, event))
    }
    const results = await Promise.allSettled(runs)
    for (const result of results) {
      // A group that is gone meanwhile has nothing to forget.
      if (result.status === 'rejected' && result.reason?.code !== 'GROUP_ID_NOT_FOUND') {
        throw result.reason
      }
    }
  }

  #expireLater(): void {
    if (this.#isClosed) return
    this.#expiry?.cancel()
    this.#expiry = this.#options.clock.after(EXPIRY_CHECK_MS, () => {
      this.#each({ kind: 'expireOffsets' })
        .catch((error) => {
          this.#options.logger.warn({ error }, 'old offsets could not be forgotten')
        })
        .finally(() => this.#expireLater())
    })
  }
}

/** Kafka's rule: the absolute of the group id's Java `String.hashCode` (0 for the one that has none), modulo the partitions. */
export function partitionOfGroup(groupId: string, partitions: number): number {
  let hash = 0
  for (let at = 0; at < groupId.length; at++) {
    hash = (Math.imul(31, hash) + groupId.charCodeAt(at)) | 0
  }
  return hash === -(2 ** 31) ? 0 : Math.abs(hash) % partitions
}
