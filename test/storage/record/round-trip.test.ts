/**
 * What is appended to a builder is what a reader gets, for any records and any codec; and whatever the
 * bytes have become, a reader gives records or a StorageError.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../storage/errors.ts'
import { type BatchLimits, validateProducedBatch } from '../../../storage/log/batch-validator.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { RecordCursor, readRecords } from '../../../storage/record/batch-reader.ts'
import { COMPRESSION_NAMES, type CompressionName } from '../../../storage/record/compression.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'

const READ = { maxDecompressedBytes: 1 << 22 }
const LIMITS: BatchLimits = {
  ...READ,
  maxMessageBytes: 1 << 22,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 2 ** 52,
  now: 2 ** 52,
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const field = fc.option(bytes, { freq: 4 })
const record = fc.record({
  timestamp: fc.oneof(fc.nat(2 ** 31 - 1), fc.maxSafeNat()),
  key: field,
  value: field,
  headers: fc.array(fc.record({ name: bytes, value: field }), { maxLength: 4 }),
})
const records = fc.array(record, { minLength: 1, maxLength: 40 })
const codec = fc.constantFrom(...COMPRESSION_NAMES)

type Records = typeof records extends fc.Arbitrary<infer T> ? T : never

function build(list: Records, compression: CompressionName, initialBytes = 1): Buffer {
  const builder = new BatchBuilder({ compression, initialBytes })
  for (const { timestamp, key, value, headers } of list) {
    builder.append(timestamp, key, value, headers)
  }
  expect(builder.recordCount).toBe(list.length)
  return builder.build()
}

test('any records, any codec', () => {
  fc.assert(
    fc.property(records, codec, fc.nat(2 ** 50), (list, compression, baseOffset) => {
      const batch = new RecordBatch(build(list, compression))
      batch.assign(toOffset(baseOffset), 3)
      const read = [...readRecords(batch, READ)]
      expect(read).toEqual(list.map((item, index) => ({ ...item, offset: baseOffset + index })))
      expect(batch.recordCount).toBe(list.length)
      expect(batch.maxTimestamp).toBe(Math.max(...list.map((item) => item.timestamp)))
      expect(batch.compression).toBe(compression)
    }),
    { numRuns: 300 },
  )
})

test('what we build passes the leader unchanged', () => {
  fc.assert(
    fc.property(records, codec, (list, compression) => {
      const batch = build(list, compression)
      const before = Buffer.from(batch)
      expect(validateProducedBatch(batch, LIMITS).recordCount).toBe(list.length)
      expect(batch.equals(before)).toBe(true)
    }),
    { numRuns: 100 },
  )
})

test('a builder is used again after reset, and its batches stay as they were', () => {
  const builder = new BatchBuilder({
    compression: 'none',
    producerId: 5,
    producerEpoch: 0,
    baseSequence: 0,
  })
  builder.append(9, Buffer.from('a'), Buffer.from('first'))
  expect(builder.sizeBytes).toBe(builder.build().length)
  const first = new RecordBatch(builder.build())
  builder.reset(1)
  expect([builder.recordCount, builder.sizeBytes]).toEqual([0, 61])
  builder.append(4, null, Buffer.from('second'))
  const second = new RecordBatch(builder.build())
  expect([...readRecords(first, READ)][0]?.value?.toString()).toBe('first')
  expect([...readRecords(second, READ)][0]?.value?.toString()).toBe('second')
  expect([first.baseSequence, second.baseSequence]).toEqual([0, 1])
  expect([first.maxTimestamp, second.maxTimestamp]).toEqual([9, 4])
  expect([first.baseOffset, first.leaderEpoch]).toEqual([0, -1])
})

test('no batch without records, no record without a sane timestamp', () => {
  const builder = new BatchBuilder({ compression: 'lz4' })
  expect(() => builder.build()).toThrow(/at least one record/)
  for (const timestamp of [0.5, Number.NaN, 2 ** 53]) {
    expect(() => builder.append(timestamp, null, null)).toThrow(RangeError)
  }
  expect(builder.recordCount).toBe(0)
})

describe('a cursor', () => {
  test('gives places in its bytes, and -1 for null', () => {
    const list = [
      { timestamp: 1, key: null, value: Buffer.from('value'), headers: [] },
      { timestamp: 2, key: Buffer.from('key'), value: null, headers: [] },
    ]
    const cursor = new RecordCursor(new RecordBatch(build(list, 'snappy')), READ)
    expect(cursor.next()).toBe(true)
    expect([cursor.keyStart, cursor.keyEnd]).toEqual([-1, -1])
    expect(cursor.bytes.toString('latin1', cursor.valueStart, cursor.valueEnd)).toBe('value')
    expect(cursor.next()).toBe(true)
    expect(cursor.bytes.toString('latin1', cursor.keyStart, cursor.keyEnd)).toBe('key')
    expect([cursor.offset, cursor.timestamp, cursor.valueStart, cursor.headerCount]).toEqual([
      1, 2, -1, 0,
    ])
    expect(cursor.next()).toBe(false)
    expect(cursor.next()).toBe(false)
  })

  test('accepts the gaps and the emptiness compaction leaves', () => {
    const list = [0, 1, 2].map((timestamp) => ({ timestamp, key: null, value: null, headers: [] }))
    const whole = build(list, 'none')
    // Records of 7 bytes each: keep the first and the last.
    const kept = Buffer.concat([whole.subarray(0, 61 + 7), whole.subarray(61 + 14)])
    kept.writeInt32BE(kept.length - 12, 8)
    kept.writeInt32BE(2, 57)
    expect(whole.length).toBe(61 + 3 * 7)
    expect([...readRecords(reseal(kept), READ)].map((item) => item.offset)).toEqual([0, 2])

    const emptied = Buffer.from(build(list, 'lz4').subarray(0, 61))
    emptied.writeInt32BE(49, 8)
    emptied.writeInt32BE(0, 57)
    expect([...readRecords(reseal(emptied), READ)]).toEqual([])
  })

  test('believes nothing before the CRC', () => {
    const batch = build([{ timestamp: 1, key: null, value: null, headers: [] }], 'none')
    batch[batch.length - 1]! ^= 1
    expect(() => new RecordCursor(new RecordBatch(batch), READ)).toThrow(/CRC/)
  })
})

/** With the CRC the bytes now have. */
function reseal(bytes: Buffer): RecordBatch {
  const batch = new RecordBatch(bytes)
  bytes.writeUInt32BE(batch.computeCrc(), 17)
  return batch
}

