/**
 * Members come, tell that they are alive, and go: joins, heartbeats and leaving, with the fencing of those
 * that come with an epoch from before (KIP-848), and members with an instance id, whose partitions wait
 * for them while they are away for a moment.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { fence } from './fencing.ts'
import { assignedTopics } from './group-description.ts'
import type { GroupDraft } from './group-draft.ts'
import type {
  GroupMoment,
  HeartbeatEvent,
  JoinEvent,
  LeaveEvent,
  LeaveReply,
  MemberDetails,
  MemberReply,
} from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import { unknownGroup, unknownMember } from './group-refusals.ts'
import { type GroupState, LEFT_FOR_A_WHILE, NEW_MEMBER } from './group-state.ts'
import {
  changesAssignment,
  checkDetails,
  checkId,
  isSameMember,
  UNKNOWN_MEMBER,
  withDetails,
} from './member-details.ts'
import { commitStart } from './offset-commits.ts'
import { holdsAll, NO_PARTITIONS } from './partition-epochs.ts'
import { isSamePartitions, type Owned, reconcile } from './reconciliation.ts'
import type { MemberMetadataValue } from './records/group-record.ts'
import { replaceStaticMember } from './static-members.ts'
import { checkSubscriptions } from './subscription-limits.ts'
import { rebalance, rebalanceIfStale } from './target-assignment.ts'

export function join(draft: GroupDraft, event: JoinEvent): MemberReply {
  const { state, limits, patterns } = draft
  const { memberId, instanceId, details } = event
  checkId('memberId', memberId)
  if (instanceId !== undefined) checkId('instanceId', instanceId)
  checkDetails(details, limits, patterns)
  const replaced = instanceId === undefined ? undefined : state.staticMember(instanceId)
  const isReplacement = replaced !== undefined && replaced !== memberId
  if (!isReplacement && !state.members.has(memberId)) checkRoom(state, limits)
  if (isReplacement) replaceStaticMember(draft, replaced, memberId, instanceId!)
  const before = state.members.get(memberId)
  // A join says everything: what it leaves out is back to what it is for a new member.
  const known = { ...UNKNOWN_MEMBER, instanceId: before?.instanceId ?? null }
  const after = withDetails(known, details, instanceId)
  if (after.subscribedTopicNames.length === 0 && !after.subscribedTopicRegex) {
    throw new SpoolError('INVALID_REQUEST', 'a member needs topics or topicPattern, or both')
  }
  commitStart(draft, event.startAt ?? [])
  if (before === undefined || !isSameMember(before, after)) putMember(draft, memberId, after)
  if (before === undefined || changesAssignment(before, after)) rebalance(draft)
  else rebalanceIfStale(draft)
  return bringForward(draft, memberId, [])
}

export function heartbeat(draft: GroupDraft, event: HeartbeatEvent): MemberReply {
  const { state } = draft
  const { memberId, owned, details } = event
  checkMember(state, event)
  checkEpoch(state, event)
  if (details !== undefined) updateDetails(draft, memberId, details)
  if (draft.mayBeStale) rebalanceIfStale(draft)
  return bringForward(draft, memberId, owned)
}

export function leave(draft: GroupDraft, event: LeaveEvent): LeaveReply {
  const { state } = draft
  const { memberId } = event
  if (state.isVoid) throw unknownGroup(state.groupId)
  checkMember(state, event)
  const isStatic = state.members.get(memberId)!.instanceId !== null
  if (isStatic && event.isTemporary === true) {
    const current = state.current(memberId)
    const left = { ...current, memberEpoch: LEFT_FOR_A_WHILE, revoking: NO_PARTITIONS }
    draft.putCurrent(memberId, left)
    draft.setTimer(memberId, 'rebalance', undefined)
  } else {
    fence(draft, [memberId])
  }
  return { memberId }
}

/** Reconciles the member, lets its session begin anew, and says what it has. */
function bringForward(draft: GroupDraft, memberId: string, owned: Owned): MemberReply {
  const { state, limits } = draft
  const before = state.current(memberId)
  const after = reconcile(state, memberId, owned)
  const metadata = state.members.get(memberId)!
  if (after !== before) {
    draft.putCurrent(memberId, after)
    const isRevoking = after.state === 'unrevokedPartitions'
    draft.setTimer(memberId, 'rebalance', isRevoking ? metadata.rebalanceTimeoutMs : undefined)
  }
  draft.setTimer(memberId, 'session', metadata.sessionTimeoutMs ?? limits.sessionTimeoutMs)
  const isChanged = !isSamePartitions(before.assigned, after.assigned)
  return memberReply(state, memberId, draft.moment.topics, limits, isChanged)
}

