/** Consumer groups: names that are none, members that are not there, tokens nobody gave, commits that are not theirs. */

import { encodeToken } from '../../../broker/groups/tokens.ts'
import { encodePollToken } from '../../../broker/http/groups/poll-token.ts'
import type { ErrorCode } from '../../../client/api/errors.ts'
import {
  type CaseGroup,
  type Expected,
  expecting,
  type HostileCase,
  postJson,
  request,
  type Sent,
} from '../hostile-case.ts'

const MEMBERS = '/v1/groups/hostile/members'
const UUID = '00000000-0000-4000-8000-000000000000'
const JSON_HEADERS = { 'content-type': 'application/json' }

const put = (path: string, body: string) => request(`PUT ${path}`, { headers: JSON_HEADERS, body })
const text = (document: unknown) => JSON.stringify(document)

/** Where there is a group `hostile` with a member `one` that has everything of `taken`. */
function inGroup(
  name: string,
  sent: Sent,
  status: Expected['status'],
  code?: ErrorCode,
): HostileCase {
  const joined = postJson(MEMBERS, text({ memberId: 'one', topics: ['taken'] }))
  const { expected } = expecting(name, sent, status, code)
  return { name, sends: [joined, sent], expected }
}

const NAMES: readonly HostileCase[] = [
  ['a NUL', '%00'],
  ['a line break', 'a%0d%0ab'],
  ['an escape', '%1b[31m'],
  ['a C1 control', '%c2%9b'],
  ['250 characters', 'x'.repeat(250)],
  ['dots, encoded', '%2e%2e'],
].map(([name, group]) =>
  expecting(`a group named ${name}`, request(`GET /v1/groups/${group}`), [400, 404]),
)

const join = (name: string, document: unknown, code: ErrorCode, status = 400) =>
  expecting(`a join with ${name}`, postJson(MEMBERS, text(document)), status, code)

const manyTopics = (count: number, length: number) =>
  Array.from({ length: count }, (_, index) => `${index}-`.padEnd(length, 'x'))

const JOINS: readonly HostileCase[] = [
  join('nothing', {}, 'INVALID_REQUEST'),
  join('no topics', { topics: [] }, 'INVALID_REQUEST'),
  join('topics and a pattern', { topics: ['taken'], topicPattern: 'a' }, 'INVALID_REQUEST'),
  join('a path as topic', { topics: ['../x'] }, 'INVALID_TOPIC_EXCEPTION'),
  join('1,001 topics', { topics: manyTopics(1_001, 10) }, 'INVALID_REQUEST'),
  join('1.3 MB of topics', { topics: manyTopics(5_200, 249) }, 'REQUEST_TOO_LARGE', 413),
  join('half a pattern', { topicPattern: 'a(' }, 'INVALID_REGULAR_EXPRESSION'),
  join('a back reference', { topicPattern: '(a)\\1' }, 'INVALID_REGULAR_EXPRESSION'),
  join('look-ahead', { topicPattern: '(?=a)' }, 'INVALID_REGULAR_EXPRESSION'),
  join('a million repeats', { topicPattern: '(a{1000}){1000}' }, 'INVALID_REGULAR_EXPRESSION'),
  join('a pattern of 1,025', { topicPattern: 'a'.repeat(1_025) }, 'INVALID_REQUEST'),
  join('a session of 1 ms', { topics: ['t'], sessionTimeoutMs: 1 }, 'INVALID_SESSION_TIMEOUT'),
  join('a day', { topics: ['t'], sessionTimeoutMs: 86_400_000 }, 'INVALID_SESSION_TIMEOUT'),
  join('an unknown assignor', { topics: ['t'], assignor: 'sticky' }, 'UNSUPPORTED_ASSIGNOR'),
  join('an unknown field', { topics: ['t'], __proto: 1 }, 'INVALID_REQUEST'),
  join('an id of control characters', { topics: ['t'], memberId: 'a\u0007' }, 'INVALID_REQUEST'),
  join('from nowhere', { topics: ['t'], from: 'yesterday' }, 'INVALID_REQUEST'),
  expecting(
    'a stream of no topics',
    request('GET /v1/groups/hostile/records'),
    400,
    'INVALID_REQUEST',
  ),
  expecting(
    'a stream of topics with a path',
    request('GET /v1/groups/hostile/records?topics=taken,..%2fx'),
    400,
    'INVALID_TOPIC_EXCEPTION',
  ),
]

