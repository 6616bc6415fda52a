/**
 * Committing and reading offsets. A commit is accepted from the member that holds the partition, with an
 * epoch from the time since it came to it (KIP-1251): not older, or it may undo what another owner or a
 * reset did; not newer than the member's, or it is made up. A rebalance that did not touch the partition
 * refuses nobody.
 *
 *     partition came at epoch 4        member is at epoch 7
 *     ──────┼───────────────────────────────────┼──────▶ epoch of the commit
 *     fenced│             accepted              │ fenced
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { GroupDraft } from './group-draft.ts'
import type {
  CommitOffsetsEvent,
  CommitReply,
  CommitResult,
  CommitTokensEvent,
  OffsetToCommit,
  PartFailure,
  StartingOffset,
  TokenToCommit,
} from './group-event.ts'
import { notEmpty, unknownGroup, unknownMember } from './group-refusals.ts'
import { type GroupState, LEFT_FOR_A_WHILE } from './group-state.ts'
import type { GroupTopic, GroupTopics } from './group-topics.ts'
import { epochOf } from './partition-epochs.ts'

interface Committer {
  readonly memberId: string
  readonly memberEpoch: number
}

export function commitOffsets(draft: GroupDraft, event: CommitOffsetsEvent): CommitReply {
  const { state } = draft
  const { member, offsets, isCumulative = false } = event
  if (member === undefined && state.members.size > 0) {
    const what = 'a commit needs the memberId and memberEpoch of the one that holds the partitions'
    throw notEmpty(state.groupId, state.members.size, what)
  }
  if (member !== undefined && !state.members.has(member.memberId)) {
    throw unknownMember(state.groupId, member.memberId)
  }
  return { results: offsets.map((offset) => commitOne(draft, offset, member, isCumulative)) }
}

function commitOne(
  draft: GroupDraft,
  commit: OffsetToCommit,
  member: Committer | undefined,
  isCumulative: boolean,
): CommitResult {
  const { topic: name, partition } = commit
  const found = findPartition(draft.moment.topics, name, partition)
  if ('error' in found) return refused(name, partition, found.error)
  const { topic } = found
  const error =
    anotherTopic(topic, commit.topicId) ??
    contentProblem(draft, commit) ??
    (member && fencedFrom(draft.state, member, topic, partition)) ??
    beyondEnd(commit, topic, partition)
  if (error !== undefined) return refused(name, partition, error)
  return put(draft, topic, commit, { isCumulative })
}

/** Cumulative: at or below what is committed is success, and no change. */
function put(
  draft: GroupDraft,
  topic: GroupTopic,
  { partition, offset, leaderEpoch = -1, metadata = '' }: Omit<OffsetToCommit, 'topic'>,
  { isCumulative }: { readonly isCumulative: boolean },
): CommitResult {
  const { name, topicId } = topic
  const committed = isCumulative ? draft.state.offsets.of(topic, partition) : undefined
  if (committed !== undefined && committed.offset >= offset) {
    return { topic: name, partition, offset: committed.offset, isChanged: false }
  }
  draft.putOffset(name, partition, {
    offset,
    leaderEpoch,
    metadata,
    commitTimestampMs: draft.moment.wallMs,
    topicId,
  })
  return { topic: name, partition, offset, isChanged: true }
}

/** Token by token: each sees what those before it have committed. */
export function commitTokens(draft: GroupDraft, event: CommitTokensEvent): CommitReply {
  const { state } = draft
  if (state.isVoid) throw unknownGroup(state.groupId)
  return { results: event.tokens.map((token) => commitToken(draft, token)) }
}

function commitToken(draft: GroupDraft, token: TokenToCommit): CommitResult {
  const { state, moment } = draft
  const { topicId, partition } = token
  const topic = moment.topics.byId(topicId)
  if (topic === undefined) {
    const detail = `topic ${topicId}, which the token is for, is gone`
    return { ...refused('', partition, { code: 'UNKNOWN_TOPIC_ID', detail }), topicId }
  }
  const error =
    contentProblem(draft, token) ??
    fencedFrom(state, token, topic, partition) ??
    beyondEnd(token, topic, partition)
  if (error !== undefined) return refused(topic.name, partition, error)
  return put(draft, topic, token, { isCumulative: true })
}

/**
 * Where a member that joins means to begin. Only in partitions without a committed offset that nobody has:
 * an owner that has not committed yet began at the start, and must not find its progress behind a commit.
 */
