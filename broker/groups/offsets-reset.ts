/**
 * Replay: a group begins again somewhere else, also while its members run. New offsets and new epochs are
 * one batch, so there is no moment at which a commit from before could undo the reset:
 *
 *     group epoch 7          a at 7: 0 since 4, 1 since 7      b at 7: 2 since 5
 *     ── reset ──▶ 8         a at 8: 0 since 8, 1 since 8      b at 8: 2 since 8
 *
 * Whatever a and b send from before has an epoch below 8 and is fenced. They join again under their ids, get
 * the same partitions and begin at what is committed now. Nobody's partitions move, except that what was
 * being revoked is let go of at once: whoever holds it is fenced anyway.
 *
 * Resolving positions is the caller's work; a shift is resolved here, from what is committed at this moment.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { GroupDraft } from './group-draft.ts'
import type { ResetEvent, ResetPartition, ResetReply, ResetTarget } from './group-event.ts'
import { unknownGroup } from './group-refusals.ts'
import { type GroupState, LEFT_FOR_A_WHILE, type MemberCurrent } from './group-state.ts'
import type { GroupTopic } from './group-topics.ts'
import { findPartition } from './offset-commits.ts'
import { holdsAll, NO_PARTITIONS, type PartitionEpochs, withEpoch } from './partition-epochs.ts'
import { raiseEpoch, raiseTargetEpoch } from './target-assignment.ts'

export function reset(draft: GroupDraft, event: ResetEvent): ResetReply {
  const { state } = draft
  if (state.isVoid) throw unknownGroup(state.groupId)
  const topics = checkTargets(draft, event.targets)
  const partitions = event.targets.map((target, index) => planOf(state, topics[index]!, target))
  if (event.dryRun !== true) {
    raiseAllEpochs(draft)
    for (const [index, { topic, partition, to }] of partitions.entries()) {
      draft.putOffset(topic, partition, to === null ? null : committed(draft, topics[index]!, to))
    }
  }
  const recordsAgain = partitions.reduce((sum, plan) => sum + plan.recordsAgain, 0)
  return { partitions, recordsAgain }
}

/** @throws SpoolError for a partition that is not there, twice there, or has no such target. */
function checkTargets(draft: GroupDraft, targets: readonly ResetTarget[]): GroupTopic[] {
  const seen = new Set<string>()
  return targets.map(({ topic, partition, to }) => {
    const found = findPartition(draft.moment.topics, topic, partition)
    if ('error' in found) throw new SpoolError(found.error.code, found.error.detail)
    const key = `${partition} ${topic}`
    if (seen.has(key)) throw invalid(`partition ${partition} of ${topic} is named twice`)
    seen.add(key)
    const number = 'shift' in to ? to.shift : (to.offset ?? 0)
    const isValid = Number.isSafeInteger(number) && ('shift' in to || number >= 0)
    if (!isValid) throw invalid(`the target of partition ${partition} of ${topic} is ${number}`)
    return found.topic
  })
}

function planOf(state: GroupState, topic: GroupTopic, target: ResetTarget): ResetPartition {
  const { partition, to, logStartOffset, logEndOffset } = target
  const from = state.offsets.of(topic, partition)?.offset ?? null
  const base = { topic: topic.name, partition, from }
  // A group that has committed nothing begins at the start.
  const wanted = 'shift' in to ? (from ?? logStartOffset) + to.shift : to.offset
  if (wanted === null) return { ...base, to: null, clamped: false, recordsAgain: 0 }
  const nearest = Math.min(Math.max(wanted, logStartOffset), logEndOffset)
  const recordsAgain = from === null ? 0 : Math.max(0, from - nearest)
  return { ...base, to: nearest, clamped: nearest !== wanted, recordsAgain }
}

/** Fences everything from before. */
function raiseAllEpochs(draft: GroupDraft): void {
  const { state } = draft
  raiseEpoch(draft, state.metadataHash)
  raiseTargetEpoch(draft)
  for (const memberId of [...state.members.keys()].sort()) {
    draft.putCurrent(memberId, renewed(state, memberId))
    draft.setTimer(memberId, 'rebalance', undefined)
  }
}

/** A member with the group's epoch on all it has. One that is away stays away. */
function renewed(state: GroupState, memberId: string): MemberCurrent {
  const epoch = state.groupEpoch
  const { memberEpoch, assigned } = state.current(memberId)
  const isAway = memberEpoch === LEFT_FOR_A_WHILE
  return {
    memberEpoch: isAway ? LEFT_FOR_A_WHILE : epoch,
    previousMemberEpoch: epoch,
    state: hasItsTarget(state, memberId, assigned) ? 'stable' : 'unreleasedPartitions',
    assigned: withEpoch(assigned, epoch),
    revoking: NO_PARTITIONS,
  }
}

function hasItsTarget(state: GroupState, memberId: string, assigned: PartitionEpochs): boolean {
  const target = state.target(memberId)
  const count = target.reduce((sum, { partitions }) => sum + partitions.length, 0)
  const held = [...assigned.values()].reduce((sum, partitions) => sum + partitions.size, 0)
  return held === count && holdsAll(assigned, target)
}

function committed(draft: GroupDraft, topic: GroupTopic, offset: number) {
  return {
    offset,
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: draft.moment.wallMs,
    topicId: topic.topicId,
  }
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail)
}