const beat = (document: unknown, member = 'one') =>
  postJson(`${MEMBERS}/${member}/heartbeat`, text(document))
const owned = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({ topic: 't', partition }))

const HEARTBEATS: readonly HostileCase[] = [
  inGroup('a heartbeat of nobody', beat({ memberEpoch: 1 }, 'x'), 404, 'UNKNOWN_MEMBER_ID'),
  inGroup('an epoch from before', beat({ memberEpoch: 0 }), 409, 'FENCED_MEMBER_EPOCH'),
  inGroup('an epoch to come', beat({ memberEpoch: 1_000 }), 409, 'FENCED_MEMBER_EPOCH'),
  inGroup('an epoch below all', beat({ memberEpoch: -1 }), 409, 'FENCED_MEMBER_EPOCH'),
  inGroup('an epoch of 2^53', beat({ memberEpoch: 2 ** 53 }), 400, 'INVALID_REQUEST'),
  inGroup('every partition owned', beat({ memberEpoch: 1_000, owned: owned(100) }), 409),
  inGroup(
    'one owned more than there may be',
    beat({ memberEpoch: 1, owned: owned(101) }),
    400,
    'INVALID_REQUEST',
  ),
  inGroup('10 MB of owned', beat({ memberEpoch: 1, owned: owned(250_000) }), 413),
  inGroup('owned that is none', beat({ memberEpoch: 1, owned: [{ topic: 't' }] }), 400),
]

const token = (offset: number, memberEpoch: number, memberId = 'one') =>
  encodeToken('hostile', { topicId: UUID, partition: 0, offset, memberId, memberEpoch })
const commit = (tokens: unknown) => postJson('/v1/groups/hostile/commit', text({ tokens }))
const offsets = (document: unknown) => put('/v1/groups/hostile/offsets', text(document))
const one = (place: object) => ({ memberId: 'one', memberEpoch: 1, offsets: [place] })

const COMMITS: readonly HostileCase[] = [
  inGroup('no tokens', commit([]), 400, 'INVALID_REQUEST'),
  inGroup('a token that is none', commit(['hello']), 400, 'INVALID_REQUEST'),
  inGroup('a token with a bit flipped', commit([`B${token(1, 1).slice(1)}`]), 400),
  inGroup('a token of 1,089', commit(['a'.repeat(1_089)]), 400, 'INVALID_REQUEST'),
  inGroup('10,001 tokens', commit(Array(10_001).fill('a')), 400, 'INVALID_REQUEST'),
  inGroup('a token of another group', commit([token(1, 1).split('').reverse().join('')]), 400),
  inGroup('a token of a topic nobody has', commit([token(1, 1)]), 404, 'UNKNOWN_TOPIC_ID'),
  inGroup(
    'a commit by nobody while there are members',
    offsets({ offsets: [{ topic: 'taken', partition: 0, offset: 1 }] }),
    409,
    'NON_EMPTY_GROUP',
  ),
  inGroup(
    'a commit by a stranger',
    offsets({
      memberId: 'x',
      memberEpoch: 1,
      offsets: [{ topic: 'taken', partition: 0, offset: 1 }],
    }),
    404,
    'UNKNOWN_MEMBER_ID',
  ),
  inGroup('an id without an epoch', offsets({ memberId: 'one', offsets: [] }), 400),
  inGroup(
    'a partition that is not its',
    offsets(one({ topic: 'untouched', partition: 0, offset: 1 })),
    409,
    'FENCED_MEMBER_EPOCH',
  ),
  inGroup('an offset of -1', offsets(one({ topic: 'taken', partition: 0, offset: -1 })), 400),
  inGroup(
    'an offset of 2^53',
    put(
      '/v1/groups/hostile/offsets',
      '{"memberId":"one","memberEpoch":1,"offsets":[{"topic":"taken","partition":0,"offset":9007199254740993}]}',
    ),
    400,
  ),
  inGroup(
    '4,097 characters of metadata',
    offsets(one({ topic: 'taken', partition: 0, offset: 1, metadata: 'm'.repeat(4_097) })),
    400,
  ),
  inGroup(
    '8 KB of metadata in 4,096 characters',
    offsets(one({ topic: 'taken', partition: 0, offset: 1, metadata: 'ü'.repeat(4_096) })),
    [400, 413],
  ),
]

