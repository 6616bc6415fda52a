/** What may be deleted: the pure decision in a table, then on a log and with a clock that jumps. */

import { describe, expect, test } from 'vitest'
import { ClockWatch, deletablePrefix, isExpired } from '../../../storage/log/retention.ts'
import type { Logger } from '../../../storage/logger.ts'
import { silentLogger } from '../../../storage/logger.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import {
  afterCleanStop,
  afterKill,
  append,
  appendAll,
  batchOf,
  FIRST_LOG,
  LOG_DIRECTORY,
  settled,
  startNew,
  TOPIC,
  valuesFrom,
} from './engine.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOW = Date.UTC(2024, 0, 1)

/** Segments of 100 offsets and 1,000 bytes; each given by how old its newest record and last append are. */
const segments = (...ages: [recordMs: number, appendMs: number][]) =>
  ages.map(([recordMs, appendMs], at) => ({
    sizeBytes: 1_000,
    nextOffset: (at + 1) * 100,
    maxTimestamp: recordMs === -1 ? -1 : NOW - recordMs,
    lastAppendMs: NOW - appendMs,
  }))
const OLD: [number, number] = [2 * DAY_MS, 2 * DAY_MS]
const YOUNG: [number, number] = [HOUR_MS, HOUR_MS]
const LAST_YEARS: [number, number] = [365 * DAY_MS, HOUR_MS]
const FROM_THE_FUTURE: [number, number] = [-HOUR_MS, 2 * DAY_MS]
const WITHOUT_TIMES: [number, number] = [-1, 2 * DAY_MS]

const KEEP_ALL = {
  retentionMs: -1,
  retentionBytes: -1,
  logStartOffset: 0,
  now: NOW,
  trustsClock: true,
}
const BY_TIME = { ...KEEP_ALL, retentionMs: DAY_MS }

describe('how many closed segments may go', () => {
  const cases: [string, ReturnType<typeof segments>, Partial<typeof KEEP_ALL>, number][] = [
    ['nothing is limited', segments(OLD, OLD), {}, 0],
    ['both old', segments(OLD, OLD), BY_TIME, 2],
    ['the first young, the second old: no holes', segments(YOUNG, OLD), BY_TIME, 0],
    ['old, then young', segments(OLD, YOUNG), BY_TIME, 1],
    ['last year’s log, loaded just now', segments(LAST_YEARS), BY_TIME, 0],
    ['one record dated ahead', segments(FROM_THE_FUTURE), BY_TIME, 0],
    ['records without timestamps', segments(WITHOUT_TIMES), BY_TIME, 1],
    ['a clock that is not trusted', segments(OLD), { ...BY_TIME, trustsClock: false }, 0],
    ['exactly as old as allowed', segments([DAY_MS, DAY_MS]), BY_TIME, 0],
    ['a millisecond more', segments([DAY_MS + 1, DAY_MS + 1]), BY_TIME, 1],
    ['enough without the first', segments(YOUNG, YOUNG, YOUNG), { retentionBytes: 2_500 }, 1],
    ['just enough without it', segments(YOUNG, YOUNG, YOUNG), { retentionBytes: 2_600 }, 0],
    ['size counts the active segment', segments(YOUNG), { retentionBytes: 500 }, 1],
    ['no byte to keep', segments(YOUNG, YOUNG), { retentionBytes: 0 }, 2],
    ['wholly below the start', segments(YOUNG, YOUNG), { logStartOffset: 100 }, 1],
    ['the start inside a segment', segments(YOUNG, YOUNG), { logStartOffset: 199 }, 1],
    [
      'below the start, though the clock is wrong',
      segments(YOUNG),
      { logStartOffset: 100, trustsClock: false },
      1,
    ],
    ['no closed segment', [], BY_TIME, 0],
  ]
  test.each(cases)('%s', (_, closed, rule, expected) => {
    expect(deletablePrefix(closed, 550, { ...KEEP_ALL, ...rule })).toBe(expected)
  })
})

test('expired means both: the newest record and the last append', () => {
  const [old, lastYears, ahead] = segments(OLD, LAST_YEARS, FROM_THE_FUTURE)
  expect(isExpired(old!, BY_TIME)).toBe(true)
  expect(isExpired(lastYears!, BY_TIME)).toBe(false)
  expect(isExpired(ahead!, BY_TIME)).toBe(false)
})

test('a wall clock that jumped more than an hour, either way, is not trusted for one check', () => {
  const watch = new ClockWatch(NOW, 0)
  expect(watch.isSteady(NOW + 300_000, 300_000)).toBe(true)
  expect(watch.isSteady(NOW + 300_000 + HOUR_MS, 300_000)).toBe(true)
  expect(watch.isSteady(NOW + 3 * HOUR_MS, 300_001)).toBe(false)
  expect(watch.isSteady(NOW + 3 * HOUR_MS + 5, 300_006)).toBe(true)
  expect(watch.isSteady(NOW, 300_006)).toBe(false)
  expect(watch.isSteady(NOW, 300_006)).toBe(true)
})

const CONFIG = { 'retention.ms': DAY_MS, 'segment.bytes': 1_024, 'file.delete.delay.ms': 1_000 }
const dated = (timestamp: number, value = '.'.repeat(700)) =>
  batchOf([value], { timestamps: [timestamp] })

