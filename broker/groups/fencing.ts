/**
 * Members that end: they leave, or their session or their time to let go of partitions is over. Their
 * partitions are free in the same step, and the others get them with their next heartbeats.
 */

import type { GroupDraft } from './group-draft.ts'
import type { ChangeReply } from './group-event.ts'
import type { GroupTimers } from './group-timers.ts'
import { rebalance } from './target-assignment.ts'

/** Removes members and assigns anew, once for all of them. */
export function fence(draft: GroupDraft, memberIds: readonly string[]): void {
  if (memberIds.length === 0) return
  for (const memberId of memberIds) removeMember(draft, memberId)
  rebalance(draft)
}

/** Kafka's replay insists on this order. */
export function removeMember(draft: GroupDraft, memberId: string): void {
  const { groupId } = draft.state
  draft.put({ kind: 'currentAssignment', groupId, memberId, value: null })
  draft.put({ kind: 'targetMember', groupId, memberId, value: null })
  draft.put({ kind: 'memberMetadata', groupId, memberId, value: null })
}

export function tick(draft: GroupDraft, timers: GroupTimers): ChangeReply {
  const due = timers.due(draft.moment.monotonicMs).map(({ memberId }) => memberId)
  const members = due.filter((memberId) => draft.state.members.has(memberId))
  fence(draft, members)
  return { fencedMembers: members, forgottenOffsets: 0 }
}
