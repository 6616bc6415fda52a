/**
 * The groups of one partition of `__consumer_offsets`: each event is decided by its group, written as one
 * batch, taken over at once and answered when it is durable. The shard is the only writer of its partition,
 * so the log is the truth and the groups in memory are what a replay of it gives.
 *
 *     event → group.handle → append, at the offset we expect → group.accept → …durable… → answer
 *                   │              │                                             │
 *                   └ refused      ├ refused: nothing has happened               └ failed: load again
 *                                  └ the log is shorter than we thought: load again, then decide again
 *
 * While the groups are read again nothing is decided and nothing told: events wait. No pause lies between
 * the look at `#isLoaded` and what is decided on it.
 *
 * Owns the groups, their deadlines, and loading. What an event means is `group.ts`.
 */

import { SpoolError, spoolErrorFrom, withOutcome } from '../../client/api/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import type { Deadline, Deadlines } from '../partition/deadlines.ts'
import type { Partition, PartitionAppend } from '../partition/partition.ts'
import { Group } from './group.ts'
import type { GroupEvent, GroupMoment, GroupReplies, GroupStep } from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupMachine } from './group-machine.ts'
import { unknownGroup } from './group-refusals.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'
import type { LoadedRecord } from './load-records.ts'
import { loadRecords } from './load-records.ts'
import type { GroupRecord } from './records/group-record.ts'
import { encodeGroupRecord } from './records/record-codec.ts'

export interface ShardOptions {
  readonly partition: Partition
  readonly limits: GroupLimits
  readonly patterns: TopicPatterns
  readonly clock: Clock
  readonly logger: Logger
  readonly deadlines: Deadlines
  topics(): GroupTopics
  /** Asked before a group is begun; throws where there are too many. */
  checkRoom(): void
  /** Asked before what a client says makes groups take so much more memory; throws where it is too much. */
  checkGrowth(bytes: number): void
  /** Members of the group may have something new to hear. */
  moved(groupId: string): void
  /** The groups were read again: what they were told and did not write down they do not know. */
  reloaded(): void
}

/** Events by which clients make the broker keep more. What keeps a group going is never refused for that. */
const GROWING: ReadonlySet<GroupEvent['kind']> = new Set(['join', 'commitOffsets', 'commitTokens'])
/** Events that may begin a group; all others need one that is there. */
const BEGINNING: ReadonlySet<GroupEvent['kind']> = new Set(['join', 'commitOffsets'])

export class GroupShard {
  readonly #options: ShardOptions
  readonly #groups = new Map<string, GroupMachine>()
  readonly #deadlines = new Map<string, Deadline>()
  /** True while the groups are what the log says, and what was appended to it since. */
  #isLoaded = false
  /** Resolves when they are; replaced when they must be read again. */
  #loaded: Promise<void>
  #loadAgain: Deadline | undefined
  #heldBytes = 0
  /** One after the other. */
  #failedLoads = 0
  /** The last batch we appended, once it is durable. */
  #lastAppend: Promise<unknown> = Promise.resolve()
  /** Invariant: where our next batch goes; somebody took batches back if the log says otherwise. */
  #nextOffset = 0
  #isClosed = false

  constructor(options: ShardOptions) {
    this.#options = options
    this.#loaded = this.#load()
    this.#loaded.catch((error) => this.#loadFailed(error))
  }

  /** Groups that are there; reads what may not be durable yet, for counting. */
  get groups(): ReadonlyMap<string, GroupMachine> {
    return this.#groups
  }

  /** About what they take in memory. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** False when the disk failed or the log could not be opened: nothing will happen here until a restart. */
  get isServed(): boolean {
    return this.#options.partition.isServed
  }

  /** Resolves once the groups are loaded. @throws SpoolError when they can not be. */
  whenLoaded(): Promise<void> {
    return this.#loaded
  }

  /** Resolves once everything that can be seen in `groups` now is durable. @throws SpoolError when it never will be. */
  async settled(): Promise<void> {
    try {
      await this.#lastAppend
    } catch (error) {
      throw spoolErrorFrom(error)
    }
  }

