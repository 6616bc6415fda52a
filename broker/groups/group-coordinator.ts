/**
 * All consumer groups of this broker: which partition of `__consumer_offsets` a group lives in, making
 * that topic with the first group, telling groups that topics changed, and forgetting what is too old.
 * What happens to one group is `group-shard.ts`.
 */

import { SpoolError, withOutcome } from '../../client/api/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { ClusterImage } from '../cluster/cluster-image.ts'
import { Deadlines } from '../partition/deadlines.ts'
import type { Partition } from '../partition/partition.ts'
import { Group } from './group.ts'
import type {
  DeleteTopicEvent,
  ExpireOffsetsEvent,
  GroupDescription,
  GroupEvent,
  GroupReplies,
  GroupStep,
  MemberReply,
  TopicsChangedEvent,
} from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupMachine } from './group-machine.ts'
import { invalidPattern, unknownGroup, unknownMember } from './group-refusals.ts'
import { checkGroupBytes, checkGroupCount } from './group-room.ts'
import { GroupShard } from './group-shard.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'
import { LagReader } from './lag.ts'
import { type KeptLogs, lostEnds } from './lost-ends.ts'
import { MemberWakes } from './member-wakes.ts'
import { TopicsView } from './topics-view.ts'
import { type Shard, UnservedShard } from './unserved-shard.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** How often offsets are looked at for being too old: Kafka's `offsets.retention.check.interval.ms`. */
const EXPIRY_CHECK_MS = 10 * 60_000
/** When not every group could be told that topics changed, they are told again. */
const TELL_AGAIN_MS = 1_000
/** Groups that something happens to in one go; others have their turn before the next. */
const GROUPS_AT_ONCE = 100

/** Events that hold what members subscribe to against the topics. */
const PATTERN_EVENTS: ReadonlySet<GroupEvent['kind']> = new Set(['join', 'heartbeat', 'leave'])

export interface CoordinatorOptions {
  readonly limits: GroupLimits
  readonly groupsMax: number
  /** `groups.max.bytes` */
  readonly groupsBytesMax: number
  /** The most a batch may become that is opened to find out how old a record is. */
  readonly decompressedBytesMax: number
  readonly patterns: TopicPatterns
  readonly clock: Clock
  readonly logger: Logger
  image(): ClusterImage
  /** A partition of `__consumer_offsets`. Throws KAFKA_STORAGE_ERROR when its log can not be used. */
  partition(number: number): Partition
  /** Makes `__consumer_offsets`; rejects with TOPIC_ALREADY_EXISTS where another call was faster. */
  createTopic(): Promise<void>
}

export class GroupCoordinator {
  /** How far readers are behind. */
  readonly lags: LagReader
  readonly #options: CoordinatorOptions
  readonly #deadlines: Deadlines
  readonly #topics: TopicsView
  readonly #wakes: MemberWakes
  /** By number of their partition. */
  #shards: readonly Shard[] = []
  #creating: Promise<void> | undefined
  #topicsChange: Promise<void> = Promise.resolve()
  #isTopicsChangeDue = false
  #tellAgain: Timer | undefined
  #expiry: Timer | undefined
  #isClosed = false

