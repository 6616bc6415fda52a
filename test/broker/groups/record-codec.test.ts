/**
 * Any record of a group comes back from its bytes, and any bytes end in a record, in "not known here" or
 * in INVALID_RECORD: a damaged record of `__consumer_offsets` neither crashes a load nor swells it. That
 * the bytes are Kafka's is test/golden/group-golden.test.ts.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { GroupRecord } from '../../../broker/groups/records/group-record.ts'
import {
  decodeGroupRecord,
  encodeGroupRecord,
} from '../../../broker/groups/records/record-codec.ts'
import { SpoolError } from '../../../client/api/errors.ts'

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const count = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const time = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value))
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null })
const topicId = fc.uuid().filter((id) => id !== '00000000-0000-0000-0000-000000000000')

const topicPartitions = fc.record({ topicId, partitions: fc.array(count, { maxLength: 6 }) })
const epochPartitions = fc
  .record({
    topicId,
    pairs: fc.array(fc.tuple(count, count), { maxLength: 6 }),
    kept: fc.boolean(),
  })
  .map(({ topicId, pairs, kept }) => ({
    topicId,
    partitions: pairs.map(([partition]) => partition),
    assignmentEpochs: kept ? pairs.map(([, epoch]) => epoch) : null,
  }))

const VALUES = {
  offsetCommit: fc.record({
    offset: time,
    leaderEpoch: int32,
    metadata: text,
    commitTimestampMs: time,
    topicId: maybe(topicId),
  }),
  classicGroup: fc.record({
    protocolType: text,
    generation: int32,
    protocol: maybe(text),
    leader: maybe(text),
    currentStateTimestampMs: time,
    members: fc.array(
      fc.record({
        memberId: text,
        groupInstanceId: maybe(text),
        clientId: text,
        clientHost: text,
        rebalanceTimeoutMs: int32,
        sessionTimeoutMs: int32,
        subscription: bytes,
        assignment: bytes,
      }),
      { maxLength: 3 },
    ),
  }),
  groupEpoch: fc.record({
    epoch: int32,
    metadataHash: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  partitionMetadata: fc.record({
    topics: fc.array(fc.record({ topicId, topicName: text, partitions: count }), { maxLength: 4 }),
  }),
  memberMetadata: fc.record({
    instanceId: maybe(text),
    rackId: maybe(text),
    clientId: text,
    clientHost: text,
    subscribedTopicNames: fc.array(text, { maxLength: 4 }),
    subscribedTopicRegex: maybe(text),
    rebalanceTimeoutMs: int32,
    serverAssignor: maybe(text),
    classic: maybe(
      fc.record({
        sessionTimeoutMs: int32,
        supportedProtocols: fc.array(fc.record({ name: text, metadata: bytes }), { maxLength: 3 }),
      }),
    ),
    sessionTimeoutMs: maybe(int32),
  }),
  targetEpoch: fc.record({ assignmentEpoch: int32, assignmentTimestampMs: time }),
  targetMember: fc.record({ topicPartitions: fc.array(topicPartitions, { maxLength: 4 }) }),
  currentAssignment: fc.record({
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: fc.constantFrom('stable', 'unrevokedPartitions', 'unreleasedPartitions', 'unknown'),
    assignedPartitions: fc.array(epochPartitions, { maxLength: 3 }),
    partitionsPendingRevocation: fc.array(epochPartitions, { maxLength: 3 }),
  }),
  pattern: fc.record({
    topics: fc.array(text, { maxLength: 4 }),
    version: time,
    timestampMs: time,
  }),
}

/** Beside the group id, what the key of each kind holds. */
const KEYS: Readonly<Record<string, fc.Arbitrary<object>>> = {
  offsetCommit: fc.record({ topic: text, partition: count }),
  memberMetadata: fc.record({ memberId: text }),
  targetMember: fc.record({ memberId: text }),
  currentAssignment: fc.record({ memberId: text }),
  pattern: fc.record({ pattern: text }),
}

const record = fc.oneof(
  ...Object.entries(VALUES).map(([kind, value]) =>
    fc
      .tuple(text, KEYS[kind] ?? fc.constant({}), maybe(value as fc.Arbitrary<object>))
      .map(([groupId, key, value]) => ({ kind, groupId, ...key, value }) as GroupRecord),
  ),
)

