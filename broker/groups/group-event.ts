/**
 * What can happen to a group, and what it says to it. Shapes only; the machine is `group.ts`.
 *
 * How a coordinator uses the machine, one event at a time per group and with no pause inside:
 *
 *     step = group.handle(event, moment)   decides; changes nothing; throws SpoolError to refuse
 *     append step.records                  as ONE record batch stamped moment.wallMs (atomic by its CRC);
 *                                          none: nothing to append
 *     group.accept(step)                   at once after the append was enqueued, without waiting
 *     answer step.reply                    when the batch is durable; with no records, when the last
 *                                          batch accepted before is (a reply tells of state that is)
 *
 * A failed append: drop the step, and nothing has happened. A failed acknowledgement: what the log holds is
 * unknown, so throw the group away and load it again: `group.replay(record, timestampMs)` for every record
 * of the partition in order, then `group.loaded(moment)`, which begins every deadline anew, then a
 * `topicsChanged`, because topics may have changed meanwhile.
 *
 * Time: `monotonicMs` for time-outs, `wallMs` for what is kept in the log (commit times, retention).
 * Topics: commits and subscriptions are by name, assignments by topic id, as in Kafka's records.
 */

import type { ErrorCode } from '../../client/api/error-table.ts'
import type { GroupTopics, TopicPartitions } from './group-topics.ts'
import type { PartitionEpochs } from './partition-epochs.ts'
import type { GroupRecord } from './records/group-record.ts'

/** The world at the time of an event. */
export interface GroupMoment {
  /** `Clock.monotonicMs()` */
  readonly monotonicMs: number
  /** `Clock.now()` */
  readonly wallMs: number
  readonly topics: GroupTopics
}

/** What a member says of itself. Absent in a later event: as before. */
export interface MemberDetails {
  /** Names of topics; they need not exist yet. */
  readonly topics?: readonly string[]
  /** A pattern beside or instead of names; '' takes it back. */
  readonly topicPattern?: string
  readonly assignor?: AssignorName
  readonly rebalanceTimeoutMs?: number
  readonly sessionTimeoutMs?: number
  readonly rackId?: string
  readonly clientId?: string
  readonly clientHost?: string
}

export type AssignorName = 'uniform' | 'range'
export const ASSIGNOR_NAMES: readonly AssignorName[] = ['uniform', 'range']

/**
 * A member joins, or joins again (`memberId` of a member that is there): it holds nothing and gets what is
 * due to it. Safe to repeat.
 *
 * Refused: INVALID_REQUEST, INVALID_SESSION_TIMEOUT, INVALID_REGULAR_EXPRESSION, UNSUPPORTED_ASSIGNOR,
 * GROUP_MAX_SIZE_REACHED, UNRELEASED_INSTANCE_ID (another member with that `instanceId` is alive).
 */
export interface JoinEvent {
  readonly kind: 'join'
  /** The member's own or one the caller made up: chance is not the machine's. */
  readonly memberId: string
  readonly instanceId?: string
  readonly details: MemberDetails
  /**
   * Where to begin in partitions without a committed offset (HTTP's `from`, resolved by the caller): they
   * are committed with the join, so that a worker that starts at `latest` and dies does not lose what
   * comes meanwhile. Partitions that have an offset or an owner are left alone; those not named begin at
   * the start.
   */
  readonly startAt?: readonly StartingOffset[]
}

export interface StartingOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** Refused: UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH (let go of everything and join again), FENCED_INSTANCE_ID. */
export interface HeartbeatEvent {
  readonly kind: 'heartbeat'
  readonly memberId: string
  readonly instanceId?: string
  readonly memberEpoch: number
  /** All that the member holds; `null`: as last told (Kafka's short heartbeat), which lets go of nothing. */
  readonly owned: readonly TopicPartitions[] | null
  /** What changed about the member: Kafka's protocol sends it with a heartbeat. */
  readonly details?: MemberDetails
}

/** The member ends. Refused: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, GROUP_ID_NOT_FOUND. */
export interface LeaveEvent {
  readonly kind: 'leave'
  readonly memberId: string
  readonly instanceId?: string
  /**
   * Only for a member with an instance id: it comes back (Kafka's epoch -2), so its partitions wait for it
   * until its session ends.
   */
  readonly isTemporary?: boolean
}

