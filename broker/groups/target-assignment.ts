/**
 * The target: which partitions each member is to have in the end. Computed anew whenever members, their
 * subscriptions or the topics change, in the same step as that change, and written as the difference to
 * the target before. How members get there is `reconciliation.ts`.
 */

import type { GroupAssignment } from './assignors/assignor.ts'
import { assignRanges } from './assignors/range.ts'
import { assignUniformly } from './assignors/uniform.ts'
import type { GroupDraft } from './group-draft.ts'
import { ASSIGNOR_NAMES, type AssignorName } from './group-event.ts'
import type { GroupState } from './group-state.ts'
import type { TopicPartitions } from './group-topics.ts'
import { type GroupSubscriptions, resolvePatterns, subscriptionsOf } from './subscriptions.ts'

const ASSIGNORS = { uniform: assignUniformly, range: assignRanges }

/** Raises the group's epoch and gives everyone the target that follows from the state as it is now. */
export function rebalance(draft: GroupDraft): void {
  resolvePatterns(draft)
  const subscriptions = subscriptionsOf(draft.state, draft.moment.topics)
  raiseEpoch(draft, subscriptions.hash)
  assignAnew(draft, subscriptions)
}

/**
 * The same, if the topics are not those that the present target was made for, or if there is a rise of the
 * epoch that no target followed (a group that another broker software left half way).
 */
export function rebalanceIfStale(draft: GroupDraft): void {
  const { state, moment } = draft
  resolvePatterns(draft)
  if (state.members.size === 0) return
  const subscriptions = subscriptionsOf(state, moment.topics)
  if (subscriptions.hash !== state.metadataHash) raiseEpoch(draft, subscriptions.hash)
  if (state.targetEpoch < state.groupEpoch) assignAnew(draft, subscriptions)
}

export function raiseEpoch(draft: GroupDraft, metadataHash: bigint): void {
  const { groupId, groupEpoch } = draft.state
  const value = { epoch: groupEpoch + 1, metadataHash }
  draft.put({ kind: 'groupEpoch', groupId, value })
}

/** Says that the target is up to the group's epoch. */
export function raiseTargetEpoch(draft: GroupDraft): void {
  const { state, moment } = draft
  draft.put({
    kind: 'targetEpoch',
    groupId: state.groupId,
    value: { assignmentEpoch: state.groupEpoch, assignmentTimestampMs: moment.wallMs },
  })
}

function assignAnew(draft: GroupDraft, subscriptions: GroupSubscriptions): void {
  const { state } = draft
  for (const [memberId, topicPartitions] of assignmentOf(state, subscriptions)) {
    if (isSameTarget(state.target(memberId), topicPartitions)) continue
    const { groupId } = state
    draft.put({ kind: 'targetMember', groupId, memberId, value: { topicPartitions } })
  }
  raiseTargetEpoch(draft)
}

function assignmentOf(state: GroupState, subscriptions: GroupSubscriptions): GroupAssignment {
  if (state.members.size === 0) return new Map()
  const members = [...state.members.keys()].sort().map((memberId) => ({
    memberId,
    instanceId: state.members.get(memberId)!.instanceId,
    topics: subscriptions.ofMember.get(memberId)!,
    previous: state.target(memberId),
  }))
  return ASSIGNORS[preferredAssignor(state)]({ members, topics: subscriptions.topics })
}

/** The one most members ask for; `uniform` where nobody asks, or as many for one as for the other. */
export function preferredAssignor(state: GroupState): AssignorName {
  const votes = new Map<string, number>()
  for (const { serverAssignor } of state.members.values()) {
    if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1)
  }
  let preferred = ASSIGNOR_NAMES[0]!
  for (const name of ASSIGNOR_NAMES) {
    if ((votes.get(name) ?? 0) > (votes.get(preferred) ?? 0)) preferred = name
  }
  return preferred
}

export function isSameTarget(
  a: readonly TopicPartitions[],
  b: readonly TopicPartitions[],
): boolean {
  return (
    a.length === b.length &&
    a.every((topic, index) => {
      const other = b[index]!
      return (
        topic.topicId === other.topicId &&
        topic.partitions.length === other.partitions.length &&
        topic.partitions.every((partition, at) => partition === other.partitions[at])
      )
    })
  )
}
