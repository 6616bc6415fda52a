/** What compaction promises a reader: the last record of every key, at the offset it always had. */

import { expect, test } from 'vitest'
import { logConfigFrom } from '../../../storage/config.ts'
import { COMPRESSION_NAMES } from '../../../storage/record/compression.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { afterCleanStop, append, LOG_DIRECTORY } from '../log/engine.ts'
import {
  batchesOf,
  COMPACTED,
  compactNow,
  keyedBatch,
  put,
  recordsOf,
  startCompacted,
  wordsOf,
} from './keyed-log.ts'

test('of each key only the last record stays, at its own offset', async () => {
  const { log } = await startCompacted()
  await put(log, 'a=1 b=1 a=2')
  await put(log, 'c=1')
  await put(log, 'b=2 c=2')
  await log.roll()
  const compacted = await compactNow(log)
  expect(compacted).toMatchObject({ firstDirty: 6, keys: 3, recordsRead: 6, recordsKept: 3 })
  expect(await wordsOf(log)).toBe('2:a=2 4:b=2 5:c=2')
  expect(log.logEndOffset).toBe(6)
  expect((await put(log, 'd=1')).baseOffset).toBe(6)
})

test('the active segment is not looked at: it is not changed, and takes nothing away', async () => {
  const { log } = await startCompacted()
  await put(log, 'a=1')
  await log.roll()
  await put(log, 'a=2 a=3')
  await compactNow(log)
  expect(await wordsOf(log)).toBe('0:a=1 1:a=2 2:a=3')
  await log.roll()
  await compactNow(log)
  expect(await wordsOf(log)).toBe('2:a=3')
})

test.each(COMPRESSION_NAMES)(
  'a batch stays %s; one that keeps everything stays as it came',
  async (compression) => {
    const { log } = await startCompacted()
    await put(log, 'a=1 b=1', { compression })
    await put(log, 'c=1 d=1', { compression })
    await put(log, 'a=2', { compression })
    await log.roll()
    const before = (await batchesOf(log)).map(({ buffer }) => Buffer.from(buffer))
    await compactNow(log)
    const after = await batchesOf(log)
    expect(after.map((batch) => batch.compression)).toEqual([compression, compression, compression])
    expect(after[0]).toMatchObject({ baseOffset: 0, lastOffset: 1, recordCount: 1 })
    expect(after[1]!.buffer).toEqual(before[1])
    expect(after[2]!.buffer).toEqual(before[2])
    expect((await recordsOf(log))[0]).toMatchObject({
      offset: 1,
      key: 'b',
      value: '1',
      headers: 'at:1',
    })
  },
)

test('what is left out is stood for by an empty batch, so that no offset is between two batches', async () => {
  const { log } = await startCompacted()
  for (const words of ['a=1', 'b=1', 'a=2', 'a=3', 'c=1', 'a=4', 'c=2']) await put(log, words)
  await log.roll()
  await compactNow(log)
  const shape = async () =>
    (await batchesOf(log)).map((batch) => [batch.baseOffset, batch.lastOffset, batch.recordCount])
  const once = [
    [0, 0, 0],
    [1, 1, 1],
    [2, 4, 0],
    [5, 5, 1],
    [6, 6, 1],
  ]
  expect(await shape()).toEqual(once)
  await put(log, 'b=2')
  await log.roll()
  await compactNow(log)
  expect(await shape()).toEqual([[0, 4, 0], ...once.slice(3), [7, 7, 1]])
})

test('reading from an offset that is gone goes on with the next that is there', async () => {
  const { log } = await startCompacted()
  for (const words of ['a=1', 'a=2', 'a=3', 'b=1']) await put(log, words)
  await log.roll()
  await compactNow(log)
  const read = await log.read(toOffset(1), { maxBytes: 1 })
  expect(read.nextOffset).toBe(2)
  expect(await log.offsetForTime(0)).toMatchObject({ offset: 2 })
})