  /**
   * What `look` sees in a group, told once that is durable.
   *
   * @throws SpoolError GROUP_ID_NOT_FOUND, and what `look` throws.
   */
  async look<T>(groupId: string, look: (group: GroupMachine) => T): Promise<T> {
    while (!this.#isLoaded) await this.#loaded
    const group = this.#groups.get(groupId)
    if (group === undefined) throw unknownGroup(groupId)
    const seen = look(group)
    await this.settled()
    return seen
  }

  /**
   * Lets the event happen, and answers when that is durable.
   *
   * @throws SpoolError as the machine refuses; GROUP_ID_NOT_FOUND; what the log says to an append
   * (`refused`: nothing has happened; `unknown`: it may have).
   */
  async run<E extends GroupEvent>(groupId: string, event: E): Promise<GroupReplies[E['kind']]> {
    for (let loads = 0; ; ) {
      while (!this.#isLoaded) await this.#loadedOrRefused()
      try {
        return await this.#happen(groupId, event)
      } catch (error) {
        // Decided on what the log had taken back: nothing has happened, and now it is decided on what there is.
        if (!(error instanceof TakenBack) || ++loads === LOADS_MAX) throw spoolErrorFrom(error)
      }
    }
  }

  close(): void {
    this.#isClosed = true
    for (const deadline of this.#deadlines.values()) this.#options.deadlines.cancel(deadline)
    this.#deadlines.clear()
    if (this.#loadAgain !== undefined) this.#options.deadlines.cancel(this.#loadAgain)
  }

  /** What waits for groups that can not be loaded has not happened. */
  async #loadedOrRefused(): Promise<void> {
    try {
      await this.#loaded
    } catch (error) {
      throw withOutcome(error, 'refused')
    }
  }

  async #happen<E extends GroupEvent>(groupId: string, event: E): Promise<GroupReplies[E['kind']]> {
    const { group, step } = this.#decide(groupId, event)
    const append = step.records.length === 0 ? undefined : this.#append(step)
    group.accept(step)
    this.#heldBytes += step.growthBytes
    this.#keep(group)
    if (append === undefined) await this.settled()
    else await this.#acknowledged(append)
    if (step.movesPartitions) this.#options.moved(groupId)
    return step.reply
  }

  #decide<E extends GroupEvent>(
    groupId: string,
    event: E,
  ): { readonly group: GroupMachine; readonly step: GroupStep<GroupReplies[E['kind']]> } {
    try {
      this.#checkOpen()
      const group = this.#groupFor(groupId, event.kind)
      const step = group.handle(event, this.#moment())
      if (step.growthBytes > 0 && GROWING.has(event.kind)) {
        this.#options.checkGrowth(step.growthBytes)
      }
      return { group, step }
    } catch (error) {
      throw withOutcome(error, 'refused')
    }
  }

  #groupFor(groupId: string, kind: GroupEvent['kind']): GroupMachine {
    const group = this.#groups.get(groupId)
    if (group !== undefined) return group
    if (!BEGINNING.has(kind)) throw unknownGroup(groupId)
    this.#options.checkRoom()
    return this.#newGroup(groupId)
  }

  #newGroup(groupId: string): GroupMachine {
    const { limits, patterns } = this.#options
    return new Group({ groupId, limits, patterns })
  }

