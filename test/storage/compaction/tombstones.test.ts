/** How long a deletion stays, and that what it deleted never comes back. */

import { describe, expect, test } from 'vitest'
import { decompress } from '../../../storage/record/compression.ts'
import {
  DELETE_HORIZON_BIT,
  RECORD_BATCH_HEADER_BYTES,
  type RecordBatch,
} from '../../../storage/record/record-batch.ts'
import { afterKill } from '../log/engine.ts'
import { batchesOf, compactNow, put, recordsOf, startCompacted, wordsOf } from './keyed-log.ts'

const RETENTION_MS = 10_000

function decompressedBytes({ compression, buffer }: RecordBatch): number {
  const stored = buffer.subarray(RECORD_BATCH_HEADER_BYTES)
  return decompress(compression, stored, 1 << 26).length
}

/** 16 slots of 24 bytes: 12 keys. */
const TWELVE_KEYS = { mapBytesMax: 16 * 24 }

test('a tombstone deletes what came before it at once, and itself delete.retention.ms later', async () => {
  const { log, clock } = await startCompacted()
  await put(log, 'a=1 b=1')
  await put(log, 'a= c=1')
  await log.roll()
  await compactNow(log)
  expect(await wordsOf(log)).toBe('1:b=1 2:a= 3:c=1')
  clock.advance(RETENTION_MS - 1)
  await put(log, 'x=1')
  await log.roll()
  await compactNow(log)
  expect(await wordsOf(log)).toBe('1:b=1 2:a= 3:c=1 4:x=1')
  clock.advance(1)
  await put(log, 'y=1')
  await log.roll()
  await compactNow(log)
  expect(await wordsOf(log)).toBe('1:b=1 3:c=1 4:x=1 5:y=1')
})

test('the time counts from the compaction that met it first, however old it is by then', async () => {
  const { log, clock } = await startCompacted()
  await put(log, 'a=1')
  await put(log, 'a=')
  await log.roll()
  clock.advance(100 * RETENTION_MS)
  await compactNow(log)
  expect(await wordsOf(log)).toBe('1:a=')
})

test('a tombstone that was replaced goes like any record', async () => {
  const { log } = await startCompacted()
  await put(log, 'a=1')
  await put(log, 'a=')
  await put(log, 'a=2')
  await log.roll()
  await compactNow(log)
  expect(await wordsOf(log)).toBe('2:a=2')
})

test('with delete.retention.ms 0 it goes with the second compaction', async () => {
  const { log } = await startCompacted({ 'delete.retention.ms': 0 })
  for (const words of ['a=1 a=', 'x=1', 'x=2']) {
    await put(log, words)
    await log.roll()
    await compactNow(log)
  }
  expect(await wordsOf(log)).toBe('3:x=2')
})

describe('the date in the batch (KIP-534)', () => {
  test('is there after the first compaction, once and for all, and moves no timestamp', async () => {
    const { log, clock } = await startCompacted()
    const timestamps = [5_000, 9_000, 7_000].map((delay) => clock.now() - delay)
    await put(log, 'a= b=1 c=2', { timestamps, compression: 'lz4' })
    await log.roll()
    const before = await recordsOf(log)
    const horizonMs = clock.now() + RETENTION_MS
    for (let round = 0; round < 2; round++) {
      await compactNow(log)
      const [batch] = await batchesOf(log)
      expect(batch).toMatchObject({ deleteHorizonMs: horizonMs, recordCount: 3 })
      expect(batch!.attributes).toBe(DELETE_HORIZON_BIT | 3)
      expect(batch!.maxTimestamp).toBe(timestamps[2]! + 2_000)
      expect((await recordsOf(log)).slice(0, 3)).toEqual(before)
      clock.advance(1_000)
      await put(log, `x=${round}`)
      await log.roll()
    }
  })

  test('is not in a batch without tombstones, nor in one that was not looked at', async () => {
    const { log } = await startCompacted()
    await put(log, 'a=1')
    await log.roll()
    await put(log, 'b=')
    await compactNow(log)
    const horizons = (await batchesOf(log)).map(({ deleteHorizonMs }) => deleteHorizonMs)
    expect(horizons).toEqual([undefined, undefined])
  })
})