/** Members whose session or whose time to let go has ended are fenced. Due at `group.nextDeadlineMs`. */
export interface TickEvent {
  readonly kind: 'tick'
}

/** `PUT …/offsets`, Kafka's OffsetCommit. Refused whole: UNKNOWN_MEMBER_ID, NON_EMPTY_GROUP. */
export interface CommitOffsetsEvent {
  readonly kind: 'commitOffsets'
  /** Absent: somebody without membership; only while the group has no members. */
  readonly member?: { readonly memberId: string; readonly memberEpoch: number }
  readonly offsets: readonly OffsetToCommit[]
  /** As tokens are: at or below what is committed is success, and no change. */
  readonly isCumulative?: boolean
}

export interface OffsetToCommit {
  readonly topic: string
  /** The topic that was read; another one of the same name is not meant. */
  readonly topicId?: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
  readonly leaderEpoch?: number
  readonly metadata?: string
  /** Where the partition ends, if the caller knows: a commit beyond would skip what is written later. */
  readonly logEndOffset?: number
}

/** `POST …/commit`: tokens as `decodeToken` gives them. Cumulative: what is committed already is success. */
export interface CommitTokensEvent {
  readonly kind: 'commitTokens'
  readonly tokens: readonly TokenToCommit[]
}

/** Inside of an opaque commit token: see `tokens.ts`. */
export interface CommitToken {
  readonly topicId: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: number
  readonly memberId: string
  readonly memberEpoch: number
}

/** A token, and where its partition ends, if the caller knows. */
export interface TokenToCommit extends CommitToken {
  readonly logEndOffset?: number
}

/** Reads; never writes. `partitions` absent: all that is committed. */
export interface FetchOffsetsEvent {
  readonly kind: 'fetchOffsets'
  readonly partitions?: readonly { readonly topic: string; readonly partition: number }[]
}

/**
 * Topics came, grew or went (or may have: after a load). Harmless when nothing of it concerns the group. One
 * that gets lost is made up for by the next heartbeat, which sees another `topics.version`. Not before the
 * topics are known: a moment without topics takes everybody's partitions away.
 */
export interface TopicsChangedEvent {
  readonly kind: 'topicsChanged'
}

/**
 * Rewinds or forwards, also while members run. Positions are resolved by the caller, except a shift,
 * which goes from what is committed at that moment. Refused: GROUP_ID_NOT_FOUND, INVALID_REQUEST (a
 * partition twice), UNKNOWN_TOPIC_OR_PARTITION.
 */
export interface ResetEvent {
  readonly kind: 'reset'
  readonly targets: readonly ResetTarget[]
  /** True: the same reply, and nothing is done. */
  readonly dryRun?: boolean
}

export interface ResetTarget {
  readonly topic: string
  readonly partition: number
  /** An offset; `null`: no committed offset at all (undoes a reset of a partition that had none). */
  readonly to: { readonly offset: number | null } | { readonly shift: number }
  /** What the partition holds, for clamping. */
  readonly logStartOffset: number
  readonly logEndOffset: number
}

/** Refused: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
export interface DeleteGroupEvent {
  readonly kind: 'deleteGroup'
}

/** Forgets every commit for a topic that is being deleted. Assignments follow with `topicsChanged`. */
export interface DeleteTopicEvent {
  readonly kind: 'deleteTopic'
  readonly topic: string
  readonly topicId: string
}

/** Forgets offsets past their retention, and the group when nothing is left. Every few minutes will do. */
export interface ExpireOffsetsEvent {
  readonly kind: 'expireOffsets'
}

export type GroupEvent =
  | JoinEvent
  | HeartbeatEvent
  | LeaveEvent
  | TickEvent
  | CommitOffsetsEvent
  | CommitTokensEvent
  | FetchOffsetsEvent
  | TopicsChangedEvent
  | ResetEvent
  | DeleteGroupEvent
  | DeleteTopicEvent
  | ExpireOffsetsEvent

/** To a join or a heartbeat. */
export interface MemberReply {
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** All the member may read. What it holds beyond this it must stop, and leave out of the next `owned`. */
  readonly assignment: readonly AssignedTopic[]
  /** Since which of its epochs it has each of them: what it was given before that is no good any more. */
  readonly assignmentEpochs: PartitionEpochs
  /** False when the assignment is what the member was told last (Kafka's protocol then leaves it out). */
  readonly isChanged: boolean
}

