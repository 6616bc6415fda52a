/**
 * A segment that exists has a predecessor that is wholly on disk: the order of calls in a roll, and what
 * a roll that fails half way leaves behind.
 */

import { expect, test } from 'vitest'
import { ManualClock } from '../../rigs/clock.ts'
import type { DiskCall } from '../../rigs/disk/fault-plan.ts'
import {
  afterCleanStop,
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchOf,
  batchOfBytes,
  FIRST_LOG,
  LOG_DIRECTORY,
  newDisk,
  settled,
  startNew,
  valuesFrom,
} from './engine.ts'
import { type WatchedCall, WatchedDisk } from './watched-disk.ts'

const SMALL = { 'segment.bytes': 1_024 }
const SECOND_LOG = `${LOG_DIRECTORY}/00000000000000000001.log`

test('a roll syncs the log, both indexes, the snapshot and the directory before the next segment, and the recovery point last', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem, config: { 'flush.messages': 1_000 } })
  await appendAll(log, 'unsynced')
  const from = fileSystem.calls.length
  await log.roll()
  const changing = (call: string) => /^(sync|create|write|rename|syncDirectory)/.test(call)
  expect(fileSystem.story(from).filter(changing)).toEqual([
    'sync 00000000000000000000.log',
    'writeNow recovery-point',
    'create 00000000000000000000.index',
    'sync 00000000000000000000.index',
    'create 00000000000000000000.timeindex',
    'write 00000000000000000000.timeindex',
    'sync 00000000000000000000.timeindex',
    'create 00000000000000000001.snapshot',
    'write 00000000000000000001.snapshot',
    'sync 00000000000000000001.snapshot',
    'syncDirectory orders-0',
    'create 00000000000000000001.log',
    'syncDirectory orders-0',
    'writeNow recovery-point',
    'writeNow recovery-point',
    'sync recovery-point',
  ])
})

test('a roll waits for the sync in flight', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem, config: SMALL })
  const sync = fileSystem.hold((call) => call.operation === 'sync' && call.path.endsWith('.log'))
  const first = append(log, batchOfBytes(700))
  await settled()
  const second = append(log, batchOfBytes(700))
  await settled()
  expect(disk.medium.exists(SECOND_LOG)).toBe(false)
  sync.release()
  await Promise.all([first.acknowledged, second.acknowledged])
  expect(log.segmentCount).toBe(2)
  expect(disk.medium.contents(SECOND_LOG).length).toBeGreaterThan(700)
})

test('an empty segment is not rolled', async () => {
  const { log, disk } = await startNew()
  const calls = disk.faults.calls.length
  await log.roll()
  expect(log.segmentCount).toBe(1)
  expect(disk.faults.calls.length).toBe(calls)
})

const STEPS: [string, (call: DiskCall) => boolean][] = [
  ['index', (call) => call.path.endsWith('.index')],
  ['index sync', (call) => call.path.endsWith('.index') && call.operation === 'sync'],
  ['time index', (call) => call.path.endsWith('.timeindex') && call.operation === 'write'],
  ['snapshot', (call) => call.path.endsWith('.snapshot') && call.operation === 'write'],
  ['snapshot sync', (call) => call.path.endsWith('.snapshot') && call.operation === 'sync'],
  ['directory', (call) => call.operation === 'syncDirectory'],
  ['next segment', (call) => call.path === SECOND_LOG && call.operation === 'create'],
]

test.each(STEPS)(
  'no room for the %s of a roll: the batch is refused, the next one lands',
  async (_, which) => {
    const { log, disk, ...engine } = await startNew({ config: SMALL })
    await append(log, batchOf(['a'.repeat(700)])).acknowledged
    disk.faults.failNth(1, 'ENOSPC', { which })
    const refused = append(log, batchOf(['b'.repeat(700)]))
    const behind = append(log, batchOf(['c'.repeat(700)]))
    await expect(refused.acknowledged).rejects.toMatchObject({
      code: 'DISK_FULL',
      outcome: 'refused',
    })
    await expect(behind.acknowledged).rejects.toMatchObject({
      code: 'DISK_FULL',
      outcome: 'refused',
    })
    expect(disk.faults.struck).toHaveLength(1)
    expect(log).toMatchObject({
      logEndOffset: 1,
      highWatermark: 1,
      isOffline: false,
      segmentCount: 1,
    })
    const next = append(log, batchOf(['d'.repeat(700)]))
    expect(next.baseOffset).toBe(1)
    await next.acknowledged
    expect(log.segmentCount).toBe(2)
    const expected = ['a'.repeat(700), 'd'.repeat(700)]
    expect(await valuesFrom(log)).toEqual(expected)
    for (let seed = 1; seed <= 10; seed++) {
      const other = await afterPowerCut({ ...engine, log, disk: disk.clone(seed) }, seed)
      expect(await valuesFrom(other.log)).toEqual(expected)
    }
  },
)

