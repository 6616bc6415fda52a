/** The routes of consumer groups. */

import type { TSchema } from '@sinclair/typebox'
import { EVENT_STREAM_TYPE, JSON_TYPE, NDJSON_TYPE } from '../media-types.ts'
import { defineRoute } from '../route.ts'
import { Type } from '../schema.ts'
import {
  CommitOffsets,
  CommitReply,
  CommitTokens,
  GroupDescription,
  GroupId,
  GroupList,
  GroupOffsets,
  GroupRecord,
  Heartbeat,
  HeartbeatReply,
  JoinedGroup,
  JoinGroup,
  MemberDescription,
  MemberId,
  Poll,
  PollReply,
  ResetOffsets,
  ResetReply,
} from '../schemas/groups.ts'
import { RECORD_FILTER, ValueView } from '../schemas/records.ts'
import { TopicName } from '../schemas/scalars.ts'

/** Groups in one page of the list. */
export const GROUP_LIST_LIMIT_MAX = 1_000
export const GROUP_LIST_LIMIT_DEFAULT = 100

/** A thousand names of the longest kind do not fit a URL; a pattern does. */
const TOPICS_CHARACTERS_MAX = 8_192

const document = <Body extends TSchema>(schema: Body) =>
  ({ kind: 'document', schema, content: { [JSON_TYPE]: schema }, isRequired: true }) as const

const answer = (description: string, schema: TSchema) => ({
  description,
  content: { [JSON_TYPE]: schema },
})