export interface AssignedTopic extends TopicPartitions {
  /** '' for a topic that is gone meanwhile. */
  readonly topic: string
}

/** Why a part of a request was refused; the other parts were not. */
export interface PartFailure {
  readonly code: ErrorCode
  readonly detail: string
}

export interface CommitReply {
  /** In the order of the request. */
  readonly results: readonly CommitResult[]
}

export interface CommitResult {
  /** '' in the answer to a token whose topic is gone: then its `topicId` is there. */
  readonly topic: string
  readonly topicId?: string
  readonly partition: number
  /** What is committed after this; -1 when there is nothing, or the part was refused. */
  readonly offset: number
  /** False: it was committed already, or refused. */
  readonly isChanged: boolean
  readonly error?: PartFailure
}

export interface CommittedOffset {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** The next offset to read; -1 in the answer to a question about a partition without one. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
}

export interface FetchOffsetsReply {
  readonly offsets: readonly CommittedOffset[]
}

export interface ResetReply {
  /** In the order of the request. `to` of a preview, given as offsets, does just that; `from` undoes it. */
  readonly partitions: readonly ResetPartition[]
  /** Records between `to` and `from`: so many will be read again, or fewer where offsets have holes. */
  readonly recordsAgain: number
}

export interface ResetPartition {
  readonly topic: string
  readonly partition: number
  /** `null`: there was no committed offset. */
  readonly from: number | null
  readonly to: number | null
  /** The target is gone or not there yet: `to` is the nearest offset the log has. */
  readonly clamped: boolean
  readonly recordsAgain: number
}

export interface LeaveReply {
  readonly memberId: string
}

/** To events that have no asker, and to deletions: how many members or offsets are gone by it. */
export interface ChangeReply {
  readonly fencedMembers: readonly string[]
  readonly forgottenOffsets: number
}

export interface GroupReplies {
  join: MemberReply
  heartbeat: MemberReply
  leave: LeaveReply
  tick: ChangeReply
  commitOffsets: CommitReply
  commitTokens: CommitReply
  fetchOffsets: FetchOffsetsReply
  topicsChanged: ChangeReply
  reset: ResetReply
  deleteGroup: ChangeReply
  deleteTopic: ChangeReply
  expireOffsets: ChangeReply
}

/** What an event leads to. Give it back to `group.accept` once its records are in the log. */
export interface GroupStep<Reply = unknown> {
  readonly reply: Reply
  /** To be appended as one batch; empty when nothing is to be kept. */
  readonly records: readonly GroupRecord[]
  /** Time of the batch: `group.accept` needs what a replay will see. */
  readonly timestampMs: number
  /** True when somebody else's next heartbeat may bring another assignment: see `group.membersToWake`. */
  readonly movesPartitions: boolean
  /** About how much more memory the group takes then; less than 0: how much less. */
  readonly growthBytes: number
  /** Deadlines to begin or to end; not kept in the log. */
  readonly timers: readonly TimerChange[]
}

export interface TimerChange {
  readonly memberId: string
  readonly timer: 'session' | 'rebalance'
  /** By the monotonic clock; `undefined` ends it. */
  readonly dueMs: number | undefined
}

/** A group for people: `GET /v1/groups/{group}`. Lag is for the caller to add, who knows the logs. */
export interface GroupDescription {
  readonly groupId: string
  readonly state: GroupStateName
  readonly groupEpoch: number
  readonly targetEpoch: number
  readonly assignor: AssignorName
  readonly members: readonly MemberDescription[]
  readonly offsets: readonly CommittedOffset[]
}

/** `reconciling`: some member has yet to let go of a partition or to be given one. */
export type GroupStateName = 'empty' | 'reconciling' | 'stable'

export interface MemberDescription {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly memberEpoch: number
  readonly topics: readonly string[]
  readonly topicPattern: string | null
  readonly assignor: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly assignment: readonly AssignedTopic[]
  /** Asked back, and not let go of yet. */
  readonly revoking: readonly AssignedTopic[]
  readonly target: readonly AssignedTopic[]
}
