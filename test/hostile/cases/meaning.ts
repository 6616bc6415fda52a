/** Requests that are well formed and mean what must not be: acks, sequences, offsets, bounds, epochs, replicas. */

import type { ErrorCode } from '../../../client/api/errors.ts'
import { batchOf, keylessBatch, producedBy } from '../bad-batches.ts'
import { fetchMany, fetchOf, type Place, produce } from '../binary-requests.ts'
import {
  type CaseGroup,
  expecting,
  type HostileCase,
  postJson,
  request,
  type Sent,
} from '../hostile-case.ts'

const OTHER_ID = '00000000-0000-4000-8000-000000000000'
const INT32_MAX = 2 ** 31 - 1
const taken = { topic: 'taken' }

const place = (name: string, where: Place, code: ErrorCode, status = 200) =>
  expecting(`produce to ${name}`, produce(batchOf(), where), status, code)
const envelope = (name: string, more: object, code: ErrorCode) =>
  expecting(`produce with ${name}`, produce(batchOf(), {}, more), 400, code)

export const PRODUCE_MEANING: CaseGroup = {
  name: 'what a produce may ask',
  cases: [
    envelope('acks 2', { acks: 2 }, 'INVALID_REQUIRED_ACKS'),
    envelope('acks -1', { acks: -1 }, 'INVALID_REQUIRED_ACKS'),
    envelope('acks "1"', { acks: '1' }, 'INVALID_REQUIRED_ACKS'),
    envelope('acks null', { acks: null }, 'INVALID_REQUIRED_ACKS'),
    envelope('timeoutMs 0', { timeoutMs: 0 }, 'INVALID_REQUEST'),
    envelope('timeoutMs -1', { timeoutMs: -1 }, 'INVALID_REQUEST'),
    envelope('timeoutMs 2^31', { timeoutMs: 2 ** 31 }, 'INVALID_REQUEST'),
    envelope('timeoutMs 1.5', { timeoutMs: 1.5 }, 'INVALID_REQUEST'),
    expecting(
      'produce with acks 0 and an error: it is told',
      produce(batchOf(), { partition: 9 }, { acks: 0 }),
      200,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
    place('partition -1', { partition: -1 }, 'INVALID_REQUEST', 400),
    place('partition 2^31', { partition: 2 ** 31 }, 'INVALID_REQUEST', 400),
    place('partition 0.5', { partition: 0.5 }, 'INVALID_REQUEST', 400),
    place('partition "0"', { partition: '0' }, 'INVALID_REQUEST', 400),
    place('partition 2^31-1', { partition: INT32_MAX }, 'UNKNOWN_TOPIC_OR_PARTITION'),
    place('a topic that is not there', { topic: 'nowhere' }, 'UNKNOWN_TOPIC_OR_PARTITION'),
    ...['', '.', '..', '../x', 'a/b', 'a\0b', 'a'.repeat(250), 'аdmin', '\u001b[2J'].map((topic) =>
      place(
        `the topic ${JSON.stringify(topic.slice(0, 20))}`,
        { topic },
        'INVALID_TOPIC_EXCEPTION',
        400,
      ),
    ),
    expecting(
      'produce a record without a key to a compacted topic',
      produce(keylessBatch(), { topic: 'keyed' }),
      200,
      'INVALID_RECORD',
      { has: /refused/ },
    ),
    place('an internal topic', { topic: '__consumer_offsets' }, 'UNKNOWN_TOPIC_OR_PARTITION'),
    place('a topic of another id', { topicId: OTHER_ID }, 'INCONSISTENT_TOPIC_ID'),
    place('a topic id that is none', { topicId: '../..' }, 'INVALID_REQUEST', 400),
  ],
}

/** Sends batches of a producer one after the other; the last one is judged. */
function sequence(
  name: string,
  batches: readonly (readonly [id: number, epoch: number, sequence: number, records?: number])[],
  expected: ErrorCode | RegExp,
): HostileCase {
  const sends = batches.map((each) => produce(producedBy(...each), taken))
  const right =
    typeof expected === 'string' ? { code: expected } : { has: expected, hasNot: /error/ }
  return { name, sends, expected: { status: 200, ...right } }
}

const stamped = (id: number, epoch: number | string, first: number | string): Sent =>
  request('POST /v1/topics/taken/records?partition=0', {
    headers: {
      'content-type': 'application/json',
      'spool-producer-id': String(id),
      'spool-producer-epoch': String(epoch),
      'spool-sequence': String(first),
    },
    body: '{"value":1}',
  })

const DUPLICATE = /duplicate/
const APPENDED = /baseOffset/
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

export const PRODUCERS: CaseGroup = {
  name: 'sequences of producers',
  cases: [
    sequence('an unknown producer begins anywhere', [[9_001, 0, 77]], APPENDED),
    sequence(
      'a gap',
      [
        [9_002, 0, 0],
        [9_002, 0, 2],
      ],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'a step back',
      [
        [9_003, 0, 5],
        [9_003, 0, 4],
      ],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'half a repeat',
      [
        [9_004, 0, 0, 3],
        [9_004, 0, 1, 2],
      ],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'a repeat that is longer',
      [
        [9_005, 0, 0, 2],
        [9_005, 0, 0, 3],
      ],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'a repeat',
      [
        [9_006, 0, 0],
        [9_006, 0, 0],
      ],
      DUPLICATE,
    ),
    sequence(
      'the fifth last, again',
      [...range(5).map((i) => [9_007, 0, i] as const), [9_007, 0, 0]],
      DUPLICATE,
    ),
    sequence(
      'the eighth last, again',
      [...range(8).map((i) => [9_008, 0, i] as const), [9_008, 0, 0]],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'a new epoch that begins at 1',
      [
        [9_009, 0, 0],
        [9_009, 1, 1],
      ],
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ),
    sequence(
      'a new epoch that begins at 0',
      [
        [9_010, 0, 0],
        [9_010, 1, 0],
      ],
      APPENDED,
    ),
    sequence(
      'an old epoch',
      [
        [9_011, 5, 0],
        [9_011, 4, 0],
      ],
      'INVALID_PRODUCER_EPOCH',
    ),
    sequence(
      'the sequence wraps to 0',
      [
        [9_012, 0, INT32_MAX],
        [9_012, 0, 0],
      ],
      APPENDED,
    ),
    sequence(
      'the sequence wraps inside a batch',
      [
        [9_013, 0, INT32_MAX, 3],
        [9_013, 0, 2],
      ],
      APPENDED,
    ),
    expecting('over HTTP, an epoch of -1', stamped(9_014, -1, 0), 400, 'INVALID_REQUEST'),
    expecting('over HTTP, an epoch of 32768', stamped(9_014, 32_768, 0), 400, 'INVALID_REQUEST'),
    expecting('over HTTP, a sequence of 2^31', stamped(9_014, 0, 2 ** 31), 400, 'INVALID_REQUEST'),
    expecting('over HTTP, a sequence of 1e3', stamped(9_014, 0, '1e3'), 400, 'INVALID_REQUEST'),
    expecting('over HTTP, an id of 2^53', stamped(2 ** 53, 0, 0), 400, 'INVALID_REQUEST'),
    {
      name: 'over HTTP, a gap',
      sends: [stamped(9_015, 0, 0), stamped(9_015, 0, 9)],
      expected: { status: 409, code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' },
    },
    {
      name: 'over HTTP, an old epoch',
      sends: [stamped(9_016, 3, 0), stamped(9_016, 2, 1)],
      expected: { status: 409, code: 'INVALID_PRODUCER_EPOCH' },
    },
    expecting(
      'an expected offset that is not the next',
      postJson('/v1/topics/taken/records?partition=0&expectOffset=9007199254740991', '{"value":1}'),
      412,
      'OFFSET_MISMATCH',
    ),
  ],
}

const fetch = (name: string, partition: object, more: object, status: number, code: ErrorCode) =>
  expecting(`fetch with ${name}`, fetchOf(partition, more), status, code)

export const FETCH_MEANING: CaseGroup = {
  name: 'what a fetch may ask',
  cases: [
    fetch('maxBytes -1', {}, { maxBytes: -1 }, 400, 'INVALID_REQUEST'),
    fetch('maxBytes 2^31-1', {}, { maxBytes: INT32_MAX }, 400, 'INVALID_REQUEST'),
    fetch('maxBytes 2^60', {}, { maxBytes: 2n ** 60n }, 400, 'INVALID_REQUEST'),
    fetch('maxBytes 2^31-1 of a partition', { maxBytes: INT32_MAX }, {}, 400, 'INVALID_REQUEST'),
    fetch('maxBytes NaN', { maxBytes: Number.NaN }, {}, 400, 'INVALID_REQUEST'),
    fetch('minBytes above maxBytes', {}, { minBytes: 2 << 20 }, 400, 'INVALID_REQUEST'),
    fetch('minBytes -1', {}, { minBytes: -1 }, 400, 'INVALID_REQUEST'),
    fetch('maxWaitMs 2^31-1', {}, { maxWaitMs: INT32_MAX }, 400, 'INVALID_REQUEST'),
    fetch('maxWaitMs -1', {}, { maxWaitMs: -1 }, 400, 'INVALID_REQUEST'),
    fetch('maxWaitMs 1e12', {}, { maxWaitMs: 1e12 }, 400, 'INVALID_REQUEST'),
    fetch('an unknown isolation', {}, { isolation: 'none' }, 400, 'INVALID_REQUEST'),
    fetch('offset -5', { offset: -5 }, {}, 400, 'INVALID_REQUEST'),
    fetch('offset 0.5', { offset: 0.5 }, {}, 400, 'INVALID_REQUEST'),
    fetch('offset 2^53', { offset: 2n ** 53n }, {}, 400, 'INVALID_REQUEST'),
    fetch('an offset below what is kept', { offset: 3 }, {}, 200, 'OFFSET_OUT_OF_RANGE'),
    fetch('an offset beyond the end', { offset: 11 }, {}, 200, 'OFFSET_OUT_OF_RANGE'),
    fetch(
      'an offset of 2^53-1',
      { offset: BigInt(Number.MAX_SAFE_INTEGER) },
      {},
      200,
      'OFFSET_OUT_OF_RANGE',
    ),
    fetch(
      'an offset beyond the end, waiting',
      { offset: 11 },
      { maxWaitMs: 30_000 },
      200,
      'OFFSET_OUT_OF_RANGE',
    ),
    fetch('partition -1', { partition: -1 }, {}, 400, 'INVALID_REQUEST'),
    fetch('partition 2^31-1', { partition: INT32_MAX }, {}, 200, 'UNKNOWN_TOPIC_OR_PARTITION'),
    fetch('a topic that is not there', { topic: 'nowhere' }, {}, 200, 'UNKNOWN_TOPIC_OR_PARTITION'),
    fetch('the topic ../x', { topic: '../x' }, {}, 400, 'INVALID_TOPIC_EXCEPTION'),
    fetch('another topic id', { topicId: OTHER_ID }, {}, 200, 'INCONSISTENT_TOPIC_ID'),
    fetch('an old leader epoch', { currentLeaderEpoch: 0 }, {}, 200, 'FENCED_LEADER_EPOCH'),
    fetch(
      'a leader epoch to come',
      { currentLeaderEpoch: 1_000_000 },
      {},
      200,
      'UNKNOWN_LEADER_EPOCH',
    ),
    fetch('a leader epoch of -2', { currentLeaderEpoch: -2 }, {}, 400, 'INVALID_REQUEST'),
    fetch('a replica id of 0', {}, { replicaId: 0 }, 403, 'CLUSTER_AUTHORIZATION_FAILED'),
    fetch('a replica id of 2', {}, { replicaId: 2 }, 403, 'CLUSTER_AUTHORIZATION_FAILED'),
    fetch('a replica id of -2', {}, { replicaId: -2 }, 400, 'INVALID_REQUEST'),
    fetch('a broker epoch', {}, { brokerEpoch: 1 }, 403, 'CLUSTER_AUTHORIZATION_FAILED'),
    fetch('lastFetchedEpoch', { lastFetchedEpoch: 0 }, {}, 403, 'CLUSTER_AUTHORIZATION_FAILED'),
    fetch('flushedOffset', { flushedOffset: 5 }, {}, 403, 'CLUSTER_AUTHORIZATION_FAILED'),
    expecting('fetch of one partition twice', fetchMany([{}, {}]), 400, 'INVALID_REQUEST'),
    expecting(
      'fetch of 10,001 partitions',
      fetchMany(range(10_001).map((partition) => ({ partition }))),
      400,
      'INVALID_REQUEST',
    ),
    expecting(
      'fetch of 9,000 partitions that are not there',
      fetchMany(range(9_000).map((partition) => ({ topic: 'nowhere', partition }))),
      200,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
    expecting(
      'maxBytes 0 still gives a whole batch',
      fetchOf({ maxBytes: 0 }, { maxBytes: 0, minBytes: 0 }),
      200,
      undefined,
      { has: /highWatermark/, hasNot: /error/ },
    ),
  ],
}