test("last year's access log survives the check after its load, and goes a day later", async () => {
  const { log, clock, manager } = await startNew({ config: CONFIG })
  for (let at = 0; at < 4; at++) await append(log, dated(NOW - 365 * DAY_MS)).acknowledged
  await manager.applyRetention()
  expect(await valuesFrom(log)).toHaveLength(4)
  clock.advance(DAY_MS + 1)
  await settled()
  expect(log).toMatchObject({ logStartOffset: 4, logEndOffset: 4, segmentCount: 1 })
})

test('what counts is the last append to a segment, not its first', async () => {
  const { log, clock } = await startNew({ config: { ...CONFIG, 'segment.bytes': 100_000 } })
  for (let day = 0; day < 5; day++) {
    await append(log, dated(NOW - 365 * DAY_MS)).acknowledged
    clock.advance(DAY_MS - 1_000)
    await log.applyRetention(true)
    expect(log.logStartOffset).toBe(0)
  }
  clock.advance(2_000)
  await log.applyRetention(true)
  expect(log.logStartOffset).toBe(5)
})

test('the active segment is rolled and goes too when all in it is old', async () => {
  const { log, clock, disk } = await startNew({ config: CONFIG })
  await append(log, dated(NOW)).acknowledged
  clock.advance(DAY_MS / 2)
  await settled()
  expect(log.logStartOffset).toBe(0)
  clock.advance(DAY_MS / 2 + 1_000)
  await log.applyRetention(true)
  expect(log).toMatchObject({ logStartOffset: 1, logEndOffset: 1, highWatermark: 1, sizeBytes: 0 })
  clock.advance(1_000)
  await settled()
  expect(disk.medium.paths(LOG_DIRECTORY).filter((path) => path.endsWith('.log'))).toEqual([
    `${LOG_DIRECTORY}/00000000000000000001.log`,
  ])
  expect((await appendAll(log, 'next')).baseOffset).toBe(1)
})

test('the last append counts across restarts, clean or not', async () => {
  const engine = await startNew({ config: CONFIG })
  for (let at = 0; at < 3; at++) await append(engine.log, dated(NOW - 365 * DAY_MS)).acknowledged
  for (const again of [afterKill, afterCleanStop]) {
    const { log } = await again({ ...engine, disk: engine.disk.clone(1) })
    expect(await log.applyRetention(true)).toBe(0)
    expect(await valuesFrom(log)).toHaveLength(3)
  }
})

test('a jump of the wall clock sits out one full check, with a warning', async () => {
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (_, sentence) => warnings.push(sentence) }
  const { log, clock, manager } = await startNew({ config: CONFIG, logger })
  for (let at = 0; at < 3; at++) await append(log, dated(NOW)).acknowledged
  clock.jumpWall(30 * DAY_MS)
  await manager.applyRetention()
  expect(await valuesFrom(log)).toHaveLength(3)
  expect(warnings).toEqual([expect.stringContaining('clock jumped')])
  await manager.applyRetention()
  expect(await valuesFrom(log)).toHaveLength(0)
})

test('by size, only whole segments, and the start is the next one’s first offset', async () => {
  const { log } = await startNew({
    config: { ...CONFIG, 'retention.ms': -1, 'retention.bytes': 2_000 },
  })
  for (let at = 0; at < 6; at++) await append(log, dated(NOW)).acknowledged
  expect(log.segmentCount).toBe(6)
  await log.applyRetention(true)
  expect(log.sizeBytes).toBeGreaterThanOrEqual(2_000)
  expect(log.sizeBytes).toBeLessThan(3_100)
  expect(log.logStartOffset).toBe(6 - log.segmentCount)
  expect(await valuesFrom(log)).toHaveLength(log.segmentCount)
})

test('with the start inside a segment, that segment stays until it may go as a whole', async () => {
  const { log, clock, disk } = await startNew({ config: { ...CONFIG, 'segment.bytes': 4_096 } })
  for (let at = 0; at < 12; at++)
    await append(log, dated(NOW, `${at}`.padEnd(700, '.'))).acknowledged
  await log.deletePrefix(toOffset(2))
  expect(log.logStartOffset).toBe(2)
  expect(await log.applyRetention(true)).toBe(0)
  expect(disk.medium.exists(FIRST_LOG)).toBe(true)
  expect((await valuesFrom(log)).map((value) => Number.parseInt(value, 10))[0]).toBe(2)
  clock.advance(DAY_MS + 1)
  await settled()
  expect(log.logStartOffset).toBe(12)
})

test('the manager checks by itself at its interval, and goes on after a log that fails', async () => {
  const { manager, disk, clock } = await startNew({ config: CONFIG, partitions: 2 })
  const logs = [0, 1].map((partition) => manager.log(TOPIC, partition)!)
  for (const log of logs) await append(log, dated(NOW)).acknowledged
  disk.faults.failNth(1, 'EIO', { which: ({ path }) => path.startsWith(LOG_DIRECTORY) })
  clock.advance(2 * DAY_MS)
  await settled(100)
  expect(logs.map(({ logStartOffset }) => logStartOffset)).toEqual([0, 1])
})

test('a log that is offline or closed is left alone', async () => {
  const { log, disk, clock } = await startNew({ config: CONFIG })
  await append(log, dated(NOW)).acknowledged
  disk.faults.failNth(1, 'EIO', { which: ({ operation }) => operation === 'sync' })
  await append(log, dated(NOW, 'b')).acknowledged.catch(() => {})
  clock.advance(10 * DAY_MS)
  const calls = disk.faults.calls.length
  expect(await log.applyRetention(true)).toBe(0)
  await log.close()
  expect(await log.applyRetention(true)).toBe(0)
  expect(disk.faults.calls.slice(calls).filter(({ operation }) => operation === 'rename')).toEqual(
    [],
  )
})