test('any mutation: reader and leader give a value or a StorageError, and the leader lets in only what reads', () => {
  const mutation = fc.tuple(fc.nat(4000), fc.nat(255))
  fc.assert(
    fc.property(
      records,
      codec,
      fc.array(mutation, { maxLength: 5 }),
      fc.boolean(),
      (list, compression, changes, seal) => {
        const mutated = build(list, compression)
        // Also into the header from the attributes on, but not into length or magic: those come below.
        for (const [at, value] of changes) mutated[21 + (at % (mutated.length - 21))] = value
        if (seal) reseal(mutated)
        const accepted = storageErrorOr(() => validateProducedBatch(mutated, LIMITS))
        const read = storageErrorOr(() => [...readRecords(new RecordBatch(mutated), READ)])
        if (!(accepted instanceof StorageError)) {
          expect(read).toHaveLength(accepted.recordCount)
          for (const item of read as { timestamp: number }[]) {
            expect(Number.isSafeInteger(item.timestamp)).toBe(true)
          }
        } else {
          expect(accepted.outcome).toBe('refused')
        }
      },
    ),
    { numRuns: 1500 },
  )
})

test('any bytes at all, of any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 150 }), fc.boolean(), (array, dressed) => {
      const candidate = Buffer.from(array)
      if (dressed && candidate.length >= 61) {
        candidate.writeInt32BE(candidate.length - 12, 8)
        candidate[16] = 2
        reseal(candidate)
      }
      storageErrorOr(() => validateProducedBatch(candidate, LIMITS))
      storageErrorOr(() => [...readRecords(new RecordBatch(candidate), READ)])
    }),
    { numRuns: 1500 },
  )
})

/** Anything else that is thrown is a failure. */
function storageErrorOr<T>(action: () => T): T | StorageError {
  try {
    return action()
  } catch (error) {
    if (error instanceof StorageError) return error
    throw error
  }
}
