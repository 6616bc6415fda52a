/**
 * The leader's check, case by case: what it lets in, what it refuses and with which code, what it
 * corrects. Any-bytes properties are in `record/round-trip.test.ts`.
 */

import { describe, expect, test } from 'vitest'
import { StorageError } from '../../../storage/errors.ts'
import { type BatchLimits, validateProducedBatch } from '../../../storage/log/batch-validator.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import {
  COMPRESSION_NAMES,
  type CompressionName,
  compress,
} from '../../../storage/record/compression.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'

const NOW = 1_700_000_000_000
const HOUR_MS = 3_600_000
const LIMITS: BatchLimits = {
  maxMessageBytes: 10_000,
  maxDecompressedBytes: 100_000,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: HOUR_MS,
  now: NOW,
}

interface Making {
  compression?: CompressionName
  timestamps?: readonly number[]
  key?: Buffer | null
  producer?: { producerId: number; producerEpoch: number; baseSequence: number }
}

function make({
  compression = 'none',
  timestamps = [NOW, NOW + 5, NOW - 9],
  key = null,
  producer,
}: Making = {}) {
  const builder = new BatchBuilder({ compression, ...producer })
  for (const timestamp of timestamps) builder.append(timestamp, key, Buffer.from('value'))
  return builder.build()
}

/** `bytes` changed, then given the CRC that fits. */
function spoiled(change: (bytes: Buffer) => void, bytes = make()): Buffer {
  change(bytes)
  return sealed(bytes)
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(new RecordBatch(bytes).computeCrc(), 17)
  return bytes
}

/** A batch announcing `count` records whose (decompressed) record bytes are given. */
function withRecords(
  records: Buffer,
  count: number,
  compression: CompressionName = 'none',
): Buffer {
  const header = make({ compression }).subarray(0, 61)
  const bytes = Buffer.concat([header, compress(compression, records)])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(count - 1, 23)
  bytes.writeInt32BE(count, 57)
  return sealed(bytes)
}

function refusal(bytes: Buffer, limits: Partial<BatchLimits> = {}): StorageError {
  try {
    validateProducedBatch(bytes, { ...LIMITS, ...limits })
  } catch (error) {
    if (error instanceof StorageError) {
      expect(error.outcome).toBe('refused')
      return error
    }
    throw error
  }
  throw new Error('the batch was accepted')
}

test.each(COMPRESSION_NAMES)('a good %s batch is let in as it is', (compression) => {
  const bytes = make({ compression })
  const before = Buffer.from(bytes)
  const { batch, recordCount, decompressedBytes } = validateProducedBatch(bytes, LIMITS)
  expect([recordCount, decompressedBytes]).toEqual([3, make().length - 61])
  expect(batch.buffer).toBe(bytes)
  expect(bytes.equals(before)).toBe(true)
})

test('offset and epoch set by a client do not matter: they are outside the CRC', () => {
  const bytes = make()
  bytes.writeBigInt64BE(-77n, 0)
  bytes.writeInt32BE(1234, 12)
  expect(validateProducedBatch(bytes, LIMITS).recordCount).toBe(3)
})

describe('framing', () => {
  test.each<[string, Buffer]>([
    ['less than a header', make().subarray(0, 60)],
    ['a byte missing', make().subarray(0, -1)],
    ['a byte too many', Buffer.concat([make(), Buffer.alloc(1)])],
    ['two batches', Buffer.concat([make(), make()])],
    ['length below a header’s', spoiled((bytes) => bytes.writeInt32BE(48, 8), make())],
    ['negative length', spoiledLength(-1)],
    ['a flipped bit', flipped()],
  ])('%s is corrupt', (_, bytes) => {
    expect(refusal(bytes).code).toBe('CORRUPT_MESSAGE')
  })

  function spoiledLength(length: number): Buffer {
    const bytes = make()
    bytes.writeInt32BE(length, 8)
    return bytes
  }

  function flipped(): Buffer {
    const bytes = make()
    bytes[70]! ^= 1
    return bytes
  }

  test('no batch at all is no record', () => {
    expect(refusal(Buffer.alloc(0)).code).toBe('INVALID_RECORD')
  })

  test('the formats before 2 and after it are refused by name, however short', () => {
    for (const magic of [0, 1, 3]) {
      const bytes = make().subarray(0, 30)
      bytes.writeInt8(magic, 16)
      expect(refusal(bytes)).toMatchObject({
        code: 'INVALID_RECORD',
        message: expect.stringContaining(`magic is ${magic}`),
      })
    }
  })

  test('larger than max.message.bytes, saying both numbers', () => {
    const bytes = make()
    expect(refusal(bytes, { maxMessageBytes: bytes.length - 1 })).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      message: `batch of ${bytes.length} bytes exceeds max.message.bytes ${bytes.length - 1}`,
    })
    expect(
      validateProducedBatch(bytes, { ...LIMITS, maxMessageBytes: bytes.length }).recordCount,
    ).toBe(3)
  })
})