  #moment(): GroupMoment {
    const { clock, topics } = this.#options
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.now(), topics: topics() }
  }

  /** @throws SpoolError or TakenBack: nothing was appended. */
  #append({ records, timestampMs }: GroupStep): PartitionAppend {
    const batch = batchOf(records, timestampMs)
    try {
      const append = this.#options.partition.appendAsLeader(batch, {
        acks: 'all',
        expectOffset: this.#nextOffset,
        internal: true,
      })
      this.#nextOffset = append.lastOffset + 1
      return append
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'OFFSET_MISMATCH')
        throw withOutcome(error, 'refused')
      // A full disk took back what we had appended: what we hold is ahead of the log.
      this.#reload()
      throw new TakenBack(this.#options.partition)
    }
  }

  async #acknowledged({ acknowledged }: PartitionAppend): Promise<void> {
    this.#lastAppend = acknowledged
    try {
      await acknowledged
    } catch (error) {
      if (this.#lastAppend === acknowledged) this.#reload()
      throw spoolErrorFrom(error)
    }
  }

  #keep(group: GroupMachine): void {
    if (group.isGone) this.#groups.delete(group.groupId)
    else this.#groups.set(group.groupId, group)
    this.#arm(group)
  }

  /** A deadline that turned out to be later is left to fire and look again: most are put off at each heartbeat. */
  #arm(group: GroupMachine): void {
    const { deadlines } = this.#options
    const armed = this.#deadlines.get(group.groupId)
    const dueMs = group.isGone ? undefined : group.nextDeadlineMs
    if (dueMs === undefined) {
      if (armed !== undefined) deadlines.cancel(armed)
      this.#deadlines.delete(group.groupId)
      return
    }
    if (armed !== undefined && armed.atMs <= dueMs) return
    if (armed !== undefined) deadlines.cancel(armed)
    const delayMs = Math.max(0, dueMs - this.#options.clock.monotonicMs())
    this.#deadlines.set(
      group.groupId,
      deadlines.add(delayMs, () => this.#due(group.groupId)),
    )
  }

  #due(groupId: string): void {
    this.#deadlines.delete(groupId)
    const group = this.#groups.get(groupId)
    if (group === undefined || this.#isClosed) return
    const dueMs = group.nextDeadlineMs
    if (dueMs !== undefined && dueMs > this.#options.clock.monotonicMs()) {
      this.#arm(group)
      return
    }
    this.run(groupId, { kind: 'tick' }).catch((error) => this.#tickFailed(groupId, error))
  }

  /** The disk is full, or has failed: members stay until it is not, and the next deadline tries again. */
  #tickFailed(groupId: string, error: unknown): void {
    if (this.#isClosed || (error as SpoolError).code === 'GROUP_ID_NOT_FOUND') return
    this.#options.logger.warn({ groupId, error }, 'a deadline of a group could not be kept')
    const { deadlines } = this.#options
    if (this.#deadlines.has(groupId) || !this.#groups.has(groupId)) return
    this.#deadlines.set(
      groupId,
      deadlines.add(RETRY_TICK_MS, () => this.#due(groupId)),
    )
  }

  #reload(): void {
    this.#isLoaded = false
    this.#lastAppend = Promise.resolve()
    this.#loaded = this.#load()
    this.#loaded.then(
      () => this.#options.reloaded(),
      (error) => this.#loadFailed(error),
    )
  }

  /**
   * Too many files are open, or memory is short: that passes. A disk that failed does not. What is damaged does
   * not either, but is not always told from what passes: it is tried ever more rarely.
   */
  #loadFailed(error: unknown): void {
    if (this.#isClosed) return
    const { topic, partition, isServed } = this.#options.partition
    const values = { topic, partition, error }
    this.#options.logger.error(values, 'groups could not be loaded')
    if (isServed) {
      const delayMs = Math.min(LOAD_AGAIN_MS * 2 ** this.#failedLoads++, LOAD_AGAIN_MS_MAX)
      this.#loadAgain = this.#options.deadlines.add(delayMs, () => this.#reload())
    }
  }

  async #load(): Promise<void> {
    const { partition, clock, logger } = this.#options
    const loading = new Map<string, GroupMachine>()
    const take = ({ record, timestampMs }: LoadedRecord) => {
      const { groupId } = record
      const group = loading.get(groupId) ?? this.#newGroup(groupId)
      loading.set(groupId, group)
      group.replay(record, timestampMs)
    }
    const { nextOffset, records, skipped } = await loadRecords(partition, clock, take)
    this.#nextOffset = nextOffset
    this.#isLoaded = true
    this.#failedLoads = 0
    this.#groups.clear()
    this.#heldBytes = 0
    if (this.#isClosed) return
    const moment = this.#moment()
    for (const group of loading.values()) {
      if (group.isGone) continue
      group.loaded(moment)
      this.#heldBytes += group.heldBytes
      this.#keep(group)
    }
    if (records > 0) {
      const values = { partition: partition.partition, records, skipped, groups: this.#groups.size }
      logger.info(values, 'groups loaded')
    }
  }

  #checkOpen(): void {
    if (!this.#isClosed) return
    throw new SpoolError('BROKER_STOPPING', 'the broker is stopping', { retryAfterS: 1 })
  }
}

const RETRY_TICK_MS = 1_000
/** After the first load that failed, until the next; doubled with each that fails, up to a limit. */
const LOAD_AGAIN_MS = 1_000
const LOAD_AGAIN_MS_MAX = 60_000
/** A disk that takes back again and again is full: who asks is told so, and need not wait for ever. */
const LOADS_MAX = 3

/** The log no longer has what a decision was made on. The event has not happened. */
class TakenBack extends SpoolError {
  constructor({ topic, partition }: Partition) {
    super(
      'COORDINATOR_LOAD_IN_PROGRESS',
      `${topic}-${partition} took back what was written for the group, and is read again; try again`,
      { outcome: 'refused', retryAfterS: 1 },
    )
  }
}

function batchOf(records: readonly GroupRecord[], timestampMs: number): Buffer {
  const builder = new BatchBuilder({ compression: 'none' })
  for (const record of records) {
    const { key, value } = encodeGroupRecord(record)
    builder.append(timestampMs, key, value)
  }
  return builder.build()
}
