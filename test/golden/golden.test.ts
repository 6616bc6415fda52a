/**
 * Batches made by other clients mean to us what they meant to those who made them. See README.md.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type BatchLimits, validateProducedBatch } from '../../storage/log/batch-validator.ts'
import { readRecords } from '../../storage/record/batch-reader.ts'
import { headerProblem, RecordBatch } from '../../storage/record/record-batch.ts'
import { BASE_TIMESTAMP, contentOf, FIELDS, type GoldenRecord, MANY } from './records.ts'

const LIMITS: BatchLimits = {
  maxMessageBytes: 1 << 20,
  maxDecompressedBytes: 1 << 20,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 86_400_000,
  now: BASE_TIMESTAMP,
}

function load(path: string): RecordBatch {
  return new RecordBatch(readFileSync(new URL(path, import.meta.url)))
}

function read(batch: RecordBatch): GoldenRecord[] {
  return [...readRecords(batch, LIMITS)].map(contentOf)
}

describe.each(['kafka-python', 'kafka-java'])('%s', (producer) => {
  const files = readdirSync(new URL(producer, import.meta.url))
  const plain = files.filter((file) => /^(fields|many)\./.test(file))

  test.each(plain)('%s reads field for field and passes the leader', (file) => {
    const [name, codec] = file.split('.')
    const expected = name === 'many' ? MANY : FIELDS
    const batch = load(`${producer}/${file}`)
    const base = producer === 'kafka-java' ? 40 : 0
    const max = Math.max(...expected.map((record) => record.timestamp))

    expect(headerProblem(batch)).toBeUndefined()
    expect(batch.compression).toBe(codec)
    expect(batch.sizeBytes).toBe(batch.buffer.length)
    expect(batch.hasValidCrc()).toBe(true)
    expect([batch.baseOffset, batch.lastOffset, batch.nextOffset]).toEqual([
      base,
      base + expected.length - 1,
      base + expected.length,
    ])
    expect([batch.baseTimestamp, batch.maxTimestamp]).toEqual([BASE_TIMESTAMP, max])
    expect([batch.producerId, batch.producerEpoch, batch.baseSequence]).toEqual([-1, -1, -1])
    expect(batch.timestampType).toBe('CreateTime')
    expect(read(batch)).toEqual(expected)
    expect([...readRecords(batch, LIMITS)].map((record) => record.offset)).toEqual(
      expected.map((_, index) => base + index),
    )

    const before = Buffer.from(batch.buffer)
    const checked = validateProducedBatch(batch.buffer, LIMITS)
    expect(checked.recordCount).toBe(expected.length)
    expect(batch.buffer.equals(before), 'nothing to correct').toBe(true)
  })
})

test('an idempotent producer of Java: id, epoch and a sequence that wraps', () => {
  const batch = load('kafka-java/idempotent.none.batch')
  expect([batch.producerId, batch.producerEpoch]).toEqual([4242, 7])
  expect([batch.baseSequence, batch.lastSequence]).toEqual([2 ** 31 - 2, 2])
  expect(batch.leaderEpoch).toBe(5)
  expect(read(batch)).toEqual(FIELDS)
  expect(validateProducedBatch(batch.buffer, LIMITS).recordCount).toBe(FIELDS.length)
})

test('a transactional batch reads, and is refused from a producer', () => {
  const batch = load('kafka-java/transactional.lz4.batch')
  expect([batch.isTransactional, batch.isControl]).toEqual([true, false])
  expect(read(batch)).toEqual(FIELDS)
  expect(() => validateProducedBatch(batch.buffer, LIMITS)).toThrow(/transactions/)
})

test('a control batch reads, and is refused from a producer', () => {
  const batch = load('kafka-java/control.none.batch')
  expect([batch.isTransactional, batch.isControl]).toEqual([true, true])
  expect([batch.baseOffset, batch.recordCount]).toEqual([99, 1])
  expect(read(batch)[0]?.key).toEqual(Buffer.from([0, 0, 0, 1])) // version 0, COMMIT
  expect(() => validateProducedBatch(batch.buffer, LIMITS)).toThrow(/transactions|control/)
})

test('LogAppendTime: every record has the batch’s largest timestamp', () => {
  const batch = load('kafka-java/log-append-time.zstd.batch')
  expect(batch.timestampType).toBe('LogAppendTime')
  expect(read(batch)).toEqual(
    FIELDS.map((record) => ({ ...record, timestamp: BASE_TIMESTAMP + 777 })),
  )
  expect(() => validateProducedBatch(batch.buffer, LIMITS)).toThrow(/LogAppendTime/)
})

test('our LogAppendTime reads as Java’s', () => {
  const theirs = load('kafka-java/log-append-time.zstd.batch')
  const ours = new RecordBatch(Buffer.from(load('kafka-java/fields.zstd.batch').buffer))
  ours.setLogAppendTime(BASE_TIMESTAMP + 777)
  expect(read(ours)).toEqual(read(theirs))
  expect(ours.buffer.subarray(21, 27)).toEqual(theirs.buffer.subarray(21, 27))
  expect(ours.maxTimestamp).toBe(theirs.maxTimestamp)
  expect(ours.hasValidCrc()).toBe(true)
})