export const GROUP_ROUTES = {
  listGroups: defineRoute({
    method: 'GET',
    path: '/v1/groups',
    operationId: 'listGroups',
    tag: 'Groups',
    summary: 'List consumer groups, in the order of their names',
    query: {
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: GROUP_LIST_LIMIT_MAX,
          description: `Groups in one answer; ${GROUP_LIST_LIMIT_DEFAULT} when absent.`,
        }),
      ),
      after: Type.Optional(
        Type.String({ maxLength: 249, description: 'Only groups whose name comes after this.' }),
      ),
    },
    responses: {
      200: {
        ...answer('A page of the list; Link: rel="next" leads to the next one.', GroupList),
        headers: { Link: 'The next page, if there is one.' },
      },
    },
  }),
  describeGroup: defineRoute({
    method: 'GET',
    path: '/v1/groups/{group}',
    operationId: 'describeGroup',
    tag: 'Groups',
    summary: 'Describe a group: members, who has what, where it stands and how far behind',
    params: { group: GroupId },
    responses: { 200: answer('The group.', GroupDescription) },
  }),
  deleteGroup: defineRoute({
    method: 'DELETE',
    path: '/v1/groups/{group}',
    operationId: 'deleteGroup',
    tag: 'Groups',
    summary: 'Forget a group without members, with its committed offsets',
    params: { group: GroupId },
    responses: { 204: { description: 'Forgotten.' } },
  }),
  joinGroup: defineRoute({
    method: 'POST',
    path: '/v1/groups/{group}/members',
    operationId: 'joinGroup',
    tag: 'Groups',
    summary: 'Join: become a member that is given partitions',
    description:
      'The first member begins the group. Give topics or topicPattern. from is for topics of which the group has committed nothing; what it means is committed with the join. A member that was fenced joins again with its memberId.',
    params: { group: GroupId },
    body: document(JoinGroup),
    responses: {
      201: {
        ...answer('The member, and what it may read now.', JoinedGroup),
        headers: { Location: 'The member.' },
      },
    },
  }),
  describeMember: defineRoute({
    method: 'GET',
    path: '/v1/groups/{group}/members/{memberId}',
    operationId: 'describeMember',
    tag: 'Groups',
    summary: 'Describe a member: what it subscribes to, what it has and has to let go of',
    params: { group: GroupId, memberId: MemberId },
    responses: { 200: answer('The member.', MemberDescription) },
  }),
  heartbeat: defineRoute({
    method: 'POST',
    path: '/v1/groups/{group}/members/{memberId}/heartbeat',
    operationId: 'heartbeat',
    tag: 'Groups',
    summary: 'Say that the member is there and what it works on; learn what it may read',
    description:
      'Stop reading what is no longer in assignment, commit, and leave it out of owned: only then somebody else gets it. Without owned nothing is let go of. 409 FENCED_MEMBER_EPOCH: stop everything and join again.',
    params: { group: GroupId, memberId: MemberId },
    body: document(Heartbeat),
    responses: { 200: answer('What the member may read.', HeartbeatReply) },
  }),
  poll: defineRoute({
    method: 'POST',
    path: '/v1/groups/{group}/members/{memberId}/poll',
    operationId: 'poll',
    tag: 'Groups',
    summary: 'Commit, heartbeat and a page of records in one request',
    description:
      'Give the token of the last answer as after and, once its records are done, as commit. The same after gives the same records of what the member still has, so a lost answer loses nothing. Without after: from what is committed. 409 FENCED_MEMBER_EPOCH: the group was rewound since that token; poll without it. With key, header or contains a page may be empty and its token still further on: records that are not asked for are passed over, and count as done when the token is committed.',
    params: { group: GroupId, memberId: MemberId },
    body: document(Poll),
    responses: { 200: answer('Records of the partitions the member has.', PollReply) },
  }),
  readGroup: defineRoute({
    method: 'GET',
    path: '/v1/groups/{group}/records',
    operationId: 'readGroup',
    tag: 'Groups',
    summary: 'A worker in one request: the connection is a member for as long as it lives',
    description:
      'Records come with a token each, and are committed with POST …/commit, never by themselves. It begins at what is committed; Last-Event-ID means nothing. Beside records: assigned; revoked (it goes to others: once all that was given is done, commit its token, and it goes at once); reset (before what is read again); checkpoint (a sign of life, and tokens of partitions in which records were passed over: committing one says that everything given before it is done); problem; end. Records that key, header or contains do not ask for are passed over, so who commits only the tokens of records reads them again and never has lag 0. Who takes nothing for max.poll.interval.ms loses its partitions and the connection. With instanceId the partitions wait for the next connection, for group.consumer.session.timeout.ms; a second one meanwhile is 409 UNRELEASED_INSTANCE_ID.',
    params: { group: GroupId },
    query: {
      topics: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: TOPICS_CHARACTERS_MAX,
          description: 'Names of topics, with commas between.',
        }),
      ),
      topicPattern: JoinGroup.properties.topicPattern,
      clientId: JoinGroup.properties.clientId,
      instanceId: JoinGroup.properties.instanceId,
      assignor: JoinGroup.properties.assignor,
      rebalanceTimeoutMs: JoinGroup.properties.rebalanceTimeoutMs,
      from: JoinGroup.properties.from,
      as: ValueView,
      ...RECORD_FILTER,
    },
    responses: {
      200: {
        description: 'Records of the partitions the member has, as they come.',
        content: { [NDJSON_TYPE]: GroupRecord, [EVENT_STREAM_TYPE]: Type.String() },
      },
    },
  }),
  leaveGroup: defineRoute({
    method: 'DELETE',
    path: '/v1/groups/{group}/members/{memberId}',
    operationId: 'leaveGroup',
    tag: 'Groups',
    summary: 'Leave: its partitions go to others at once',
    params: { group: GroupId, memberId: MemberId },
    query: {
      temporary: Type.Optional(
        Type.Boolean({
          description:
            'Of a member with instanceId: it comes back, and its partitions wait for it.',
        }),
      ),
    },
    responses: { 204: { description: 'Gone.' } },
  }),
  commitTokens: defineRoute({
    method: 'POST',
    path: '/v1/groups/{group}/commit',
    operationId: 'commitTokens',
    tag: 'Groups',
    summary: 'Commit what was read, by token',
    description:
      'Cumulative per partition: a token at or below what is committed changes nothing. 409 FENCED_MEMBER_EPOCH: the partition is not its member’s any more, or was rewound.',
    params: { group: GroupId },
    body: document(CommitTokens),
    responses: { 200: answer('In the order of the tokens.', CommitReply) },
  }),
  groupOffsets: defineRoute({
    method: 'GET',
    path: '/v1/groups/{group}/offsets',
    operationId: 'groupOffsets',
    tag: 'Groups',
    summary: 'Committed offsets, with lag in records and in time',
    params: { group: GroupId },
    query: { topic: Type.Optional(TopicName) },
    responses: { 200: answer('By topic and partition.', GroupOffsets) },
  }),
  commitOffsets: defineRoute({
    method: 'PUT',
    path: '/v1/groups/{group}/offsets',
    operationId: 'commitOffsets',
    tag: 'Groups',
    summary: 'Commit offsets: each is the next to read',
    description:
      'Without memberId only while the group has no members. With cumulative one that arrives late undoes no later one. 416 OFFSET_OUT_OF_RANGE: beyond the end of its partition.',
    params: { group: GroupId },
    body: document(CommitOffsets),
    responses: { 200: answer('In the order of the request.', CommitReply) },
  }),
  resetOffsets: defineRoute({
    method: 'POST',
    path: '/v1/groups/{group}/offsets/reset',
    operationId: 'resetOffsets',
    tag: 'Groups',
    summary: 'Go back, or forward, also while members run',
    description:
      'to: a position, {"shift": n}, or {"offsets": […]}. Without topics and partitions: every partition the group reads or has committed. Members go on from there; whatever they commit of before is refused.',
    params: { group: GroupId },
    body: document(ResetOffsets),
    responses: { 200: answer('From where to where.', ResetReply) },
  }),
} as const