describe('attributes', () => {
  const withAttributes = (attributes: number) =>
    spoiled((bytes) => bytes.writeUInt16BE(attributes, 21))

  test('a producer sets no control, transaction, delete horizon or reserved bit', () => {
    for (const bit of [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]) {
      expect(refusal(withAttributes(1 << bit)).code, `bit ${bit}`).toBe('INVALID_RECORD')
    }
  })

  test('the broker itself may write control batches', () => {
    const checked = validateProducedBatch(withAttributes(0x20), { ...LIMITS, allowControl: true })
    expect(checked.batch.isControl).toBe(true)
  })

  test('the timestamp type is the broker’s to set', () => {
    expect(refusal(withAttributes(0x08)).code).toBe('INVALID_TIMESTAMP')
  })

  test('unknown codecs', () => {
    for (const code of [5, 6, 7]) {
      expect(refusal(withAttributes(code)).code).toBe('UNSUPPORTED_COMPRESSION_TYPE')
    }
  })

  test('a codec that is not what the bytes are', () => {
    for (const code of [1, 2, 3, 4]) {
      expect(refusal(withAttributes(code)).code, COMPRESSION_NAMES[code]).toBe('CORRUPT_MESSAGE')
    }
  })
})

describe('counts', () => {
  test.each<[string, number, number]>([
    ['no records', 0, -1],
    ['a negative count', -1, -2],
    ['more than there are', 4, 3],
    ['fewer than there are', 2, 1],
    ['far more than there can be', 2 ** 31 - 1, 2 ** 31 - 2],
    ['a last offset delta that does not fit', 3, 3],
  ])('%s', (_, count, lastOffsetDelta) => {
    const bytes = spoiled((target) => {
      target.writeInt32BE(count, 57)
      target.writeInt32BE(lastOffsetDelta, 23)
    })
    expect(refusal(bytes).code).toBe('INVALID_RECORD')
  })
})

describe('producers', () => {
  test.each<[string, bigint, number, number]>([
    ['id below -1', -2n, 0, 0],
    ['id beyond 2^53', 2n ** 53n, 0, 0],
    ['id of all ones but the sign', 2n ** 63n - 1n, 0, 0],
    ['negative epoch', 5n, -1, 0],
    ['negative sequence', 5n, 0, -1],
  ])('%s', (_, id, epoch, sequence) => {
    const bytes = spoiled((target) => {
      target.writeBigInt64BE(id, 43)
      target.writeInt16BE(epoch, 51)
      target.writeInt32BE(sequence, 53)
    })
    expect(refusal(bytes).code).toBe('INVALID_RECORD')
  })

  test('without an id, epoch and sequence do not matter', () => {
    const bytes = spoiled((target) => {
      target.writeInt16BE(0, 51)
      target.writeInt32BE(0, 53)
    })
    expect(validateProducedBatch(bytes, LIMITS).batch.producerId).toBe(-1)
  })

  test('the largest sequence is fine: the next one is 0', () => {
    const producer = { producerId: 0, producerEpoch: 0, baseSequence: 2 ** 31 - 1 }
    const { batch } = validateProducedBatch(make({ producer }), LIMITS)
    expect([batch.baseSequence, batch.lastSequence]).toEqual([2 ** 31 - 1, 1])
  })
})

describe('timestamps', () => {
  test.each<[string, readonly number[], Partial<BatchLimits>]>([
    ['negative', [NOW, -1], {}],
    ['a millisecond too far ahead', [NOW + HOUR_MS + 1, NOW], {}],
    ['a millisecond too far back', [NOW, NOW - 1001, NOW], { timestampBeforeMaxMs: 1000 }],
  ])('%s', (_, timestamps, limits) => {
    expect(refusal(make({ timestamps }), limits).code).toBe('INVALID_TIMESTAMP')
  })

  test('the bounds themselves are inside', () => {
    const timestamps = [NOW + HOUR_MS, NOW - 1000]
    const limits = { ...LIMITS, timestampBeforeMaxMs: 1000 }
    expect(validateProducedBatch(make({ timestamps }), limits).batch.maxTimestamp).toBe(
      NOW + HOUR_MS,
    )
  })

  test('a base timestamp beyond 2^53', () => {
    for (const base of [2n ** 60n, -(2n ** 60n)]) {
      expect(refusal(spoiled((bytes) => bytes.writeBigInt64BE(base, 27))).code).toBe(
        'INVALID_TIMESTAMP',
      )
    }
  })

  test('a header that says another largest timestamp than the records is put right, CRC included', () => {
    for (const stated of [-1n, 0n, BigInt(NOW) - 100n, 2n ** 62n]) {
      const bytes = spoiled((target) => target.writeBigInt64BE(stated, 35))
      const { batch } = validateProducedBatch(bytes, LIMITS)
      expect(batch.maxTimestamp).toBe(NOW + 5)
      expect(batch.hasValidCrc()).toBe(true)
    }
  })

  test('LogAppendTime replaces whatever the producer said', () => {
    const bytes = make({ timestamps: [-5, 2 ** 50, 0], compression: 'lz4' })
    const { batch } = validateProducedBatch(bytes, { ...LIMITS, timestampType: 'LogAppendTime' })
    expect(batch.timestampType).toBe('LogAppendTime')
    expect(batch.hasValidCrc()).toBe(true)
    expect([...readRecords(batch, LIMITS)].map((record) => record.timestamp)).toEqual([
      NOW,
      NOW,
      NOW,
    ])
  })
})

