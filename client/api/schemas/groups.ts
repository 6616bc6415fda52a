/** The documents of consumer groups: joining, owning, committing, going back. */

import type { Static } from '@sinclair/typebox'
import { strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import { PAGE_LIMIT_MAX, RECORD_FILTER, ReadRecord, ValueView, WAIT_MS_MAX } from './records.ts'
import {
  Epoch,
  ErrorName,
  Offset,
  PartitionNumber,
  Position,
  Timestamp,
  TopicId,
  TopicName,
} from './scalars.ts'

/** Topics one member reads, or one request names. */
export const GROUP_TOPICS_MAX = 1_000
/** Commits or tokens in one request: more of them are several requests. */
export const GROUP_OFFSETS_MAX = 10_000
/**
 * What one member owns or one reset rewinds: `partitions.max` goes no further, and its value at the broker may
 * be less. What such an answer lists, a request takes back whole.
 */
export const GROUP_PARTITIONS_MAX = 1_000_000
/** `offset.metadata.max.bytes` of the broker may be less. */
const METADATA_CHARACTERS_MAX = 4_096
const PATTERN_CHARACTERS_MAX = 1_024
/**
 * Of a token: 17 bytes of version and topic id, three varlongs of 10, a member id of 255 UTF-16 units of 3 bytes,
 * a checksum of 4, which are 816 bytes, in base64.
 */
export const TOKEN_CHARACTERS_MAX = 1_088
/**
 * Of the token of a poll, for each partition: a topic id of 16 bytes, its count in 1, the partition in 5, the
 * offset in 8, which are 30 bytes and 40 characters of base64. What stands once is as long as a token.
 */
export const POLL_TOKEN_CHARACTERS_OF_PARTITION = 40
const POLL_TOKEN_CHARACTERS_MAX =
  GROUP_PARTITIONS_MAX * POLL_TOKEN_CHARACTERS_OF_PARTITION + TOKEN_CHARACTERS_MAX
const TIMEOUT_MS_MAX = 86_400_000
/** Nobody gets the partitions meanwhile. */
const REBALANCE_TIMEOUT_MS_MAX = 30 * 60_000

/** Control characters would forge log lines; "." and ".." no URL can carry. */
const NAME_PATTERN = '^(?!\\.{1,2}$)[^\\u0000-\\u001f\\u007f-\\u009f]+$'

export const GroupId = Type.String({
  pattern: NAME_PATTERN,
  minLength: 1,
  maxLength: 249,
  description:
    'A group: 1 to 249 characters, none of them a control character; percent-encoded in paths.',
  'x-error': 'INVALID_GROUP_ID',
})

export const MemberId = Type.String({
  pattern: NAME_PATTERN,
  minLength: 1,
  maxLength: 249,
  description:
    'A member, as the broker named it when it joined: 1 to 249 characters, none of them a control character.',
})

const MemberName = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: NAME_PATTERN,
      minLength: 1,
      maxLength: 249,
      description: `${description} 1 to 249 characters, none of them a control character.`,
    }),
  )

export const Token = Type.String({
  minLength: 1,
  maxLength: TOKEN_CHARACTERS_MAX,
  description: 'A place in one partition, as a member got it; opaque.',
})

export const PollToken = Type.String({
  minLength: 1,
  maxLength: POLL_TOKEN_CHARACTERS_MAX,
  description: 'The places after one page of a member; opaque.',
})

const Topics = Type.Array(TopicName, { minItems: 1, maxItems: GROUP_TOPICS_MAX })

/** A partition, and where its owner begins. */
export const AssignedPartition = strictObject({
  topic: TopicName,
  topicId: TopicId,
  partition: PartitionNumber,
  offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Where to begin: the committed offset, or the start of the partition.',
    }),
  ),
})

export const JoinGroup = strictObject({
  topics: Type.Optional(Topics),
  topicPattern: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: PATTERN_CHARACTERS_MAX,
      description: 'Instead of topics: a regular expression (RE2 syntax) the whole name matches.',
    }),
  ),
  memberId: Type.Optional(MemberId),
  clientId: MemberName('For people: shown where the group is described.'),
  instanceId: MemberName(
    'A name that stays over restarts: the partitions of a member with one wait for it.',
  ),
  assignor: Type.Optional(
    Type.Union([Type.Literal('uniform'), Type.Literal('range')], {
      description:
        'How partitions are shared out, if most members say so: uniform (default) or range.',
      'x-error': 'UNSUPPORTED_ASSIGNOR',
    }),
  ),
  sessionTimeoutMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: TIMEOUT_MS_MAX,
      description: 'A member that is silent for longer has left; the broker has bounds.',
      'x-error': 'INVALID_SESSION_TIMEOUT',
    }),
  ),
  rebalanceTimeoutMs: Type.Optional(
    Type.Integer({
      minimum: 1_000,
      maximum: REBALANCE_TIMEOUT_MS_MAX,
      description: 'How long it may take to let go of a partition before it is fenced; 60000.',
    }),
  ),
  from: Type.Optional(Position),
})

