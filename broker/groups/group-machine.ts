/**
 * The machine as its coordinator sees it; `group.ts` is it. How it is to be driven stands in
 * `group-event.ts`. Also the names of what goes with it:
 *
 *     record-codec.ts  encodeGroupRecord(record) → { key, value | null }
 *                      decodeGroupRecord(key, value | null) → GroupRecord, or undefined: a key version
 *                      that is not known, to be counted and skipped
 *     tokens.ts        encodeToken(groupId, CommitToken) → text · decodeToken(groupId, text) → CommitToken, or
 *                      SpoolError
 */

import type {
  CommittedOffset,
  GroupDescription,
  GroupEvent,
  GroupMoment,
  GroupReplies,
  GroupStateName,
  GroupStep,
  MemberReply,
} from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'
import type { GroupRecord } from './records/group-record.ts'

export interface GroupOptions {
  readonly groupId: string
  readonly limits: GroupLimits
  readonly patterns: TopicPatterns
}

export interface GroupMachine {
  readonly groupId: string
  /** True while nothing is known of it: before its first record, and when it was deleted. Drop it then. */
  readonly isGone: boolean
  readonly memberCount: number
  /** Patterns that members subscribe to. */
  readonly patterns: Iterable<string>
  readonly state: GroupStateName
  readonly epoch: number
  /** About what it takes in memory. */
  readonly heldBytes: number
  /** Not before this (by the monotonic clock) is a tick due; it may turn out to be too early. */
  readonly nextDeadlineMs: number | undefined

  /** Decides and changes nothing. Throws SpoolError where the event is refused. */
  handle<E extends GroupEvent>(event: E, moment: GroupMoment): GroupStep<GroupReplies[E['kind']]>
  /** Takes a step over: its records are in the log's queue. Steps in the order of `handle`, none between. */
  accept(step: GroupStep): void

  /** One record of the log, with its timestamp, while loading. */
  replay(record: GroupRecord, timestampMs: number): void
  /** After the last one: every member's session begins now. */
  loaded(moment: GroupMoment): void

  /**
   * Members whose heartbeat would give them partitions or ask for some back; who would only learn of an epoch
   * can wait for it. After a step with `movesPartitions`, whoever waits on behalf of a member (a stream, a long
   * poll) heartbeats for it.
   */
  membersToWake(): readonly string[]
  /** What a member has, without a heartbeat; `undefined` when there is no such member. */
  member(memberId: string, topics: GroupTopics): MemberReply | undefined
  describe(topics: GroupTopics): GroupDescription
  /** The part of that which is cheap: by topic and partition. */
  committed(topics: GroupTopics): readonly CommittedOffset[]
  /** Partitions with an offset, and those without that members have. */
  placeCount(topics: GroupTopics): number
  /** All that is known, as the records a compacted log would hold. */
  presentRecords(): readonly GroupRecord[]
}