export function commitStart(draft: GroupDraft, startAt: readonly StartingOffset[]): void {
  for (const { topic: name, partition, offset } of startAt) {
    const found = findPartition(draft.moment.topics, name, partition)
    const error = 'error' in found ? found.error : contentProblem(draft, { offset })
    if ('error' in found || error !== undefined) throw new SpoolError(error!.code, error!.detail)
    const { topic } = found
    const isOwned = draft.state.owner(topic.topicId, partition) !== undefined
    if (isOwned || draft.state.offsets.of(topic, partition) !== undefined) continue
    put(draft, topic, { partition, offset }, { isCumulative: false })
  }
}

/** Why this member may not commit for this partition with this epoch. */
function fencedFrom(
  state: GroupState,
  { memberId, memberEpoch }: Committer,
  topic: GroupTopic,
  partition: number,
): PartFailure | undefined {
  const current = state.current(memberId)
  const place = `partition ${partition} of ${topic.name}`
  const since =
    epochOf(current.assigned, topic.topicId, partition) ??
    epochOf(current.revoking, topic.topicId, partition)
  if (since === undefined) {
    const owner = state.owner(topic.topicId, partition)
    const whose = owner === undefined ? 'nobody has it now' : `member ${owner} has it`
    return fencedBecause(`member ${memberId} does not have ${place}: ${whose}`)
  }
  if (memberEpoch < since) {
    return fencedBecause(
      `epoch ${memberEpoch} of member ${memberId} is from before ${place} came to it at epoch ${since}`,
    )
  }
  if (current.memberEpoch === LEFT_FOR_A_WHILE) {
    return fencedBecause(`member ${memberId} left for a while, and has not joined again`)
  }
  if (memberEpoch > current.memberEpoch) {
    return fencedBecause(
      `epoch ${memberEpoch} of member ${memberId} is beyond its epoch, ${current.memberEpoch}`,
    )
  }
  return undefined
}

function fencedBecause(detail: string): PartFailure {
  return { code: 'FENCED_MEMBER_EPOCH', detail }
}

export function findPartition(
  topics: GroupTopics,
  name: string,
  partition: number,
): { readonly topic: GroupTopic } | { readonly error: PartFailure } {
  const code = 'UNKNOWN_TOPIC_OR_PARTITION'
  const topic = topics.byName(name)
  if (topic === undefined) return { error: { code, detail: `there is no topic ${name}` } }
  if (Number.isInteger(partition) && partition >= 0 && partition < topic.partitions) {
    return { topic }
  }
  const detail = `topic ${name} has partitions 0 to ${topic.partitions - 1}, not ${partition}`
  return { error: { code, detail } }
}

/** What was read of a topic says nothing of the one that was created under its name since. */
function anotherTopic(topic: GroupTopic, topicId: string | undefined): PartFailure | undefined {
  if (topicId === undefined || topicId === topic.topicId) return undefined
  const detail = `topic ${topic.name} was created anew: its id is ${topic.topicId}, not ${topicId}`
  return { code: 'INCONSISTENT_TOPIC_ID', detail }
}

function contentProblem(
  { limits }: GroupDraft,
  { offset, metadata = '' }: { readonly offset: number; readonly metadata?: string },
): PartFailure | undefined {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    const detail = `offset is ${offset}, not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`
    return { code: 'INVALID_REQUEST', detail }
  }
  const size = Buffer.byteLength(metadata, 'utf8')
  if (size > limits.offsetMetadataBytesMax) {
    const detail = `metadata has ${size} bytes; offset.metadata.max.bytes is ${limits.offsetMetadataBytesMax}`
    return { code: 'OFFSET_METADATA_TOO_LARGE', detail }
  }
  if (!metadata.isWellFormed()) {
    return { code: 'INVALID_REQUEST', detail: 'metadata has half a surrogate pair' }
  }
  return undefined
}

/** The log may have lost what the offset is from: a topic that does not sync, after a power cut. */
function beyondEnd(
  { offset, logEndOffset }: Pick<OffsetToCommit, 'offset' | 'logEndOffset'>,
  topic: GroupTopic,
  partition: number,
): PartFailure | undefined {
  if (logEndOffset === undefined || offset <= logEndOffset) return undefined
  const detail = `offset is ${offset}; partition ${partition} of ${topic.name} ends at ${logEndOffset}: what is written there later would be skipped`
  return { code: 'OFFSET_OUT_OF_RANGE', detail }
}

function refused(topic: string, partition: number, error: PartFailure): CommitResult {
  return { topic, partition, offset: -1, isChanged: false, error }
}