  constructor(options: CoordinatorOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.clock)
    this.#topics = new TopicsView(options.image)
    this.#wakes = new MemberWakes((groupId) => this.#loadedGroup(groupId)?.membersToWake() ?? [])
    this.lags = new LagReader({ maxDecompressedBytes: options.decompressedBytesMax })
  }

  /**
   * Begins to load the groups there are: once, when the logs are there. `keptNow`: what their recovery left,
   * asked for before anything is written to them, and only where there are groups.
   */
  open(keptNow?: () => KeptLogs): void {
    const topic = this.#options.image().activeTopic(OFFSETS_TOPIC)
    if (this.#isClosed || topic === undefined) return
    this.#shards = Array.from({ length: topic.partitions }, (_, number) => this.#shard(number))
    const kept = keptNow?.()
    if (kept !== undefined) for (const shard of this.#shards) void this.#takeBack(shard, kept)
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
  async matching(pattern: string): Promise<readonly string[]> {
    const { patterns } = this.#options
    const problem = patterns.problem(pattern)
    if (problem === undefined) {
      await patterns.prepare(pattern, this.topics)
      return patterns.matching(pattern, this.topics)
    }
    throw invalidPattern(problem)
  }

  /**
   * Lets an event happen to a group; resolves with its reply when that is durable.
   *
   * @throws SpoolError as the group refuses; GROUP_ID_NOT_FOUND; `outcome` says whether it may have happened.
   */
  async run<E extends GroupEvent>(groupId: string, event: E): Promise<GroupReplies[E['kind']]> {
    const begins = event.kind === 'join' || event.kind === 'commitOffsets'
    const details = 'details' in event ? event.details : undefined
    let shard: Shard
    try {
      if (details?.topicPattern) {
        await this.#options.patterns.prepare(details.topicPattern, this.topics)
      }
      if (this.#shards.length === 0 && begins) {
        const { records, reply } = this.#asFirst(groupId, event)
        if (records.length === 0) return reply
        await this.#createTopic()
      }
      shard = this.#shardOf(groupId)
      if (PATTERN_EVENTS.has(event.kind)) await this.#preparePatterns(shard, groupId)
    } catch (error) {
      throw withOutcome(error, 'refused')
    }
    return await shard.run(groupId, event)
  }

  /** When topics came, a heartbeat may be faster than what tells the group so; after a start both may be. */
  async #preparePatterns(shard: Shard, groupId: string): Promise<void> {
    if (!shard.isLoaded) await shard.whenLoaded()
    await this.#prepare(shard.groups.get(groupId)?.patterns ?? [])
  }

  async #prepare(patterns: Iterable<string>): Promise<void> {
    for (const pattern of [...patterns]) await this.#options.patterns.prepare(pattern, this.topics)
  }

  /** What the event would lead to as the first of all: what is refused needs no topic to be kept in. */
  #asFirst<E extends GroupEvent>(groupId: string, event: E): GroupStep<GroupReplies[E['kind']]> {
    const { limits, patterns, clock } = this.#options
    const moment = { monotonicMs: clock.monotonicMs(), wallMs: clock.now(), topics: this.topics }
    return new Group({ groupId, limits, patterns }).handle(event, moment)
  }

  /** What the group is now, once that is durable. @throws SpoolError GROUP_ID_NOT_FOUND. */
  async describe(groupId: string): Promise<GroupDescription> {
    return await this.#shardOf(groupId).look(groupId, (group) => group.describe(this.topics))
  }

  /** What a member has, without a heartbeat. @throws SpoolError GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID. */
  async member(groupId: string, memberId: string): Promise<MemberReply> {
    const member = await this.#shardOf(groupId).look(groupId, (group) =>
      group.member(memberId, this.topics),
    )
    if (member !== undefined) return member
    throw unknownMember(groupId, memberId)
  }

  /**
   * What `look` sees in all groups, by name, told once that is durable. Rejects when those of a partition can
   * not be loaded.
   */
  async list<T>(look: (groups: readonly GroupMachine[]) => T): Promise<T> {
    for (;;) {
      const late = this.#shards.find(({ isLoaded }) => !isLoaded)
      if (late === undefined) break
      await late.whenLoaded()
    }
    const groups = [...this.groups()]
    const seen = look(groups.sort((a, b) => (a.groupId < b.groupId ? -1 : 1)))
    for (const shard of this.#shards) await shard.settled()
    return seen
  }

  /** About what all groups take in memory. */
  get heldBytes(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.heldBytes, 0)
  }

  /** Groups of the partitions that are loaded, for counting: not all of it may be durable. */
  *groups(): Generator<GroupMachine> {
    for (const shard of this.#shards) yield* shard.groups.values()
  }

  /** Calls `wake` when the next heartbeat of the member brings something new; returns the call that ends that. */
  subscribe(groupId: string, memberId: string, wake: () => void): () => void {
    return this.#wakes.subscribe(groupId, memberId, wake)
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
    this.#tellAgain?.cancel()
    for (const shard of this.#shards) shard.close()
  }

  #shard(number: number): Shard {
    const { limits, patterns, clock, logger } = this.#options
    let partition: Partition
    try {
      partition = this.#options.partition(number)
    } catch (error) {
      const values = { topic: OFFSETS_TOPIC, partition: number, error }
      logger.error(values, 'the groups of a partition are not served: its log is not open')
      return new UnservedShard(error)
    }
    return new GroupShard({
      partition,
      limits,
      patterns,
      clock,
      logger,
      deadlines: this.#deadlines,
      topics: () => this.topics,
      checkRoom: () => this.#checkRoom(),
      checkGrowth: (bytes) => checkGroupBytes(this.heldBytes, bytes, this.#options.groupsBytesMax),
      moved: (groupId) => this.#wakes.moved(groupId),
      reloaded: () => this.#topicsChangedLater(),
    })
  }

  /** First of all that happens to the groups of a shard: who waits for them comes later. */
  async #takeBack(shard: Shard, kept: KeptLogs): Promise<void> {
    const { logger } = this.#options
    try {
      await shard.whenLoaded()
      const resets = [...shard.groups.values()].flatMap((group) => {
        const targets = lostEnds(group.committed(this.topics), kept)
        if (targets.length === 0) return []
        const { groupId } = group
        logger.warn(
          { groupId, targets },
          'the log lost its end: the group goes back to what is left',
        )
        return [shard.run(groupId, { kind: 'reset', targets })]
      })
      await Promise.all(resets)
    } catch (error) {
      if (!this.#isClosed) logger.error({ error }, 'groups could not go back to where logs end')
    }
  }

  #checkRoom(): void {
    const count = this.#shards.reduce((sum, shard) => sum + shard.groups.size, 0)
    checkGroupCount(count, this.#options.groupsMax)
  }

  #shardOf(groupId: string): Shard {
    const count = this.#shards.length
    if (count === 0) throw unknownGroup(groupId)
    return this.#shards[partitionOfGroup(groupId, count)]!
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
      await this.#prepareForTopics()
      await this.#each({ kind: 'topicsChanged' })
    } catch (error) {
      if (this.#isClosed) return
      this.#options.logger.warn({ error }, 'not every group could be told that topics changed')
      this.#topicsChangedLater()
    }
  }

  /** What each group would look up by itself is looked up here, where it holds up nobody. */
  async #prepareForTopics(): Promise<void> {
    // After a start none is loaded yet.
    await this.whenLoaded()
    await this.#prepare(new Set([...this.groups()].flatMap((group) => [...group.patterns])))
  }

  #topicsChangedLater(): void {
    if (this.#isClosed) return
    this.#tellAgain?.cancel()
    this.#tellAgain = this.#options.clock.after(TELL_AGAIN_MS, () => this.topicsChanged())
  }

  /**
   * Lets the event happen to every group. Rejects with the first failure, after all were tried. Groups whose
   * disk failed are left out, except where that would be forgotten: a topic's commits.
   */
  async #each(event: TopicsChangedEvent | DeleteTopicEvent | ExpireOffsetsEvent): Promise<void> {
    const failures: unknown[] = []
    for (const shard of this.#shards) {
      if (!shard.isServed && event.kind !== 'deleteTopic') continue
      try {
        // It may have to be read again by the time it was read.
        while (!shard.isLoaded) await shard.whenLoaded()
      } catch (error) {
        failures.push(error)
        continue
      }
      const groupIds = [...shard.groups.keys()]
      for (let at = 0; at < groupIds.length; at += GROUPS_AT_ONCE) {
        const runs = groupIds.slice(at, at + GROUPS_AT_ONCE).map((id) => shard.run(id, event))
        for (const result of await Promise.allSettled(runs)) {
          if (result.status === 'rejected') failures.push(result.reason)
        }
      }
    }
    // A group that is gone meanwhile has nothing to forget.
    const serious = failures.filter((error) => !isUnknownGroup(error))
    if (serious.length > 0) throw serious[0]
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

function isUnknownGroup(error: unknown): boolean {
  return error instanceof SpoolError && error.code === 'GROUP_ID_NOT_FOUND'
}

/** Kafka's rule: the absolute of the group id's Java `String.hashCode` (0 for the one that has none), modulo the partitions. */
export function partitionOfGroup(groupId: string, partitions: number): number {
  let hash = 0
  for (let at = 0; at < groupId.length; at++) {
    hash = (Math.imul(31, hash) + groupId.charCodeAt(at)) | 0
  }
  return hash === -(2 ** 31) ? 0 : Math.abs(hash) % partitions
}
