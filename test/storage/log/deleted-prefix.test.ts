/** Moving a log's start: durable before a file goes, readers under way finish, what runs beside it is unharmed. */

import { expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchOf,
  FIRST_LOG,
  LOG_DIRECTORY,
  newDisk,
  settled,
  startNew,
  stateOf,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const CONFIG = { 'segment.bytes': 1_024, 'file.delete.delay.ms': 1_000 }

/** Eight segments of one record each. */
async function eightSegments(config: Record<string, number> = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const engine = await startNew({ clock, disk, fileSystem, config: { ...CONFIG, ...config } })
  for (let at = 0; at < 8; at++) {
    await append(engine.log, batchOf([`${at}`.padEnd(700, '.')])).acknowledged
  }
  fileSystem.calls.length = 0
  return { ...engine, fileSystem }
}

const firstLetters = (values: string[]) => values.map((value) => value[0])
const files = (disk: ReturnType<typeof newDisk>, ending: RegExp) =>
  disk.medium.paths(LOG_DIRECTORY).filter((path) => ending.test(path)).length

test('the new start is synced before the first file is renamed', async () => {
  const { log, fileSystem } = await eightSegments()
  expect(await log.deletePrefix(toOffset(3))).toBe(3)
  const story = fileSystem.story().filter((call) => /^(sync|rename|removeFile|write)/.test(call))
  expect(story.indexOf('sync recovery-point')).toBeGreaterThanOrEqual(0)
  expect(story.indexOf('sync recovery-point')).toBeLessThan(
    story.findIndex((call) => call.startsWith('rename')),
  )
  expect(log.segmentCount).toBe(5)
  expect(firstLetters(await valuesFrom(log))).toEqual(['3', '4', '5', '6', '7'])
})

test('while the sync of a further start is under way, only what is below the last durable one goes', async () => {
  const { log, disk, fileSystem, ...engine } = await eightSegments()
  const isPointSync = ({ operation, path }: { operation: string; path: string }) =>
    operation === 'sync' && path.endsWith('recovery-point')
  const first = fileSystem.hold(isPointSync)
  const to2 = log.deletePrefix(toOffset(2))
  await settled()
  const to6 = log.deletePrefix(toOffset(6))
  await settled()
  expect(log.logStartOffset).toBe(0)
  expect(files(disk, /deleted$/)).toBe(0)
  for (let seed = 1; seed <= 10; seed++) {
    const other = await afterPowerCut({ ...engine, log, disk: disk.clone(seed) }, seed)
    expect(firstLetters(await valuesFrom(other.log, 6))).toEqual(['6', '7'])
  }
  first.release()
  await Promise.all([to2, to6])
  expect(log.logStartOffset).toBe(6)
})

test('at no call on the way does a power cut leave a log that does not open', async () => {
  const { log, disk, clock, ...engine } = await eightSegments()
  const deleting = log.deletePrefix(toOffset(5))
  for (let turn = 0; turn < 30; turn++) {
    for (const seed of [turn, turn + 100]) {
      const other = await afterPowerCut({ ...engine, clock, log, disk: disk.clone(seed) }, seed)
      const start = other.log.logStartOffset
      expect([0, 5]).toContain(start)
      expect(firstLetters(await valuesFrom(other.log))).toEqual(
        ['0', '1', '2', '3', '4', '5', '6', '7'].slice(start),
      )
    }
    await settled(1)
  }
  await deleting
})

test('files go after their delay, and their names are gone after a restart too', async () => {
  const { log, disk, clock, ...engine } = await eightSegments()
  await log.deletePrefix(toOffset(3))
  expect(files(disk, /\.log\.deleted$/)).toBe(3)
  const killed = await afterKill({ ...engine, clock, log, disk: disk.clone(1) })
  expect(files(killed.disk, /deleted$/)).toBe(0)
  expect(firstLetters(await valuesFrom(killed.log))).toEqual(['3', '4', '5', '6', '7'])
  clock.advance(1_000)
  await settled()
  expect(files(disk, /deleted$/)).toBe(0)
  expect(files(disk, /\.log$/)).toBe(5)
})

test('indexes whose log was renamed away right before a crash go too', async () => {
  const { log, disk, fileSystem, ...engine } = await eightSegments()
  const held = fileSystem.hold(
    ({ operation, path }) => operation === 'rename' && path.endsWith('.index'),
  )
  const deleting = log.deletePrefix(toOffset(3))
  await settled()
  expect(held.waiting).toBe(1)
  const killed = await afterKill({ ...engine, log, disk: disk.clone(1) })
  held.release()
  await deleting
  expect(
    killed.disk.medium.paths(LOG_DIRECTORY).filter((path) => /0000[012]\.(log|.*index)/.test(path)),
  ).toEqual([])
  expect(firstLetters(await valuesFrom(killed.log))).toEqual(['3', '4', '5', '6', '7'])
})

test('a read under way while its segment is deleted finishes; the file stays until then', async () => {
  const { log, disk, clock, fileSystem } = await eightSegments()
  const held = fileSystem.hold(({ operation, path }) => operation === 'read' && path === FIRST_LOG)
  const read = log.read(toOffset(0), { maxBytes: 10_000 })
  await settled()
  expect(held.waiting).toBe(1)
  await log.deletePrefix(toOffset(4))
  clock.advance(5_000)
  await settled()
  expect(files(disk, /0\.log\.deleted$/)).toBe(1)
  held.release()
  expect((await read).nextOffset).toBe(1)
  await settled()
  expect(files(disk, /deleted$/)).toBe(0)
})

test('only up to the high watermark, and never back', async () => {
  const { log } = await eightSegments()
  await expect(log.deletePrefix(toOffset(9))).rejects.toMatchObject({
    code: 'OFFSET_OUT_OF_RANGE',
    values: { logStartOffset: 0, highWatermark: 8 },
  })
  expect(await log.deletePrefix(toOffset(5))).toBe(5)
  expect(await log.deletePrefix(toOffset(2))).toBe(5)
  expect(await log.deletePrefix(toOffset(8))).toBe(8)
  expect(log).toMatchObject({ logStartOffset: 8, logEndOffset: 8, segmentCount: 1 })
  expect(await valuesFrom(log)).toEqual([])
  await appendAll(log, 'next')
  expect(await valuesFrom(log)).toEqual(['next'])
})

test('with relaxed flush, everything below the new start is flushed first', async () => {
  const { log, disk, ...engine } = await eightSegments({ 'flush.messages': 1_000 })
  await appendAll(log, 'x', 'y')
  expect(log.flushedOffset).toBeLessThan(10)
  await log.deletePrefix(toOffset(10))
  expect(log.flushedOffset).toBe(10)
  for (let seed = 1; seed <= 10; seed++) {
    const other = await afterPowerCut({ ...engine, log, disk: disk.clone(seed) }, seed)
    expect(other.log).toMatchObject({ logStartOffset: 10, logEndOffset: 10 })
  }
})

test('a start that cannot be made durable is not the start, deletes nothing, and takes the log offline', async () => {
  for (const code of ['EIO', 'ENOSPC']) {
    const { log, disk } = await eightSegments()
    disk.faults.failNth(1, code, {
      which: ({ operation, path }) => operation === 'sync' && path.endsWith('recovery-point'),
    })
    await expect(log.deletePrefix(toOffset(4))).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    })
    expect(log).toMatchObject({ logStartOffset: 0, isOffline: true, segmentCount: 8 })
    expect(files(disk, /deleted$/)).toBe(0)
    expect(firstLetters(await valuesFrom(log))).toHaveLength(8)
  }
})