test('a segment whose creation was not made durable does not come back below records acknowledged since', async () => {
  const { log, disk, ...engine } = await startNew({ config: SMALL })
  await append(log, batchOf(['a'.repeat(700)])).acknowledged
  // The second sync of the directory is the one after the new name. The name itself reached the disk.
  disk.faults.failNth(2, 'ENOSPC', {
    which: (call) => call.operation === 'syncDirectory',
    extent: 'done',
  })
  const refused = append(log, batchOf(['b'.repeat(700)]))
  await expect(refused.acknowledged).rejects.toMatchObject({ outcome: 'refused' })
  // Fits the old segment.
  await append(log, batchOf(['c'])).acknowledged
  for (let seed = 1; seed <= 20; seed++) {
    const other = await afterPowerCut({ ...engine, log, disk: disk.clone(seed) }, seed)
    expect(await valuesFrom(other.log)).toEqual(['a'.repeat(700), 'c'])
    await appendAll(other.log, 'd')
  }
})

test('a roll on request that fails for want of room leaves the segment growing within segment.bytes', async () => {
  const { log, disk } = await startNew({ config: SMALL })
  await append(log, batchOfBytes(700)).acknowledged
  for (let round = 0; round < 3; round++) {
    disk.faults.failNth(1, 'ENOSPC', { which: (call) => call.path.endsWith('.snapshot') })
    await expect(log.roll()).rejects.toThrow()
    disk.faults.clear()
  }
  await append(log, batchOfBytes(700)).acknowledged
  expect(log.segmentCount).toBe(2)
  expect(disk.medium.contents(FIRST_LOG).length).toBeLessThanOrEqual(1_024)
})

test('a roll on request whose sync fails takes the log offline', async () => {
  const { log, disk } = await startNew({ config: { 'flush.messages': 1_000 } })
  await appendAll(log, 'a')
  disk.faults.failNth(1, 'EIO', { which: (call) => call.operation === 'sync' })
  await expect(log.roll()).rejects.toMatchObject({ outcome: 'unknown' })
  expect(log.isOffline).toBe(true)
  expect(() => append(log, batchOf(['b']))).toThrow(
    expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR', outcome: 'refused' }),
  )
})

test('records appended while a roll on request is waiting go into the next segment, which is full when it is full', async () => {
  const { log, disk } = await startNew({ config: SMALL })
  await append(log, batchOfBytes(100)).acknowledged
  const rolled = log.roll()
  const appends = Array.from({ length: 4 }, () => append(log, batchOfBytes(400)))
  await Promise.all([rolled, ...appends.map(({ acknowledged }) => acknowledged)])
  await append(log, batchOfBytes(400)).acknowledged
  const sizes = disk.medium
    .paths(LOG_DIRECTORY)
    .filter((path) => path.endsWith('.log'))
    .map((path) => disk.medium.contents(path).length)
  for (const size of sizes) expect(size).toBeLessThanOrEqual(1_024)
  expect(sizes).toHaveLength(4)
  expect(await valuesFrom(log)).toHaveLength(6)
})

test.each(['kill', 'power cut', 'clean stop'])(
  'a log that rolled right before a %s is whole after it',
  async (end) => {
    const engine = await startNew({ config: SMALL })
    for (const value of ['a', 'b', 'c']) {
      await append(engine.log, batchOf([value.repeat(700)])).acknowledged
    }
    await engine.log.roll()
    const again =
      end === 'kill'
        ? await afterKill(engine)
        : end === 'power cut'
          ? await afterPowerCut(engine, 3)
          : await afterCleanStop(engine)
    expect(again.log.segmentCount).toBe(4)
    expect((await valuesFrom(again.log)).map((value) => value[0])).toEqual(['a', 'b', 'c'])
    expect((await appendAll(again.log, 'd')).baseOffset).toBe(3)
  },
)

test('indexes of a segment that rolled after a failed try hold every entry once', async () => {
  const { log, disk } = await startNew({ config: { 'index.interval.bytes': 0, ...SMALL } })
  const isIndexWrite = (call: WatchedCall | DiskCall) => call.path.endsWith('.timeindex')
  for (let at = 0; at < 8; at++) await append(log, batchOfBytes(30)).acknowledged
  disk.faults.failNth(1, 'ENOSPC', { which: isIndexWrite })
  await expect(log.roll()).rejects.toThrow()
  await append(log, batchOfBytes(30)).acknowledged
  await log.roll()
  const index = disk.medium.contents(`${LOG_DIRECTORY}/00000000000000000000.index`)
  expect(index.length / 8).toBe(8)
})
