/** A group as people see it. Lag is added by whoever knows the logs. */

import type {
  AssignedTopic,
  GroupDescription,
  GroupStateName,
  MemberDescription,
} from './group-event.ts'
import type { GroupLimits } from './group-limits.ts'
import type { GroupState } from './group-state.ts'
import type { GroupTopics, TopicPartitions } from './group-topics.ts'
import { committedOffsets } from './offset-reads.ts'
import { type PartitionEpochs, toRecord } from './partition-epochs.ts'
import { patternOf } from './subscriptions.ts'
import { preferredAssignor } from './target-assignment.ts'

export function describeGroup(
  state: GroupState,
  limits: GroupLimits,
  topics: GroupTopics,
): GroupDescription {
  return {
    groupId: state.groupId,
    state: stateName(state),
    groupEpoch: state.groupEpoch,
    targetEpoch: state.targetEpoch,
    assignor: preferredAssignor(state),
    members: [...state.members.keys()]
      .sort()
      .map((memberId) => describeMember(state, memberId, limits, topics)),
    offsets: committedOffsets(state, topics),
  }
}

export function stateName(state: GroupState): GroupStateName {
  if (state.members.size === 0) return 'empty'
  const isSettled = state.targetEpoch >= state.groupEpoch
  const isStable = (memberId: string) => {
    const current = state.current(memberId)
    return current.state === 'stable' && current.memberEpoch === state.targetEpoch
  }
  return isSettled && [...state.members.keys()].every(isStable) ? 'stable' : 'reconciling'
}

function describeMember(
  state: GroupState,
  memberId: string,
  limits: GroupLimits,
  topics: GroupTopics,
): MemberDescription {
  const metadata = state.members.get(memberId)!
  const { memberEpoch, assigned, revoking } = state.current(memberId)
  return {
    memberId,
    instanceId: metadata.instanceId,
    clientId: metadata.clientId,
    clientHost: metadata.clientHost,
    memberEpoch,
    topics: metadata.subscribedTopicNames,
    topicPattern: patternOf(metadata) ?? null,
    assignor: metadata.serverAssignor,
    sessionTimeoutMs: metadata.sessionTimeoutMs ?? limits.sessionTimeoutMs,
    rebalanceTimeoutMs: metadata.rebalanceTimeoutMs,
    assignment: assignedTopics(assigned, topics),
    revoking: assignedTopics(revoking, topics),
    target: named(state.target(memberId), topics),
  }
}

/** By topic name, partitions rising. */
export function assignedTopics(held: PartitionEpochs, topics: GroupTopics): AssignedTopic[] {
  return named(toRecord(held), topics)
}

function named(partitions: readonly TopicPartitions[], topics: GroupTopics): AssignedTopic[] {
  return partitions
    .map(({ topicId, partitions }) => ({
      topic: topics.byId(topicId)?.name ?? '',
      topicId,
      partitions,
    }))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1))
}