describe('records', () => {
  // length 6, attributes, timestamp delta, offset delta, null key, null value, no headers
  const plain = [0x0c, 0, 0, 0, 1, 1, 0]

  test('the smallest record there is', () => {
    expect(
      validateProducedBatch(withRecords(Buffer.from(plain), 1), LIMITS).decompressedBytes,
    ).toBe(7)
  })

  test.each<[string, readonly number[]]>([
    ['a length shorter than its fields', [0x0a, 0, 0, 0, 1, 1, 0]],
    ['a length longer than its fields', [0x0e, 0, 0, 0, 1, 1, 0, 0]],
    ['a length beyond the batch', [0x10, 0, 0, 0, 1, 1, 0]],
    ['a negative length', [0x0b, 0, 0, 0, 1, 1, 0]],
    ['a length of six bytes', [0x8c, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 0, 0, 1, 1, 0]],
    ['bytes after the last record', [...plain, 0]],
    ['a second record nobody announced', [...plain, 0x0c, 0, 0, 2, 1, 1, 0]],
    ['record attributes (compressed again?)', [0x0c, 3, 0, 0, 1, 1, 0]],
    ['a first offset delta of 1', [0x0c, 0, 0, 2, 1, 1, 0]],
    ['a negative offset delta', [0x0c, 0, 0, 1, 1, 1, 0]],
    ['a key length below -1', [0x0c, 0, 0, 0, 3, 1, 0]],
    ['a key beyond the record', [0x0c, 0, 0, 0, 20, 1, 0]],
    ['a value length below -1', [0x0c, 0, 0, 0, 1, 3, 0]],
    ['a value beyond the record', [0x0c, 0, 0, 0, 1, 20, 0]],
    ['a negative header count', [0x0c, 0, 0, 0, 1, 1, 1]],
    ['more headers than bytes', [0x0e, 0, 0, 0, 1, 1, 0x80, 0x01]],
    ['a header without a name', [0x10, 0, 0, 0, 1, 1, 2, 1, 1]],
    ['a header name beyond the record', [0x10, 0, 0, 0, 1, 1, 2, 8, 1]],
    ['a header value length below -1', [0x10, 0, 0, 0, 1, 1, 2, 0, 3]],
    ['a timestamp delta that never ends', [0x1a, 0, ...Array.from({ length: 12 }, () => 0xff)]],
  ])('%s', (_, record) => {
    for (const compression of ['none', 'lz4'] as const) {
      expect(refusal(withRecords(Buffer.from(record), 1, compression)).code).toBe('INVALID_RECORD')
    }
  })

  test('a record made of headers: as many as a reader can show, no more', () => {
    const withHeaders = (count: number) => {
      const builder = new BatchBuilder({ compression: 'lz4' })
      const header = { name: Buffer.alloc(0), value: null }
      const headers = Array.from({ length: count }, () => header)
      builder.append(NOW, null, null, headers)
      return builder.build()
    }
    expect(validateProducedBatch(withHeaders(10_000), LIMITS).recordCount).toBe(1)
    expect(refusal(withHeaders(10_001))).toMatchObject({
      code: 'INVALID_RECORD',
      message: 'record 0 of the batch has 10001 headers, 10000 are allowed',
    })
  })

  test('a topic that needs keys: every record has one, an empty one will do', () => {
    expect(refusal(make(), { requireKey: true }).code).toBe('INVALID_RECORD')
    const keyed = make({ key: Buffer.alloc(0) })
    expect(validateProducedBatch(keyed, { ...LIMITS, requireKey: true }).recordCount).toBe(3)
  })
})

test.each(COMPRESSION_NAMES.filter((name) => name !== 'none'))('a %s bomb is too large', (name) => {
  const bytes = withRecords(Buffer.alloc(1_000_000), 1, name)
  expect(refusal(bytes, { maxMessageBytes: 1 << 20 })).toMatchObject({
    code: 'MESSAGE_TOO_LARGE',
    values: { maxDecompressedBytes: 100_000 },
  })
})
