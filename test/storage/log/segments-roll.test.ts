/** When a segment is full or old, and what LogAppendTime writes into a batch. */

import { expect, test } from 'vitest'
import { logConfigFrom } from '../../../storage/config.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import {
  afterKill,
  append,
  appendAll,
  batchesIn,
  batchOf,
  batchOfBytes,
  LOG_DIRECTORY,
  startNew,
  valuesFrom,
} from './engine.ts'

const logSizes = (disk: SimulatedDisk) =>
  disk.medium
    .paths(LOG_DIRECTORY)
    .filter((path) => path.endsWith('.log'))
    .map((path) => disk.medium.contents(path).length)

test('a segment never exceeds segment.bytes, also when all is appended at once', async () => {
  const { log, disk } = await startNew({ config: { 'segment.bytes': 2_000 } })
  const appends = Array.from({ length: 100 }, (_, at) => append(log, batchOfBytes((at * 97) % 900)))
  await Promise.all(appends.map(({ acknowledged }) => acknowledged))
  const sizes = logSizes(disk)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000)
  // None was left before the next batch did not fit.
  for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(2_000 - 1_000)
  expect(await valuesFrom(log)).toHaveLength(100)
})

test('a batch that exactly fills a segment is taken, one that fits none is refused', async () => {
  const { log, disk } = await startNew({ config: { 'segment.bytes': 1_024 } })
  const overhead = batchOfBytes(900).length - 900
  await append(log, batchOfBytes(1_024 - overhead)).acknowledged
  await append(log, batchOfBytes(1_024 - overhead)).acknowledged
  expect(logSizes(disk)).toEqual([1_024, 1_024])
  expect(() => append(log, batchOfBytes(1_025 - overhead))).toThrow(
    expect.objectContaining({ code: 'RECORD_LIST_TOO_LARGE', outcome: 'refused' }),
  )
  expect(log.logEndOffset).toBe(2)
})

test('a segment older than segment.ms is rolled by the next append, an empty one is not', async () => {
  const { log, clock } = await startNew({ config: { 'segment.ms': 60_000 } })
  clock.advance(1_000_000)
  await appendAll(log, 'a')
  clock.advance(60_000)
  await appendAll(log, 'b')
  expect(log.segmentCount).toBe(1)
  clock.advance(1)
  await appendAll(log, 'c')
  expect(log.segmentCount).toBe(2)
  await appendAll(log, 'd')
  expect(log.segmentCount).toBe(2)
})

test('smaller settings count from the next append on', async () => {
  const { log, disk } = await startNew()
  await append(log, batchOfBytes(3_000)).acknowledged
  await log.setConfig(logConfigFrom({ 'segment.bytes': 1_024 }))
  await append(log, batchOfBytes(500)).acknowledged
  expect(logSizes(disk)).toHaveLength(2)
})

test('LogAppendTime: every record has the time of its append, the batch is sound, and the answer says it', async () => {
  const engine = await startNew({ config: { 'message.timestamp.type': 'LogAppendTime' } })
  const { clock } = engine
  const times: number[] = []
  for (let at = 0; at < 3; at++) {
    clock.advance(1_000)
    const batch = batchOf(['x', 'y'], {
      timestamps: [5, 1],
      compression: at === 1 ? 'lz4' : 'none',
    })
    const appended = append(engine.log, batch)
    expect(appended.logAppendTime).toBe(clock.now())
    times.push(clock.now(), clock.now())
    await appended.acknowledged
  }
  for (const { log } of [engine, await afterKill({ ...engine, disk: engine.disk.clone(1) })]) {
    const { bytes } = await log.read(toOffset(0), { maxBytes: 10_000 })
    const records = batchesIn(bytes).flatMap((batch) => {
      expect(batch.timestampType).toBe('LogAppendTime')
      expect(batch.hasValidCrc()).toBe(true)
      return [...readRecords(batch, { maxDecompressedBytes: 10_000 })]
    })
    expect(records.map(({ timestamp }) => timestamp)).toEqual(times)
    expect(await log.offsetForTime(times[2]!)).toEqual({ offset: 2, timestamp: times[2] })
  }
})

test('CreateTime: the answer has no append time, and the records keep theirs', async () => {
  const { log, clock } = await startNew()
  const appended = append(log, batchOf(['x'], { timestamps: [clock.now() - 5] }))
  expect(appended.logAppendTime).toBe(-1)
  await appended.acknowledged
  expect(await log.offsetForTime(0)).toEqual({ offset: 0, timestamp: clock.now() - 5 })
})

test('a record too far ahead of the clock is refused', async () => {
  const { log, clock } = await startNew()
  expect(() => append(log, batchOf(['x'], { timestamps: [clock.now() + 3_600_001] }))).toThrow(
    expect.objectContaining({ code: 'INVALID_TIMESTAMP', outcome: 'refused' }),
  )
  expect(log.logEndOffset).toBe(0)
})
