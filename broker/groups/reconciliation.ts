/**
 * How a member gets from what it has to its target, one heartbeat after another (KIP-848). Nobody waits
 * for anybody but the owner of the very partition that moves:
 *
 *     a has 0 1 2, target 0 1      b has nothing, target 2
 *
 *     a  heartbeat           → "have 0 1"       2 is being revoked: a may still commit it
 *     b  heartbeat           → "have nothing"   2 is not released yet
 *     a  heartbeat, owns 0 1 → "have 0 1"       2 is let go of
 *     b  heartbeat           → "have 2"
 *
 *     stable ─── target without some of mine ──▶ unrevokedPartitions ── owned without them ──┐
 *       ▲  ▲                                                                                 │
 *       │  └─────────────── all of the target is mine ◀──────────────────────────────────────┤
 *       └── the last one was released ── unreleasedPartitions ◀── some are still another's ◀─┘
 *
 * The member epoch rises to the target's when nothing is left to revoke. A partition keeps the epoch at
 * which it came, whatever the member's epoch does later (KIP-1251).
 *
 * Owns the next assignment of one member; deadlines and records are the caller's.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { GroupState, MemberCurrent } from './group-state.ts'
import type { TopicPartitions } from './group-topics.ts'
import {
  eachPartition,
  NO_PARTITIONS,
  overlaps,
  type PartitionEpochs,
  type PartitionEpochsDraft,
  setEpoch,
} from './partition-epochs.ts'

/** All that the member says it holds; `null`: it does not say, so it lets go of nothing. */
export type Owned = readonly TopicPartitions[] | null

/**
 * What the member has after a heartbeat that says `owned`: the same object where nothing changes.
 *
 * @throws SpoolError FENCED_MEMBER_EPOCH for a member in a state that another version wrote.
 */
export function reconcile(state: GroupState, memberId: string, owned: Owned): MemberCurrent {
  const current = state.current(memberId)
  switch (current.state) {
    case 'stable':
      return current.memberEpoch === state.targetEpoch ? current : nextOf(state, memberId, owned)
    case 'unrevokedPartitions':
      return holdsRevoked(current.revoking, owned) ? current : nextOf(state, memberId, owned)
    case 'unreleasedPartitions':
      return nextOf(state, memberId, owned)
    case 'unknown':
      if (owned !== null && owned.length === 0) return nextOf(state, memberId, owned)
      throw new SpoolError(
        'FENCED_MEMBER_EPOCH',
        `member ${memberId} is in a state that this version does not know; let go of all partitions and join again`,
      )
  }
}

/** The next assignment of a member that holds nothing any more of what it was told to let go of. */
function nextOf(state: GroupState, memberId: string, owned: Owned): MemberCurrent {
  const current = state.current(memberId)
  const target = new Map(
    state.target(memberId).map(({ topicId, partitions }) => [topicId, new Set(partitions)]),
  )
  const assigned: PartitionEpochsDraft = new Map()
  const revoking: PartitionEpochsDraft = new Map()
  for (const [topicId, partition, epoch] of eachPartition(current.assigned)) {
    const isKept = target.get(topicId)?.has(partition) === true
    setEpoch(isKept ? assigned : revoking, topicId, partition, epoch)
  }
  if (revoking.size > 0 && holdsRevoked(revoking, owned)) {
    return advance(current, {
      memberEpoch: current.memberEpoch,
      state: 'unrevokedPartitions',
      assigned,
      revoking,
    })
  }
  const memberEpoch = state.targetEpoch
  const waits = takeReleased(state, memberId, assigned, memberEpoch)
  return advance(current, {
    memberEpoch,
    state: waits ? 'unreleasedPartitions' : 'stable',
    assigned,
    revoking: NO_PARTITIONS,
  })
}

/** Adds what of the target nobody else has; says whether something is still another's. */
function takeReleased(
  state: GroupState,
  memberId: string,
  assigned: PartitionEpochsDraft,
  epoch: number,
): boolean {
  let waits = false
  for (const { topicId, partitions } of state.target(memberId)) {
    for (const partition of partitions) {
      if (assigned.get(topicId)?.has(partition) === true) continue
      const owner = state.owner(topicId, partition)
      if (owner === undefined || owner === memberId) setEpoch(assigned, topicId, partition, epoch)
      else waits = true
    }
  }
  return waits
}

/**
 * The member's epoch before the last rise is remembered: a member whose reply got lost comes with it again.
 * The same object while the member only waits on: then there is nothing to write.
 */
function advance(
  current: MemberCurrent,
  next: Omit<MemberCurrent, 'previousMemberEpoch'>,
): MemberCurrent {
  const isSame =
    current.memberEpoch === next.memberEpoch &&
    current.state === next.state &&
    isSamePartitions(current.assigned, next.assigned) &&
    isSamePartitions(current.revoking, next.revoking)
  if (isSame) return current
  const isRise = next.memberEpoch !== current.memberEpoch
  const previous = isRise ? current.memberEpoch : current.previousMemberEpoch
  // A member that was away for a while comes from no epoch.
  const previousMemberEpoch = Math.max(0, previous)
  return { ...next, previousMemberEpoch }
}

function holdsRevoked(revoking: PartitionEpochs, owned: Owned): boolean {
  return owned === null || overlaps(revoking, owned)
}

export function isSamePartitions(a: PartitionEpochs, b: PartitionEpochs): boolean {
  if (a.size !== b.size) return false
  for (const [topicId, epochs] of a) {
    const others = b.get(topicId)
    if (others === undefined || others.size !== epochs.size) return false
    for (const [partition, epoch] of epochs) if (others.get(partition) !== epoch) return false
  }
  return true
}