test('a tombstone that had no room in the map gets no date yet', async () => {
  const { log } = await startCompacted()
  const keys = Array.from({ length: 12 }, (_, key) => `k${key}=1`)
  await put(log, `${keys.join(' ')} x=`)
  await log.roll()
  await compactNow(log, TWELVE_KEYS)
  expect((await batchesOf(log))[0]!.deleteHorizonMs).toBeUndefined()
  await compactNow(log, TWELVE_KEYS)
  expect((await batchesOf(log))[0]!.deleteHorizonMs).toBeDefined()
})

/**
 * The map has room for twelve keys, the batch has more. All its tombstones have one date, and none may go
 * before it was met itself: with time over for the first of them, what the last deletes is still there.
 */
test('a batch that is met in parts is dated when all of it was, and no tombstone goes before what it deleted', async () => {
  const { log, clock } = await startCompacted({ 'segment.bytes': 4_096 })
  await put(log, 'a=1')
  await log.roll()
  await compactNow(log)
  const others = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => `k${from + index}=1`).join(' ')
  await put(log, `x= ${others(0, 30)} a=`)
  await log.roll()
  for (const firstDirty of [13, 25, 33]) {
    expect(await compactNow(log, TWELVE_KEYS)).toMatchObject({ firstDirty })
    const words = await wordsOf(log)
    expect(words).toContain('1:x= ')
    expect(words).toContain(' 32:a=')
    expect(words.includes('0:a=1')).toBe(firstDirty < 32)
    clock.advance(RETENTION_MS)
  }
  // Dated by the third, whose time is over now.
  await put(log, 'y=1')
  await log.roll()
  await compactNow(log, TWELVE_KEYS)
  const words = await wordsOf(log)
  expect(words).not.toContain('x=')
  expect(words).not.toContain('a=')
  expect(words).toContain('2:k0=1')
})

test('a batch that its date would make longer than may be unpacked stays readable, with its tombstones', async () => {
  const { log, clock } = await startCompacted()
  const keys = Array.from({ length: 2_000 }, (_, key) => `k${key}=`)
  await put(log, `old=1 old=2 ${keys.join(' ')}`, { compression: 'lz4' })
  await log.roll()
  // Just room for what is there, as for a batch that was accepted.
  const maxDecompressedBytes = decompressedBytes((await batchesOf(log))[0]!)
  await compactNow(log, { maxDecompressedBytes })
  const [batch] = await batchesOf(log)
  expect(decompressedBytes(batch!)).toBeLessThanOrEqual(maxDecompressedBytes)
  expect(batch).toMatchObject({ deleteHorizonMs: undefined, recordCount: 2_001 })
  clock.advance(RETENTION_MS)
  await put(log, 'x=1')
  await log.roll()
  await compactNow(log, { maxDecompressedBytes })
  expect(await wordsOf(log)).toContain(':k1999=')
})

test('what was deleted is not back after a restart, nor when the compaction point is lost', async () => {
  const engine = await startCompacted()
  await put(engine.log, 'a=1 b=1')
  await put(engine.log, 'a=')
  await engine.log.roll()
  await compactNow(engine.log)
  engine.clock.advance(RETENTION_MS)
  await put(engine.log, 'x=1')
  await engine.log.roll()
  await compactNow(engine.log)
  expect(await wordsOf(engine.log)).toBe('1:b=1 3:x=1')
  const again = await afterKill(engine)
  await again.disk.removeFile('/data/orders-0/compaction-point')
  await compactNow(again.log)
  expect(await wordsOf(again.log)).toBe('1:b=1 3:x=1')
})
