/**
 * The machine of one consumer group: what happens goes in, what is to be written and answered comes out.
 * No I/O, no clock, no chance. Here the parts are put together: which event is whose, and how a decision
 * becomes state. How it is to be driven stands in `group-event.ts`; the walk through it is in README.md.
 */

import { tick } from './fencing.ts'
import { describeGroup, stateName } from './group-description.ts'
import { GroupDraft } from './group-draft.ts'
import type {
  ChangeReply,
  CommittedOffset,
  GroupDescription,
  GroupEvent,
  GroupMoment,
  GroupReplies,
  GroupStateName,
  GroupStep,
  MemberReply,
} from './group-event.ts'
import type { GroupMachine, GroupOptions } from './group-machine.ts'
import { GroupState, LEFT_FOR_A_WHILE } from './group-state.ts'
import { GroupTimers } from './group-timers.ts'
import type { GroupTopics } from './group-topics.ts'
import { heartbeat, join, leave, memberReply } from './members.ts'
import { commitOffsets, commitTokens } from './offset-commits.ts'
import { deleteGroup, deleteTopic, expireOffsets } from './offset-expiry.ts'
import { committedOffsets, fetchOffsets } from './offset-reads.ts'
import { reset } from './offsets-reset.ts'
import { isSamePartitions, reconcile } from './reconciliation.ts'
import type { GroupRecord } from './records/group-record.ts'
import { rebalanceIfStale } from './target-assignment.ts'

/** Records of these kinds may change what somebody gets at the next heartbeat. */
const MOVING_KINDS: ReadonlySet<GroupRecord['kind']> = new Set([
  'groupEpoch',
  'targetMember',
  'currentAssignment',
])

/** Events that hold the target against the topics. */
const LOOKING_KINDS: ReadonlySet<GroupEvent['kind']> = new Set([
  'join',
  'heartbeat',
  'topicsChanged',
])

/** What a step was decided on. */
interface Decision {
  readonly basis: number
  readonly kind: GroupEvent['kind']
  readonly topicsVersion: number
}

const NOTHING: ChangeReply = { fencedMembers: [], forgottenOffsets: 0 }

export class Group implements GroupMachine {
  readonly groupId: string
  readonly #options: GroupOptions
  readonly #state: GroupState
  readonly #timers = new GroupTimers()
  /** Counts accepted steps with records: a step is good only for the state it was decided on. */
  #accepted = 0
  readonly #decided = new WeakMap<GroupStep, Decision>()
  /** Topics as they were when the target was last held against them. */
  #seenTopicsVersion: number | undefined

  constructor(options: GroupOptions) {
    this.groupId = options.groupId
    this.#options = options
    this.#state = new GroupState(options.groupId)
  }

  get isGone(): boolean {
    return this.#state.isVoid
  }