test('any record comes back from its bytes', () => {
  fc.assert(
    fc.property(record, (original) => {
      const { key, value } = encodeGroupRecord(original)
      expect(decodeGroupRecord(key, value)).toEqual(original)
    }),
    { numRuns: 1_000 },
  )
})

test.each([31, 32, 33, 4_095, 5_000])(
  'a tagged field of %i epochs comes back, whatever its size takes',
  (count) => {
    const numbers = Array.from({ length: count }, (_, index) => index)
    const topic = { topicId: '01234567-89ab-4def-8123-456789abcdef', partitions: numbers }
    const original: GroupRecord = {
      kind: 'currentAssignment',
      groupId: 'g',
      memberId: 'm',
      value: {
        memberEpoch: 3,
        previousMemberEpoch: 2,
        state: 'stable',
        assignedPartitions: [{ ...topic, assignmentEpochs: numbers }],
        partitionsPendingRevocation: [{ ...topic, assignmentEpochs: numbers }],
      },
    }
    const { key, value } = encodeGroupRecord(original)
    expect(decodeGroupRecord(key, value)).toEqual(original)
  },
)

function decodeOrRefuse(key: Uint8Array, value: Uint8Array | null): GroupRecord | undefined {
  try {
    return decodeGroupRecord(key, value)
  } catch (error) {
    expect(error).toBeInstanceOf(SpoolError)
    expect((error as SpoolError).code).toBe('INVALID_RECORD')
    return undefined
  }
}

test('a record cut short or changed is refused, or is another record', () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() })
  const damaged = (
    bytes: Buffer,
    { at, byte, cut }: { at: number; byte: number; cut: boolean },
  ) => {
    const place = at % bytes.length
    if (cut) return bytes.subarray(0, place)
    const changed = Buffer.from(bytes)
    changed[place] = byte
    return changed
  }
  fc.assert(
    fc.property(record, damage, fc.boolean(), (original, harm, isKey) => {
      const { key, value } = encodeGroupRecord(original)
      if (isKey || value === null) decodeOrRefuse(damaged(key, harm), value)
      else decodeOrRefuse(key, damaged(value, harm))
    }),
    { numRuns: 3_000 },
  )
})

test('any bytes at all are a record, unknown or refused', () => {
  const anyBytes = fc.uint8Array({ maxLength: 200 })
  const key = fc
    .tuple(fc.integer({ min: -1, max: 20 }), anyBytes)
    .map(([schema, rest]) => Buffer.from([(schema >> 8) & 0xff, schema & 0xff, ...rest]))
  fc.assert(
    fc.property(fc.oneof(key, anyBytes), maybe(anyBytes), (keyBytes, value) => {
      decodeOrRefuse(keyBytes, value)
    }),
    { numRuns: 3_000 },
  )
})

test.each([
  ['an array that claims more than there is', 'group', '0000ffffffff0f'],
  ['a text that claims more than there is', 'group', '0000020123456789abcdef0123456789abcdef00ff'],
])('%s is refused before room is made for it', (_, groupId, value) => {
  const { key } = encodeGroupRecord({ kind: 'pattern', groupId, pattern: 'p', value: null })
  expect(() => decodeGroupRecord(key, Buffer.from(value, 'hex'))).toThrow(/malformed/)
})

test('an offset beyond 2^53 is refused, not rounded', () => {
  const { key, value } = encodeGroupRecord({
    kind: 'offsetCommit',
    groupId: 'g',
    topic: 't',
    partition: 0,
    value: { offset: 1, leaderEpoch: 0, metadata: '', commitTimestampMs: 1, topicId: null },
  })
  value!.writeBigInt64BE(2n ** 53n, 2)
  expect(() => decodeGroupRecord(key, value)).toThrow(/9007199254740992 .* beyond 2\^53/)
})

test.each(['offsetCommit', 'classicGroup', 'pattern'])(
  'a version of a value from the future is refused: %s',
  (kind) => {
    const { key } = encodeGroupRecord({
      kind,
      groupId: 'g',
      topic: 't',
      partition: 0,
      pattern: 'p',
      value: null,
    } as GroupRecord)
    expect(() => decodeGroupRecord(key, Buffer.from([0, 9, 0, 0]))).toThrow(/version 9/)
  },
)

test('a key from the future is skipped, whatever its value', () => {
  expect(decodeGroupRecord(Buffer.from([0, 99, 1, 2]), Buffer.from([1]))).toBeUndefined()
})