export const JoinedGroup = strictObject({
  memberId: MemberId,
  memberEpoch: Epoch,
  heartbeatIntervalMs: Type.Integer({ minimum: 1 }),
  sessionTimeoutMs: Type.Integer({ minimum: 1 }),
  assignment: Type.Array(AssignedPartition),
})

/** `topicId`: the topic that was read. Without it whichever has the name now is meant. */
const GivenPartition = strictObject({ topic: TopicName, partition: PartitionNumber })

export const OwnedPartition = strictObject({
  topic: TopicName,
  topicId: Type.Optional(TopicId),
  partition: PartitionNumber,
})

export const Heartbeat = strictObject({
  memberEpoch: Epoch,
  owned: Type.Optional(
    Type.Array(OwnedPartition, {
      maxItems: GROUP_PARTITIONS_MAX,
      description:
        'What the member works on now, at most partitions.max: a partition left out was let go of.',
    }),
  ),
})

export const HeartbeatReply = strictObject({
  memberId: MemberId,
  memberEpoch: Epoch,
  heartbeatIntervalMs: Type.Integer({ minimum: 1 }),
  assignment: Type.Array(AssignedPartition),
})

export const Poll = strictObject({
  after: Type.Optional(PollToken),
  commit: Type.Optional(PollToken),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAX })),
  waitMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: WAIT_MS_MAX,
      description: 'How long to wait for a matching record when there is none.',
    }),
  ),
  as: ValueView,
  ...RECORD_FILTER,
})

export const GroupRecord = strictObject({ topic: TopicName, ...ReadRecord.properties })

export const PollReply = strictObject({
  records: Type.Array(GroupRecord),
  token: PollToken,
  memberEpoch: Epoch,
  assignment: Type.Array(GivenPartition),
  fenced: Type.Optional(
    Type.Array(GivenPartition, {
      description:
        'What could not be committed, mostly because others have it now: it will be read again.',
    }),
  ),
})

export const CommitTokens = strictObject({
  tokens: Type.Array(Token, { minItems: 1, maxItems: GROUP_OFFSETS_MAX }),
})

/** What became of one commit. */
export const CommittedOffset = strictObject({
  topic: TopicName,
  partition: PartitionNumber,
  offset: Type.Optional(Offset),
  error: Type.Optional(strictObject({ code: ErrorName, detail: Type.String() })),
})

export const CommitReply = strictObject({ offsets: Type.Array(CommittedOffset) })

export const CommitOffsets = strictObject({
  memberId: Type.Optional(MemberId),
  memberEpoch: Type.Optional(Epoch),
  offsets: Type.Array(
    strictObject({
      topic: TopicName,
      topicId: Type.Optional(TopicId),
      partition: PartitionNumber,
      offset: Offset,
      metadata: Type.Optional(Type.String({ maxLength: METADATA_CHARACTERS_MAX })),
    }),
    { minItems: 1, maxItems: GROUP_OFFSETS_MAX },
  ),
  cumulative: Type.Optional(
    Type.Boolean({
      description:
        'True: at or below what is committed is success and no change, so that a commit that was delayed undoes no later one. Otherwise what is said is set, also further back.',
    }),
  ),
})

/** Where a group stands in one partition. */
export const GroupOffset = strictObject({
  topic: TopicName,
  topicId: TopicId,
  partition: PartitionNumber,
  offset: Type.Union([Offset, Type.Null()], {
    description: 'The next record to read; null: nothing is committed.',
  }),
  metadata: Type.Optional(Type.String()),
  committedAt: Type.Optional(Timestamp),
  logStartOffset: Type.Union([Offset, Type.Null()]),
  highWatermark: Type.Union([Offset, Type.Null()]),
  lag: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'Records from there to the end.',
  }),
  lagMs: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'How old the next record to read is; 0 where there is none.',
  }),
  memberId: Type.Union([MemberId, Type.Null()], { description: 'Who owns the partition now.' }),
})

export const GroupOffsets = strictObject({
  groupId: GroupId,
  offsets: Type.Array(GroupOffset),
})