  get state(): GroupStateName {
    return stateName(this.#state)
  }

  get epoch(): number {
    return this.#state.groupEpoch
  }

  get memberCount(): number {
    return this.#state.members.size
  }

  get patterns(): Iterable<string> {
    return this.#state.patterns.keys()
  }

  get heldBytes(): number {
    return this.#state.heldBytes
  }

  get nextDeadlineMs(): number | undefined {
    return this.#timers.earliestMs
  }

  handle<E extends GroupEvent>(event: E, moment: GroupMoment): GroupStep<GroupReplies[E['kind']]> {
    const { limits, patterns } = this.#options
    const seenTopicsVersion = this.#seenTopicsVersion
    const { heldBytes } = this.#state
    const draft = new GroupDraft({
      state: this.#state,
      moment,
      limits,
      patterns,
      seenTopicsVersion,
    })
    try {
      const reply = this.#decide(draft, event) as GroupReplies[E['kind']]
      const { records, timers } = draft
      const movesPartitions = records.some(({ kind }) => MOVING_KINDS.has(kind))
      const growthBytes = this.#state.heldBytes - heldBytes
      const { wallMs } = moment
      const step = { reply, records, timestampMs: wallMs, movesPartitions, growthBytes, timers }
      const topicsVersion = moment.topics.version
      this.#decided.set(step, { basis: this.#accepted, kind: event.kind, topicsVersion })
      return step
    } finally {
      draft.undo()
    }
  }

  accept(step: GroupStep): void {
    const decided = this.#decided.get(step)
    if (decided?.basis !== this.#accepted) {
      throw new Error(
        `group ${this.groupId}: a step is accepted that was decided on state ${decided?.basis}; the present one is ${this.#accepted}`,
      )
    }
    if (step.records.length > 0) this.#accepted++
    for (const record of step.records) this.#apply(record, step.timestampMs)
    for (const change of step.timers) {
      if (this.#state.members.has(change.memberId)) this.#timers.set(change)
    }
    if (decided.kind === 'tick') this.#timers.tighten()
    if (LOOKING_KINDS.has(decided.kind)) this.#seenTopicsVersion = decided.topicsVersion
  }

  replay(record: GroupRecord, timestampMs: number): void {
    this.#state.apply(record, timestampMs)
  }

  loaded({ monotonicMs }: GroupMoment): void {
    this.#state.settleAfterLoad()
    const { sessionTimeoutMs } = this.#options.limits
    for (const [memberId, metadata] of this.#state.members) {
      const session = monotonicMs + (metadata.sessionTimeoutMs ?? sessionTimeoutMs)
      this.#timers.set({ memberId, timer: 'session', dueMs: session })
      // Nothing is asked back of one that left for a while.
      const { state, memberEpoch } = this.#state.current(memberId)
      if (state !== 'unrevokedPartitions' || memberEpoch === LEFT_FOR_A_WHILE) continue
      const dueMs = monotonicMs + metadata.rebalanceTimeoutMs
      this.#timers.set({ memberId, timer: 'rebalance', dueMs })
    }
  }

  membersToWake(): readonly string[] {
    const isNews = (memberId: string) => {
      const current = this.#state.current(memberId)
      // Its heartbeat will tell it to join again.
      if (current.state === 'unknown') return true
      const next = reconcile(this.#state, memberId, null)
      // A new epoch alone can wait: in a group of a thousand every join would wake the other 999.
      return (
        !isSamePartitions(next.assigned, current.assigned) ||
        !isSamePartitions(next.revoking, current.revoking)
      )
    }
    return [...this.#state.members.keys()].filter(isNews).sort()
  }

  member(memberId: string, topics: GroupTopics): MemberReply | undefined {
    if (!this.#state.members.has(memberId)) return undefined
    return memberReply(this.#state, memberId, topics, this.#options.limits, false)
  }

  describe(topics: GroupTopics): GroupDescription {
    return describeGroup(this.#state, this.#options.limits, topics)
  }

  committed(topics: GroupTopics): readonly CommittedOffset[] {
    return committedOffsets(this.#state, topics)
  }

  placeCount(topics: GroupTopics): number {
    const { offsets } = this.#state
    let count = offsets.size
    for (const [topicId, partition] of this.#state.owned()) {
      const topic = topics.byId(topicId)
      if (topic !== undefined && offsets.of(topic, partition) === undefined) count++
    }
    return count
  }

  /** The member that holds a partition. For tests, which hold it against what members were told. */
  ownerOf(topicId: string, partition: number): string | undefined {
    return this.#state.owner(topicId, partition)
  }

  presentRecords(): readonly GroupRecord[] {
    return this.#state.presentRecords()
  }

  #apply(record: GroupRecord, timestampMs: number): void {
    this.#state.apply(record, timestampMs)
    if (record.kind === 'memberMetadata' && record.value === null) {
      this.#timers.forget(record.memberId)
    }
  }

  #decide(draft: GroupDraft, event: GroupEvent): GroupReplies[GroupEvent['kind']] {
    switch (event.kind) {
      case 'join':
        return join(draft, event)
      case 'heartbeat':
        return heartbeat(draft, event)
      case 'leave':
        return leave(draft, event)
      case 'tick':
        return tick(draft, this.#timers)
      case 'commitOffsets':
        return commitOffsets(draft, event)
      case 'commitTokens':
        return commitTokens(draft, event)
      case 'fetchOffsets':
        return fetchOffsets(draft.state, event, draft.moment.topics)
      case 'topicsChanged':
        rebalanceIfStale(draft)
        return NOTHING
      case 'reset':
        return reset(draft, event)
      case 'deleteGroup':
        return deleteGroup(draft)
      case 'deleteTopic':
        return deleteTopic(draft, event)
      case 'expireOffsets':
        return expireOffsets(draft)
    }
  }
}