test('appends, rolls, retention and deletions at once: order and records are kept', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock, 23)
  const engine = await startNew({
    clock,
    disk,
    config: { 'segment.bytes': 2_048, 'retention.bytes': 6_000, 'file.delete.delay.ms': 10 },
  })
  const { log } = engine
  const working: Promise<unknown>[] = []
  for (let at = 0; at < 150; at++) {
    working.push(append(log, batchOf([`${at}`.padEnd((at * 41) % 300, '.')])).acknowledged)
    if (at % 7 === 0) working.push(log.deletePrefix(log.highWatermark))
    if (at % 11 === 0) working.push(log.roll())
    if (at % 13 === 0) working.push(log.applyRetention(true))
    if (at % 5 === 0)
      working.push(valuesFrom(log).catch((error) => expect(error.code).toBe('OFFSET_OUT_OF_RANGE')))
    if (at % 3 === 0) await settled(1)
    clock.advance(5)
  }
  await Promise.all(working)
  expect(log).toMatchObject({ isOffline: false, logEndOffset: 150, highWatermark: 150 })
  const expected = Array.from({ length: 150 }, (_, at) => at).slice(log.logStartOffset)
  const numbers = (values: string[]) => values.map((value) => Number.parseInt(value, 10))
  expect(numbers(await valuesFrom(log))).toEqual(expected)
  expect(numbers(await valuesFrom((await afterPowerCut(engine, 5)).log))).toEqual(expected)
})

test('a log being closed refuses a deletion, and one under way ends before its files are closed', async () => {
  const { log, disk, fileSystem } = await eightSegments()
  const held = fileSystem.hold(({ operation }) => operation === 'rename')
  const deleting = log.deletePrefix(toOffset(3))
  await settled()
  expect(held.waiting).toBe(1)
  const closing = log.close()
  await expect(log.deletePrefix(toOffset(5))).rejects.toMatchObject({
    code: 'NOT_LEADER_OR_FOLLOWER',
  })
  await settled()
  held.release()
  expect(await stateOf(deleting)).toBe('resolved')
  await closing
  await settled()
  expect(disk.openPaths.filter((path) => path.startsWith(LOG_DIRECTORY))).toEqual([])
})
