/**
 * Members with an instance id (KIP-345, KIP-848). One that leaves "for a while" keeps its place: when it is
 * back, as a new member id, before its session ends, it takes over what it had and nobody else notices.
 *
 *     a (instance i)   leave isTemporary → epoch -2, partitions kept, session runs on
 *     b (instance i)   join              → a is gone, b has its partitions; the group's epoch stays
 */

import { SpoolError } from '../../client/api/errors.ts'
import { removeMember } from './fencing.ts'
import type { GroupDraft } from './group-draft.ts'
import { LEFT_FOR_A_WHILE } from './group-state.ts'

/**
 * Puts `memberId` in the place of `replaced`.
 *
 * @throws SpoolError UNRELEASED_INSTANCE_ID while the member before has not left, or when the one that
 * comes is in the group already as another.
 */
export function replaceStaticMember(
  draft: GroupDraft,
  replaced: string,
  memberId: string,
  instanceId: string,
): void {
  const { state } = draft
  const current = state.current(replaced)
  if (current.memberEpoch !== LEFT_FOR_A_WHILE || state.members.has(memberId)) {
    throw new SpoolError(
      'UNRELEASED_INSTANCE_ID',
      `instance ${instanceId} is member ${replaced}, which has not left; it is free when that leaves or its session ends`,
    )
  }
  const { groupId } = state
  const metadata = state.members.get(replaced)!
  const topicPartitions = state.target(replaced)
  removeMember(draft, replaced)
  draft.put({ kind: 'memberMetadata', groupId, memberId, value: metadata })
  draft.put({ kind: 'targetMember', groupId, memberId, value: { topicPartitions } })
  draft.putCurrent(memberId, { ...current, memberEpoch: 0, previousMemberEpoch: 0 })
}
