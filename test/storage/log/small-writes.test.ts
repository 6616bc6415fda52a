/**
 * Groups that are written on the spot keep every promise of those that go to a thread, and a disk that
 * makes the writer wait does not hold up the broker twice.
 */

import { expect, test } from 'vitest'
import type { LazyFile } from '../../../storage/file/open-files.ts'
import { SmallWrites } from '../../../storage/log/small-writes.ts'
import { ManualClock } from '../../rigs/clock.ts'
import type { DiskCall } from '../../rigs/disk/fault-plan.ts'
import {
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchOf,
  batchOfBytes,
  FIRST_LOG,
  newDisk,
  startNew,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const ON_THE_SPOT = { smallWriteBytesMax: 4_096 }
const ofLog = (operation: string) => (call: DiskCall) =>
  call.operation === operation && call.path === FIRST_LOG

test('a small group is written on the spot and still acknowledged only after its sync', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const { log } = await startNew({ clock, disk, fileSystem, settings: ON_THE_SPOT })
  await appendAll(log, 'opens the file')
  fileSystem.calls.length = 0
  await appendAll(log, 'small')
  await append(log, batchOfBytes(5_000)).acknowledged
  const ofTheLog = fileSystem.calls.filter(({ path }) => path === FIRST_LOG)
  expect(ofTheLog.map(({ operation }) => operation)).toEqual(['writeNow', 'sync', 'write', 'sync'])
})

test('what was acknowledged is there after a power cut, in order', async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const engine = await startNew({ settings: ON_THE_SPOT })
    for (const value of ['a', 'b', 'c']) await appendAll(engine.log, value)
    append(engine.log, batchOf(['not acknowledged']))
    const again = await afterPowerCut(engine, seed)
    expect((await valuesFrom(again.log)).slice(0, 3), `seed ${seed}`).toEqual(['a', 'b', 'c'])
  }
})

test('a full disk refuses the group, cuts what it took of it, and goes on when there is room', async () => {
  const engine = await startNew({ settings: ON_THE_SPOT })
  await appendAll(engine.log, 'before')
  const sizeBytes = engine.log.sizeBytes
  engine.disk.faults.failNth(1, 'ENOSPC', { extent: 'partial', which: ofLog('writeNow') })
  const refused = append(engine.log, batchOf(['refused'])).acknowledged
  await expect(refused).rejects.toMatchObject({ code: 'DISK_FULL', outcome: 'refused' })
  expect(engine.log.sizeBytes).toBe(sizeBytes)
  await appendAll(engine.log, 'after')
  const again = await afterKill(engine)
  expect(await valuesFrom(again.log)).toEqual(['before', 'after'])
})

test('an error of the disk takes the log offline, outcome unknown', async () => {
  const engine = await startNew({ settings: ON_THE_SPOT })
  await appendAll(engine.log, 'before')
  engine.disk.faults.failNth(1, 'EIO', { which: ofLog('writeNow') })
  const failed = append(engine.log, batchOf(['lost?'])).acknowledged
  await expect(failed).rejects.toMatchObject({ outcome: 'unknown' })
  expect(engine.log.isOffline).toBe(true)
  expect(await valuesFrom(engine.log)).toEqual(['before'])
})

test('after a slow write all go to the threads for a second', () => {
  const clock = new ManualClock()
  let takesMs = 0
  const written: number[] = []
  const file = {
    isOpen: true,
    writeNow: (_: Buffer, position: number) => {
      written.push(position)
      clock.advance(takesMs)
    },
  } as unknown as LazyFile
  const writes = new SmallWrites(clock, 100)
  const write = (position: number) => writes.write(file, [Buffer.alloc(10)], 10, position)
  expect(write(0)).toBe(true)
  takesMs = 6
  expect(write(10)).toBe(true)
  takesMs = 0
  expect(write(20)).toBe(false)
  clock.advance(999)
  expect(write(20)).toBe(false)
  clock.advance(1)
  expect(write(20)).toBe(true)
  expect(written).toEqual([0, 10, 20])
})