export const GroupState = Type.Union(
  [Type.Literal('empty'), Type.Literal('reconciling'), Type.Literal('stable')],
  { description: 'reconciling: a member has yet to let go of a partition, or to be given one.' },
)

export const GroupSummary = strictObject({
  groupId: GroupId,
  state: GroupState,
  members: Type.Integer({ minimum: 0 }),
  epoch: Epoch,
})

export const GroupList = strictObject({
  groups: Type.Array(GroupSummary),
  next: Type.Optional(
    Type.String({ description: 'There are more: ask again with after= this group.' }),
  ),
})

export const MemberDescription = strictObject({
  memberId: MemberId,
  memberEpoch: Type.Integer({
    minimum: -2,
    description: '-2: it left for a while, and its partitions wait for it.',
  }),
  instanceId: Type.Union([Type.String(), Type.Null()]),
  clientId: Type.String(),
  clientHost: Type.String(),
  topics: Type.Array(TopicName),
  topicPattern: Type.Union([Type.String(), Type.Null()]),
  sessionTimeoutMs: Type.Integer({ minimum: 1 }),
  rebalanceTimeoutMs: Type.Integer({ minimum: 1 }),
  assignment: Type.Array(GivenPartition),
  revoking: Type.Array(GivenPartition, { description: 'Asked back, and not let go of yet.' }),
})

export const GroupDescription = strictObject({
  groupId: GroupId,
  state: GroupState,
  epoch: Epoch,
  assignor: Type.String(),
  members: Type.Array(MemberDescription),
  offsets: Type.Array(GroupOffset),
})

const ResetTarget = strictObject({
  topic: TopicName,
  partition: PartitionNumber,
  offset: Type.Union([Offset, Type.Null()], { description: 'null: nothing committed.' }),
})

export const ResetOffsets = strictObject({
  topics: Type.Optional(Topics),
  partitions: Type.Optional(
    Type.Array(GivenPartition, { minItems: 1, maxItems: GROUP_PARTITIONS_MAX }),
  ),
  to: Type.Union(
    [
      Position,
      strictObject({
        shift: Type.Integer({
          minimum: -Number.MAX_SAFE_INTEGER,
          maximum: Number.MAX_SAFE_INTEGER,
          description: 'So many records on, or back (below 0).',
        }),
      }),
      strictObject({
        offsets: Type.Array(ResetTarget, { minItems: 1, maxItems: GROUP_PARTITIONS_MAX }),
      }),
    ],
    {
      description: 'A position, {"shift": -100}, or {"offsets": […]} as an earlier answer has it.',
    },
  ),
  dryRun: Type.Optional(Type.Boolean({ description: 'True: say it, and do nothing.' })),
})

export const ResetReply = strictObject({
  groupId: GroupId,
  dryRun: Type.Boolean(),
  from: Type.Array(ResetTarget, {
    description: 'As it was: sent as {"to": {"offsets": …}} it undoes the reset.',
  }),
  to: Type.Array(ResetTarget, {
    description: 'As it is now; of a preview, sent as {"to": {"offsets": …}} it does just that.',
  }),
  partitions: Type.Array(
    strictObject({
      topic: TopicName,
      partition: PartitionNumber,
      from: Type.Union([Offset, Type.Null()]),
      to: Type.Union([Offset, Type.Null()]),
      recordsAgain: Type.Integer({
        minimum: 0,
        description: 'Records that will be read again.',
      }),
      clamped: Type.Optional(
        Type.Boolean({ description: 'True: what was asked for is gone, or not there yet.' }),
      ),
    }),
  ),
  recordsAgain: Type.Integer({ minimum: 0 }),
})

export type JoinGroup = Static<typeof JoinGroup>
export type JoinedGroup = Static<typeof JoinedGroup>
export type AssignedPartition = Static<typeof AssignedPartition>
export type HeartbeatReply = Static<typeof HeartbeatReply>
export type CommitOffsets = Static<typeof CommitOffsets>
export type CommitReply = Static<typeof CommitReply>
export type CommittedOffset = Static<typeof CommittedOffset>
export type GroupOffset = Static<typeof GroupOffset>
export type GroupOffsets = Static<typeof GroupOffsets>
export type GroupSummary = Static<typeof GroupSummary>
export type MemberDescription = Static<typeof MemberDescription>
export type GroupDescription = Static<typeof GroupDescription>
export type ResetOffsets = Static<typeof ResetOffsets>
export type ResetReply = Static<typeof ResetReply>
