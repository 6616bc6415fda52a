/**
 * The view over a batch: each field at its documented place, the bytes a leader may change, and what a
 * scan of a file says about bytes that are no batch.
 */

import { describe, expect, test } from 'vitest'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import {
  headerProblem,
  peekBatchSize,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatch,
} from '../../../storage/record/record-batch.ts'

function threeRecords(): Buffer {
  const builder = new BatchBuilder({
    compression: 'none',
    producerId: 77,
    producerEpoch: 2,
    baseSequence: 10,
  })
  for (const timestamp of [1000, 3000, 2000]) builder.append(timestamp, null, Buffer.from('v'))
  return builder.build()
}

test('every field stands where Kafka’s documentation puts it', () => {
  const bytes = Buffer.alloc(RECORD_BATCH_HEADER_BYTES)
  bytes.writeBigInt64BE(1_000_000_000_001n, 0)
  bytes.writeInt32BE(49, 8)
  bytes.writeInt32BE(3, 12)
  bytes.writeInt8(2, 16)
  bytes.writeUInt32BE(0xfedcba98, 17)
  bytes.writeInt16BE(0x3b, 21)
  bytes.writeInt32BE(9, 23)
  bytes.writeBigInt64BE(1_700_000_000_000n, 27)
  bytes.writeBigInt64BE(1_700_000_000_009n, 35)
  bytes.writeBigInt64BE(8_000_000_000n, 43)
  bytes.writeInt16BE(6, 51)
  bytes.writeInt32BE(100, 53)
  bytes.writeInt32BE(10, 57)
  const batch = new RecordBatch(bytes)
  expect([batch.baseOffset, batch.lastOffset, batch.nextOffset]).toEqual([
    1_000_000_000_001, 1_000_000_000_010, 1_000_000_000_011,
  ])
  expect([batch.sizeBytes, peekBatchSize(bytes, 0)]).toEqual([61, 61])
  expect([batch.leaderEpoch, batch.magic, batch.crc]).toEqual([3, 2, 0xfedcba98])
  expect([batch.attributes, batch.compression, batch.timestampType]).toEqual([
    0x3b,
    'lz4',
    'LogAppendTime',
  ])
  expect([batch.isTransactional, batch.isControl, batch.lastOffsetDelta]).toEqual([true, true, 9])
  expect([batch.baseTimestamp, batch.maxTimestamp]).toEqual([1_700_000_000_000, 1_700_000_000_009])
  expect([batch.producerId, batch.producerEpoch]).toEqual([8_000_000_000, 6])
  expect([batch.baseSequence, batch.lastSequence, batch.recordCount]).toEqual([100, 109, 10])
})

test('a batch without a producer has no last sequence; with one it wraps to 0', () => {
  const bytes = threeRecords()
  const batch = new RecordBatch(bytes)
  bytes.writeInt32BE(-1, 53)
  expect(batch.lastSequence).toBe(-1)
  bytes.writeInt32BE(2 ** 31 - 3, 53)
  expect(batch.lastSequence).toBe(2 ** 31 - 1)
  bytes.writeInt32BE(2 ** 31 - 2, 53)
  expect(batch.lastSequence).toBe(0)
})

test('assigning offset and epoch changes 12 bytes, none under the CRC', () => {
  const bytes = threeRecords()
  const before = Buffer.from(bytes)
  const batch = new RecordBatch(bytes)
  batch.assign(toOffset(2 ** 40 + 5), 12)
  expect([batch.baseOffset, batch.leaderEpoch]).toEqual([2 ** 40 + 5, 12])
  expect(batch.hasValidCrc()).toBe(true)
  expect(bytes.subarray(8, 12)).toEqual(before.subarray(8, 12))
  expect(bytes.subarray(16)).toEqual(before.subarray(16))
})

test('append time sets the type, the largest timestamp and the CRC, nothing else', () => {
  const bytes = threeRecords()
  const before = Buffer.from(bytes)
  const batch = new RecordBatch(bytes)
  batch.setLogAppendTime(123_456_789_012)
  expect([batch.timestampType, batch.maxTimestamp]).toEqual(['LogAppendTime', 123_456_789_012])
  expect(batch.hasValidCrc()).toBe(true)
  expect(bytes.subarray(0, 17)).toEqual(before.subarray(0, 17))
  expect(bytes.subarray(23, 35)).toEqual(before.subarray(23, 35))
  expect(bytes.subarray(43)).toEqual(before.subarray(43))
})

test('a flipped bit from the attributes on is noticed', () => {
  const bytes = threeRecords()
  for (let at = 17; at < bytes.length; at++) {
    bytes[at]! ^= 0x10
    expect(new RecordBatch(bytes).hasValidCrc(), `byte ${at}`).toBe(false)
    bytes[at]! ^= 0x10
  }
})

test('compression codes nobody defined are an error, not a guess', () => {
  const bytes = threeRecords()
  for (const code of [5, 6, 7]) {
    bytes.writeInt16BE(code, 21)
    expect(() => new RecordBatch(bytes).compression).toThrow(`compression type ${code} is unknown`)
  }
})

describe('what a scan says about a header', () => {
  test('nothing, when it is one; also with records removed by compaction', () => {
    const bytes = threeRecords()
    expect(headerProblem(new RecordBatch(bytes))).toBeUndefined()
    expect(headerProblem(new RecordBatch(bytes.subarray(0, 61)))).toBeUndefined()
    bytes.writeInt32BE(0, 57)
    expect(headerProblem(new RecordBatch(bytes))).toBeUndefined()
  })

  test.each<[string, (bytes: Buffer) => void]>([
    ['magic', (bytes) => bytes.writeInt8(1, 16)],
    ['batch length', (bytes) => bytes.writeInt32BE(48, 8)],
    ['batch length', (bytes) => bytes.writeInt32BE(-1, 8)],
    ['base offset', (bytes) => bytes.writeBigInt64BE(-1n, 0)],
    ['base offset', (bytes) => bytes.writeBigInt64BE(2n ** 53n - 2n, 0)],
    ['base offset', (bytes) => bytes.writeBigInt64BE(2n ** 62n, 0)],
    ['last offset delta', (bytes) => bytes.writeInt32BE(-1, 23)],
    ['record count', (bytes) => bytes.writeInt32BE(-1, 57)],
    ['record count', (bytes) => bytes.writeInt32BE(4, 57)],
    ['producer id', (bytes) => bytes.writeBigInt64BE(-2n, 43)],
    ['producer id', (bytes) => bytes.writeBigInt64BE(2n ** 60n, 43)],
  ])('%s out of range', (field, spoil) => {
    const bytes = threeRecords()
    spoil(bytes)
    expect(headerProblem(new RecordBatch(bytes))).toContain(field)
  })

  test('zeros, ones and too few bytes', () => {
    for (const bytes of [
      Buffer.alloc(61),
      Buffer.alloc(61, 0xff),
      threeRecords().subarray(0, 60),
    ]) {
      expect(headerProblem(new RecordBatch(bytes))).toBeDefined()
    }
  })
})