export function memberReply(
  state: GroupState,
  memberId: string,
  topics: GroupMoment['topics'],
  limits: GroupLimits,
  isChanged: boolean,
): MemberReply {
  const { memberEpoch, assigned } = state.current(memberId)
  return {
    memberId,
    memberEpoch,
    heartbeatIntervalMs: heartbeatIntervalMs(limits, state.members.get(memberId)!),
    assignment: assignedTopics(assigned, topics),
    assignmentEpochs: assigned,
    isChanged,
  }
}

/** Two may get lost before a session ends, however short the member wanted it. */
function heartbeatIntervalMs(limits: GroupLimits, member: MemberMetadataValue): number {
  const sessionMs = member.sessionTimeoutMs ?? limits.sessionTimeoutMs
  return Math.min(limits.heartbeatIntervalMs, Math.floor(sessionMs / 3))
}

function updateDetails(draft: GroupDraft, memberId: string, details: MemberDetails): void {
  checkDetails(details, draft.limits, draft.patterns)
  const before = draft.state.members.get(memberId)!
  const after = withDetails(before, details, undefined)
  if (isSameMember(before, after)) return
  putMember(draft, memberId, after)
  if (changesAssignment(before, after)) rebalance(draft)
}

function putMember(
  draft: GroupDraft,
  memberId: string,
  value: ReturnType<typeof withDetails>,
): void {
  const { groupId } = draft.state
  checkSubscriptions(draft.state, memberId, value)
  draft.put({ kind: 'memberMetadata', groupId, memberId, value })
}

function checkRoom(state: GroupState, { membersMax }: GroupLimits): void {
  if (state.members.size < membersMax) return
  throw new SpoolError(
    'GROUP_MAX_SIZE_REACHED',
    `group ${state.groupId} has ${state.members.size} members; group.consumer.max.size is ${membersMax}`,
    { extensions: { limit: 'group.consumer.max.size', max: membersMax } },
  )
}

/** @throws SpoolError UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID. */
function checkMember(state: GroupState, event: HeartbeatEvent | LeaveEvent): void {
  const { memberId, instanceId } = event
  const holder = instanceId === undefined ? undefined : state.staticMember(instanceId)
  if (holder !== undefined && holder !== memberId) {
    throw new SpoolError(
      'FENCED_INSTANCE_ID',
      `instance ${instanceId} is member ${holder} now, no longer ${memberId}`,
    )
  }
  if (!state.members.has(memberId)) throw unknownMember(state.groupId, memberId)
}

/**
 * @throws SpoolError FENCED_MEMBER_EPOCH, unless the epoch is the member's, or the one before with nothing
 * owned that it does not have: then the reply that told it of the rise was lost. Nobody was ever told an
 * epoch of 0: whoever missed the reply to its join joins again.
 */
function checkEpoch(state: GroupState, { memberId, memberEpoch, owned }: HeartbeatEvent): void {
  const current = state.current(memberId)
  const isAway = current.memberEpoch === LEFT_FOR_A_WHILE
  if (!isAway && memberEpoch === current.memberEpoch) return
  const missedReply =
    memberEpoch > NEW_MEMBER.memberEpoch &&
    memberEpoch === current.previousMemberEpoch &&
    memberEpoch < current.memberEpoch &&
    owned !== null &&
    holdsAll(current.assigned, owned)
  if (missedReply) return
  throw new SpoolError(
    'FENCED_MEMBER_EPOCH',
    `member ${memberId} came with epoch ${memberEpoch}; ${isAway ? 'it left for a while' : `its epoch is ${current.memberEpoch}`}: let go of all partitions and join again`,
    { extensions: { memberEpoch: current.memberEpoch } },
  )
}
