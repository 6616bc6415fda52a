/** A disk without room refuses what was enqueued, takes it back to the last byte, and goes on when there is room. */

import { expect, test } from 'vitest'
import { ManualClock } from '../../rigs/clock.ts'
import type { DiskCall } from '../../rigs/disk/fault-plan.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
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

const ofLog = (operation: string) => (call: DiskCall) =>
  call.operation === operation && call.path === FIRST_LOG

const REFUSED = { code: 'DISK_FULL', outcome: 'refused' }
const producer = (baseSequence: number) => ({ producerId: 7, producerEpoch: 0, baseSequence })

/** A log of two flushed batches of a producer on a disk with room for little more. */
async function nearlyFull() {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const settings = { appendGroupBytesMax: 2_000 }
  const engine = await startNew({
    clock,
    disk,
    fileSystem,
    settings,
    config: { 'index.interval.bytes': 0 },
  })
  await append(engine.log, batchOf(['a'], producer(0))).acknowledged
  await append(engine.log, batchOf(['b'], producer(1))).acknowledged
  disk.capacityBytes = used(disk) + 700
  fileSystem.calls.length = 0
  return { ...engine, fileSystem }
}

const used = (disk: ReturnType<typeof newDisk>) =>
  disk.medium.paths('').reduce((sum, path) => sum + disk.medium.contents(path).length, 0)

test('everything enqueued is refused, the file is cut to its flushed end and synced, and nothing is left of it', async () => {
  const { log, disk, fileSystem } = await nearlyFull()
  const before = disk.medium.contents(FIRST_LOG)
  const appends = [0, 1, 2].map((at) =>
    append(log, batchOf([Buffer.alloc(1_500, 0x63)], producer(2 + at))),
  )
  expect(log.logEndOffset).toBe(5)
  for (const { acknowledged } of appends) await expect(acknowledged).rejects.toMatchObject(REFUSED)
  expect(disk.medium.durableContents(FIRST_LOG)).toEqual(before)
  expect(fileSystem.story().filter((call) => call.endsWith('.log'))).toEqual([
    'write 00000000000000000000.log',
    'truncate 00000000000000000000.log',
    'sync 00000000000000000000.log',
  ])
  expect(log).toMatchObject({
    isOffline: false,
    logEndOffset: 2,
    writtenOffset: 2,
    flushedOffset: 2,
    highWatermark: 2,
    sizeBytes: before.length,
    producerCount: 1,
  })
  expect(await valuesFrom(log)).toEqual(['a', 'b'])
})

test('when there is room again, the same producer goes on where it was, at the same offsets', async () => {
  const { log, disk, ...engine } = await nearlyFull()
  const refused = append(log, batchOf(['c'.repeat(1_500)], producer(2)))
  expect(refused.baseOffset).toBe(2)
  await expect(refused.acknowledged).rejects.toMatchObject(REFUSED)
  disk.capacityBytes = Number.POSITIVE_INFINITY
  // The retry is a first append now, not a repeat.
  const retried = append(log, batchOf(['c'.repeat(1_500)], producer(2)))
  expect(retried).toMatchObject({ baseOffset: 2, duplicate: false })
  await retried.acknowledged
  expect(() => append(log, batchOf(['gap'], producer(4)))).toThrow(
    expect.objectContaining({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }),
  )
  await append(log, batchOf(['d'], producer(3))).acknowledged
  const expected = ['a', 'b', 'c'.repeat(1_500), 'd']
  expect(await valuesFrom(log)).toEqual(expected)
  expect(await valuesFrom((await afterKill({ ...engine, log, disk: disk.clone(1) })).log)).toEqual(
    expected,
  )
  expect(await valuesFrom((await afterPowerCut({ ...engine, log, disk }, 4)).log)).toEqual(expected)
})