const poll = (document: unknown) => postJson(`${MEMBERS}/one/poll`, text(document))
const pollToken = (memberId: string, memberEpoch: number, partitions = 1) =>
  encodePollToken('hostile', {
    memberId,
    memberEpoch,
    turn: 0,
    places: Array.from({ length: partitions }, (_, partition) => ({
      topicId: UUID,
      partition,
      offset: 1,
    })),
  })

const POLLS: readonly HostileCase[] = [
  inGroup('a token of another member', poll({ after: pollToken('two', 1) }), 409),
  inGroup('an epoch to come, in a token', poll({ after: pollToken('one', 9_999) }), 409),
  inGroup('a token that is none', poll({ after: 'AAAA' }), 400, 'INVALID_REQUEST'),
  inGroup('a token of 300 KB', poll({ after: 'A'.repeat(300_000) }), 400, 'INVALID_REQUEST'),
  inGroup('every place, of no topic', poll({ commit: pollToken('one', 1, 100) }), 200),
  inGroup('one place more', poll({ commit: pollToken('one', 1, 101) }), 400, 'INVALID_REQUEST'),
  inGroup('a limit of 10^9', poll({ limit: 1e9 }), 400, 'INVALID_REQUEST'),
  inGroup('a wait of a day', poll({ waitMs: 86_400_000 }), 400, 'INVALID_REQUEST'),
]

const reset = (document: unknown) => postJson('/v1/groups/hostile/offsets/reset', text(document))

const RESETS: readonly HostileCase[] = [
  inGroup('to nowhere', reset({ to: 'yesterday' }), 400, 'INVALID_REQUEST'),
  inGroup('to a shift that is none', reset({ to: { shift: 0.5 } }), 400, 'INVALID_REQUEST'),
  inGroup('of a topic that is not there', reset({ topics: ['nope'], to: 'earliest' }), 404),
  inGroup('of an offset over two partitions', reset({ topics: ['untouched'], to: '1' }), 400),
  inGroup(
    'of one partition twice',
    reset({
      to: {
        offsets: [0, 1].map((offset) => ({ topic: 'taken', partition: 0, offset })),
      },
    }),
    400,
    'INVALID_REQUEST',
  ),
  expecting('of no group', postJson('/v1/groups/nobody/offsets/reset', '{"to":"latest"}'), 404),
]

const OWN_TOPIC = '/v1/topics/__consumer_offsets'
const PROTECTED: readonly HostileCase[] = [
  expecting(
    'a record for the groups’ own topic',
    postJson(`${OWN_TOPIC}/records`, '{"value":1}'),
    [400, 403],
  ),
  expecting(
    'trimming it',
    request(`DELETE ${OWN_TOPIC}/partitions/0/records?before=0`),
    [400, 403],
  ),
  expecting('deleting it', request(`DELETE ${OWN_TOPIC}`), [400, 403]),
  expecting(
    'growing it',
    request(`PATCH ${OWN_TOPIC}`, { headers: JSON_HEADERS, body: '{"partitions":9}' }),
    [400, 403],
  ),
  inGroup('deleting a group that works', request('DELETE /v1/groups/hostile'), 409),
]

export const CONSUMER_GROUPS: CaseGroup = {
  name: 'consumer groups',
  cases: [...NAMES, ...JOINS, ...HEARTBEATS, ...COMMITS, ...POLLS, ...RESETS, ...PROTECTED],
}
