/**
 * What is forgotten, and when: offsets past their retention (KIP-211), groups of which nothing is left, a
 * group or a topic that is deleted.
 *
 *     group without members      retention after it became empty, or after the commit if that was later
 *     group with members         only topics nobody subscribes to: retention after the commit
 *
 * A group is empty since its epoch rose last, which is the time of that record in the log.
 */

import type { GroupDraft } from './group-draft.ts'
import type { ChangeReply, DeleteTopicEvent } from './group-event.ts'
import { EMPTY_GROUP_KEEP_MS } from './group-limits.ts'
import { notEmpty, unknownGroup } from './group-refusals.ts'
import type { OffsetCommitValue } from './records/group-record.ts'
import { subscribedTopicNames } from './subscriptions.ts'

export function expireOffsets(draft: GroupDraft): ChangeReply {
  const { state } = draft
  if (state.isVoid) return { fencedMembers: [], forgottenOffsets: 0 }
  const isEmpty = state.members.size === 0
  const subscribed = subscribedTopicNames(state)
  const emptySinceMs = isEmpty ? (state.epochSinceMs ?? 0) : 0
  const forgotten = forgetOffsets(
    draft,
    (topic, value) => !subscribed.has(topic) && isExpired(draft, value, emptySinceMs),
  )
  const isOver = isEmpty && state.offsets.size === 0
  if (isOver && draft.moment.wallMs - emptySinceMs >= EMPTY_GROUP_KEEP_MS) forgetGroup(draft)
  return { fencedMembers: [], forgottenOffsets: forgotten }
}

function isExpired(draft: GroupDraft, value: OffsetCommitValue, emptySinceMs: number): boolean {
  const { wallMs } = draft.moment
  if (value.expireTimestampMs !== undefined) return wallMs >= value.expireTimestampMs
  const sinceMs = Math.max(value.commitTimestampMs, emptySinceMs)
  return wallMs - sinceMs >= draft.limits.offsetsRetentionMs
}

export function deleteGroup(draft: GroupDraft): ChangeReply {
  const { state } = draft
  if (state.isVoid) throw unknownGroup(state.groupId)
  if (state.members.size > 0) {
    const what = 'it can be deleted when they have left or their sessions have ended'
    throw notEmpty(state.groupId, state.members.size, what)
  }
  const forgotten = forgetOffsets(draft, () => true)
  forgetGroup(draft)
  return { fencedMembers: [], forgottenOffsets: forgotten }
}

/** Commits for a topic of that name with another id are for another topic, and stay. */
export function deleteTopic(draft: GroupDraft, { topic, topicId }: DeleteTopicEvent): ChangeReply {
  const forgotten = forgetOffsets(
    draft,
    (name, value) => name === topic && (value.topicId === null || value.topicId === topicId),
  )
  return { fencedMembers: [], forgottenOffsets: forgotten }
}

function forgetOffsets(
  draft: GroupDraft,
  isToForget: (topic: string, value: OffsetCommitValue) => boolean,
): number {
  const entries = [...draft.state.offsets.entries()]
  const toForget = entries.filter(([topic, , value]) => isToForget(topic, value))
  for (const [topic, partition] of toForget) draft.putOffset(topic, partition, null)
  return toForget.length
}

/** Everything but offsets and members, of which there are none. */
function forgetGroup(draft: GroupDraft): void {
  const { state } = draft
  const { groupId } = state
  for (const pattern of [...state.patterns.keys()].sort()) {
    draft.put({ kind: 'pattern', groupId, pattern, value: null })
  }
  // A group that never had members has no epochs.
  if (state.groupEpoch === 0) return
  draft.put({ kind: 'targetEpoch', groupId, value: null })
  draft.put({ kind: 'groupEpoch', groupId, value: null })
}