test('what is appended while the file is being cut waits behind the cut and lands', async () => {
  const { log, disk, fileSystem } = await nearlyFull()
  const cut = fileSystem.hold((call) => call.operation === 'truncate')
  const refused = append(log, batchOf(['c'.repeat(1_500)], producer(2)))
  refused.acknowledged.catch(() => {})
  while (cut.waiting === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(log.logEndOffset).toBe(2)
  const next = append(log, batchOf(['d'], producer(2)))
  expect(next).toMatchObject({ baseOffset: 2, duplicate: false })
  disk.capacityBytes = Number.POSITIVE_INFINITY
  cut.release()
  await next.acknowledged
  await expect(refused.acknowledged).rejects.toMatchObject(REFUSED)
  expect(await valuesFrom(log)).toEqual(['a', 'b', 'd'])
})

test.each(['truncate', 'sync'])(
  'a cut whose %s fails takes the log offline: the group unknown, those behind it refused',
  async (operation) => {
    const { log, disk } = await nearlyFull()
    disk.faults.failNth(1, 'EIO', { which: ofLog(operation) })
    const appends = [1_500, 1_500].map((bytes) => append(log, batchOfBytes(bytes)))
    await expect(appends[0]!.acknowledged).rejects.toMatchObject({ outcome: 'unknown' })
    await expect(appends[1]!.acknowledged).rejects.toMatchObject({ outcome: 'refused' })
    expect(log).toMatchObject({ isOffline: true, logEndOffset: 2, highWatermark: 2 })
    expect(await valuesFrom(log)).toEqual(['a', 'b'])
  },
)

test('EDQUOT is a full disk too', async () => {
  const { log, disk } = await startNew()
  disk.faults.failNth(1, 'EDQUOT', { which: ofLog('write'), extent: 'partial' })
  await expect(appendAll(log, 'a')).rejects.toMatchObject(REFUSED)
  await appendAll(log, 'b')
  expect(await valuesFrom(log)).toEqual(['b'])
})

test('with relaxed flush only the refused group is taken back, not what was acknowledged as written', async () => {
  const { log, disk } = await startNew({ config: { 'flush.messages': 1_000 } })
  await appendAll(log, 'a')
  disk.faults.failNth(1, 'ENOSPC', { which: ofLog('write'), extent: 'partial' })
  await expect(appendAll(log, 'b')).rejects.toMatchObject(REFUSED)
  expect(log).toMatchObject({ logEndOffset: 1, flushedOffset: 1, highWatermark: 1 })
  await appendAll(log, 'c')
  expect(await valuesFrom(log)).toEqual(['a', 'c'])
})

test('a disk that says it is full only at the sync loses pages: offline, outcome unknown', async () => {
  const clock = new ManualClock()
  const disk = new SimulatedDisk({ clock, fullAt: 'sync' })
  disk.medium.provideDirectory('/')
  const { log } = await startNew({ clock, disk })
  disk.capacityBytes = used(disk)
  await expect(append(log, batchOfBytes(5_000)).acknowledged).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    outcome: 'unknown',
  })
  disk.capacityBytes = Number.POSITIVE_INFINITY
  expect(() => append(log, batchOf(['b']))).toThrow(expect.objectContaining({ outcome: 'refused' }))
})

test('a duplicate of a batch that is being refused is refused with it', async () => {
  const { log, disk } = await nearlyFull()
  const first = append(log, batchOf(['c'.repeat(1_500)], producer(2)))
  const repeat = append(log, batchOf(['c'.repeat(1_500)], producer(2)))
  expect(repeat).toMatchObject({ duplicate: true, baseOffset: 2 })
  await expect(first.acknowledged).rejects.toMatchObject(REFUSED)
  await expect(repeat.acknowledged).rejects.toMatchObject(REFUSED)
  expect(disk.medium.exists(FIRST_LOG)).toBe(true)
})

test('full and empty again many times over, the log is what was acknowledged', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock, 11)
  const engine = await startNew({ clock, disk, config: { 'segment.bytes': 2_048 } })
  const expected: string[] = []
  for (let at = 0; at < 60; at++) {
    disk.capacityBytes = at % 3 === 2 ? used(disk) + 40 * (at % 7) : Number.POSITIVE_INFINITY
    const values = [`${at}`, `${at}`.padEnd(at * 7, '.')]
    await append(engine.log, batchOf(values)).acknowledged.then(
      () => expected.push(...values),
      (error) => expect(error).toMatchObject(REFUSED),
    )
  }
  disk.capacityBytes = Number.POSITIVE_INFINITY
  expect(engine.log.isOffline).toBe(false)
  expect(expected.length).toBeGreaterThan(60)
  expect(await valuesFrom(engine.log)).toEqual(expected)
  expect(await valuesFrom((await afterPowerCut(engine, 9)).log)).toEqual(expected)
})