test('segments that shrank become one, and the log has no more files than it needs', async () => {
  const { log, disk } = await startCompacted({ 'segment.bytes': 1_024 })
  for (let round = 0; round < 40; round++) await put(log, `a=${round} b=${'x'.repeat(100)}`)
  await log.roll()
  const before = log.segmentCount
  await compactNow(log)
  await compactNow(log)
  await put(log, 'a=40')
  await log.roll()
  await compactNow(log)
  expect(log.segmentCount).toBeLessThan(before / 3)
  const names = disk.medium.paths(LOG_DIRECTORY).filter((path) => path.endsWith('.log'))
  expect(names).toHaveLength(log.segmentCount)
  expect(await wordsOf(log)).toBe(`79:b=${'x'.repeat(100)} 80:a=40`)
})

test('with memory for twelve keys, a log of many more is compacted in several goes', async () => {
  const { log } = await startCompacted()
  for (let key = 0; key < 50; key++) await put(log, `k${key}=1`)
  for (let key = 0; key < 50; key++) await put(log, `k${key}=2`)
  await log.roll()
  const ends: number[] = []
  for (let compacted = await compactNow(log, { mapBytesMax: 1 }); compacted !== undefined; ) {
    ends.push(compacted.firstDirty)
    compacted = await compactNow(log, { mapBytesMax: 1 })
  }
  expect(ends).toEqual([12, 24, 36, 48, 60, 72, 84, 96, 100])
  const records = await recordsOf(log)
  expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 50 }, () => '2'))
})

test('how far it came is known after a restart: what was looked at is not read for keys again', async () => {
  const engine = await startCompacted()
  for (const words of ['a=1', 'a=2', 'b=1']) await put(engine.log, words)
  await engine.log.roll()
  await compactNow(engine.log)
  const again = await afterCleanStop(engine)
  await put(again.log, 'c=1')
  await again.log.roll()
  expect(await compactNow(again.log)).toMatchObject({ keys: 1, firstDirty: 4 })
  expect(await wordsOf(again.log)).toBe('1:a=2 2:b=1 3:c=1')
})

test('a record without a key, from before the topic was compacted, is replaced by nothing and stays', async () => {
  const { log } = await startCompacted({ 'cleanup.policy': 'delete' })
  await append(
    log,
    keyedBatch([
      [null, 'old'],
      ['a', '1'],
      [null, null],
      ['a', '2'],
    ]),
  ).acknowledged
  await log.setConfig(logConfigFrom(COMPACTED))
  await log.roll()
  await compactNow(log)
  expect((await recordsOf(log)).map(({ key, value }) => [key, value])).toEqual([
    [null, 'old'],
    [null, null],
    ['a', '2'],
  ])
})

test('in a compacted topic a record without a key is refused, and nothing of its batch is taken', async () => {
  const { log } = await startCompacted()
  const keyless = keyedBatch([
    ['a', '1'],
    [null, '2'],
  ])
  expect(() => append(log, keyless)).toThrow(
    expect.objectContaining({ code: 'INVALID_RECORD', outcome: 'refused' }),
  )
  expect(log.logEndOffset).toBe(0)
  await append(log, keyedBatch([['', 'an empty key is one']])).acknowledged
})

test('records below the start of the log go with the next compaction', async () => {
  const { log } = await startCompacted()
  await put(log, 'a=1 b=1 c=1 d=1')
  await log.roll()
  await log.deletePrefix(toOffset(2))
  const sizeBytes = log.sizeBytes
  await compactNow(log)
  expect(log.sizeBytes).toBeLessThan(sizeBytes)
  expect(await wordsOf(log)).toBe('2:c=1 3:d=1')
  const [batch] = await batchesOf(log)
  expect(batch).toMatchObject({ baseOffset: 0, recordCount: 2 })
})

test('a compaction with nothing to remove leaves the files alone', async () => {
  const { log, disk } = await startCompacted()
  await put(log, 'a=1 b=1')
  await put(log, 'c=1')
  await log.roll()
  const path = `${LOG_DIRECTORY}/00000000000000000000.log`
  const before = disk.medium.contents(path)
  expect(await compactNow(log)).toMatchObject({ segmentsWritten: 0, firstDirty: 3 })
  expect(disk.medium.contents(path)).toEqual(before)
  expect(await compactNow(log)).toBeUndefined()
})
