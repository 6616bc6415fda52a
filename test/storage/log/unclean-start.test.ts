/** What a start after a crash does before it shows anything: indexes anew, the tail rewritten, a torn end cut. */

import { expect, test } from 'vitest'
import { OffsetIndex } from '../../../storage/log/offset-index.ts'
import type { Logger } from '../../../storage/logger.ts'
import { silentLogger } from '../../../storage/logger.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterCleanStop,
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchesIn,
  batchOf,
  batchOfBytes,
  FIRST_LOG,
  LOG_DIRECTORY,
  newDisk,
  settled,
  startAgain,
  startNew,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const RECOVERY_POINT = `${LOG_DIRECTORY}/recovery-point`

test('the indexes of the active segment are deleted and made anew', async () => {
  const engine = await startNew({ config: { 'index.interval.bytes': 0 } })
  for (let at = 0; at < 20; at++) await appendAll(engine.log, `${at}`)
  const clean = await afterCleanStop(engine)
  for (let at = 20; at < 30; at++) await appendAll(clean.log, `${at}`)
  const disk = clean.disk.processKill(1)
  const indexPath = FIRST_LOG.replace('.log', '.index')
  // Sound in itself, and wrong: every entry points at the first batch but one.
  const wrong = new OffsetIndex(toOffset(0))
  wrong.append(toOffset(29), 1 as never)
  disk.medium.provideFile(indexPath, wrong.bytes)
  const fileSystem = new WatchedDisk(disk)
  const again = await startAgain(disk, { ...clean.options, clock: clean.clock, fileSystem })
  expect(fileSystem.count('removeFile', '.index')).toBe(1)
  expect(fileSystem.count('removeFile', '.timeindex')).toBe(1)
  expect(disk.medium.exists(indexPath)).toBe(false)
  for (let at = 0; at < 30; at++) {
    const read = await again.log.read(toOffset(at), { maxBytes: 1 })
    expect(batchesIn(read.bytes)[0]!.baseOffset).toBe(at)
  }
})

test('every byte from the recovery point to the end is rewritten and synced before the log is served', async () => {
  const engine = await startNew({ config: { 'flush.messages': 1_000_000 } })
  await appendAll(engine.log, 'flushed')
  await engine.log.flush()
  const bound = engine.log.sizeBytes
  for (let at = 0; at < 5; at++) await append(engine.log, batchOfBytes(500_000)).acknowledged
  const end = engine.log.sizeBytes
  const disk = engine.disk.processKill(1)
  const fileSystem = new WatchedDisk(disk)
  const again = await startAgain(disk, { ...engine.options, clock: engine.clock, fileSystem })
  const rewrites = fileSystem.calls.filter(
    (call) => call.operation === 'write' && call.path === FIRST_LOG,
  )
  let next = bound
  for (const { position, bytes } of rewrites) {
    expect(position).toBe(next)
    next += bytes
  }
  expect(next).toBe(end)
  expect(fileSystem.count('sync', '.log')).toBe(1)
  expect(fileSystem.count('syncDirectory', 'orders-0')).toBe(1)
  expect(again.log).toMatchObject({ logEndOffset: 6, flushedOffset: 6, highWatermark: 6 })
  expect(await valuesFrom((await afterPowerCut(again, 1)).log)).toHaveLength(6)
})

test('a log is not served before its tail is synced', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  const disk = engine.disk.processKill(1)
  const fileSystem = new WatchedDisk(disk)
  const sync = fileSystem.hold((call) => call.operation === 'sync' && call.path === FIRST_LOG)
  let isServed = false
  const starting = startAgain(disk, { ...engine.options, clock: engine.clock, fileSystem })
  starting.then(() => {
    isServed = true
  })
  await settled()
  expect(sync.waiting).toBe(1)
  expect(isServed).toBe(false)
  sync.release()
  expect((await starting).log.highWatermark).toBe(1)
})

test('the page cache lies after a failed sync: what it shows is only kept because it is written again', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  engine.disk.faults.failNth(1, 'EIO', {
    which: (call) => call.operation === 'sync' && call.path === FIRST_LOG,
  })
  await expect(appendAll(engine.log, 'b')).rejects.toMatchObject({ outcome: 'unknown' })
  // The process restarts on the same machine: its cache shows b, which the disk never got.
  const killed = await afterKill(engine)
  expect(await valuesFrom(killed.log)).toEqual(['a', 'b'])
  for (let seed = 1; seed <= 10; seed++) {
    const rebooted = await afterPowerCut({ ...killed, disk: killed.disk.clone(seed) }, seed)
    expect(await valuesFrom(rebooted.log)).toEqual(['a', 'b'])
  }
})

test('when the tail cannot be rewritten the log stays offline, and others are served', async () => {
  const engine = await startNew({ partitions: 2 })
  await appendAll(engine.log, 'a')
  await appendAll(engine.manager.log('orders', 1)!, 'b')
  const disk = engine.disk.processKill(1)
  disk.faults.failNth(1, 'EIO', {
    which: (call) => call.operation === 'sync' && call.path === FIRST_LOG,
  })
  await expect(startAgain(disk, { ...engine.options, clock: engine.clock })).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
  })
  const { manager } = await startAgain(disk.processKill(2), {
    ...engine.options,
    clock: engine.clock,
  })
  expect(await valuesFrom(manager.log('orders', 1)!)).toEqual(['b'])
})

test('a torn last group is cut off, whatever is left of it', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a', 'b')
  const whole = engine.disk.medium.contents(FIRST_LOG)
  const group = batchOf(['c'.repeat(3_000)])
  batchesIn(group)[0]!.assign(toOffset(2), 0)
  const warnings: object[] = []
  const logger: Logger = { ...silentLogger, warn: (values) => warnings.push(values) }
  const tails = [
    group.subarray(0, 5),
    group.subarray(0, 61),
    group.subarray(0, 700),
    group.subarray(0, group.length - 1),
    Buffer.alloc(group.length),
    Buffer.concat([Buffer.alloc(512), group.subarray(512)]),
    Buffer.concat([group.subarray(0, 1_024), Buffer.alloc(512), group.subarray(1_536)]),
  ]
  for (const tail of tails) {
    const disk = engine.disk.clone(1)
    disk.medium.provideFile(FIRST_LOG, Buffer.concat([whole, tail]))
    const again = await startAgain(disk, { ...engine.options, clock: engine.clock, logger })
    expect(again.log).toMatchObject({ logEndOffset: 2, sizeBytes: whole.length })
    expect(disk.medium.durableContents(FIRST_LOG)).toEqual(whole)
    expect((await appendAll(again.log, 'd')).baseOffset).toBe(2)
    expect(await valuesFrom(again.log)).toEqual(['a', 'b', 'd'])
  }
  const cuts = warnings.filter((values) => 'cutBytes' in values)
  expect(cuts).toHaveLength(tails.length)
})

test('a whole batch above the recovery point is kept', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  const point = engine.disk.medium.contents(RECOVERY_POINT)
  await appendAll(engine.log, 'b')
  await appendAll(engine.log, 'c')
  const disk = engine.disk.processKill(1)
  // The slots written since were lost: the bound is lower than the truth, as after a power cut.
  disk.medium.provideFile(RECOVERY_POINT, point)
  const again = await startAgain(disk, { ...engine.options, clock: engine.clock })
  expect(await valuesFrom(again.log)).toEqual(['a', 'b', 'c'])
})

test('a batch of an older life of these blocks does not come back: offsets rise and epochs do not fall', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a', 'b')
  const again = await afterKill(engine)
  await appendAll(again.log, 'c')
  expect(again.log.leaderEpoch).toBe(1)
  const whole = again.disk.medium.contents(FIRST_LOG)
  const stale: [number, number][] = [
    [2, 0], // an offset that was given again
    [3, 0], // an epoch before the last one
    [3, 7], // an epoch that never was
  ]
  for (const [baseOffset, leaderEpoch] of stale) {
    const disk = again.disk.clone(1)
    const batch = batchOf(['old'])
    batchesIn(batch)[0]!.assign(toOffset(baseOffset), leaderEpoch)
    disk.medium.provideFile(FIRST_LOG, Buffer.concat([whole, batch]))
    const third = await startAgain(disk, { ...again.options, clock: again.clock })
    expect(await valuesFrom(third.log)).toEqual(['a', 'b', 'c'])
  }
})

test('a clean start reads no batch and rebuilds nothing', async () => {
  const engine = await startNew()
  for (let at = 0; at < 50; at++) await append(engine.log, batchOfBytes(1_000)).acknowledged
  await engine.manager.close()
  const fileSystem = new WatchedDisk(engine.disk)
  const again = await startAgain(engine.disk, {
    ...engine.options,
    clock: engine.clock,
    fileSystem,
  })
  expect(fileSystem.calls.filter(({ path }) => path.endsWith('.log'))).toEqual([
    expect.objectContaining({ operation: 'status' }),
  ])
  expect(again.log).toMatchObject({ logEndOffset: 50, highWatermark: 50 })
  expect(await valuesFrom(again.log)).toHaveLength(50)
})

test('with a clean-shutdown marker that does not fit the log, the log is recovered all the same', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  await engine.manager.close()
  const tail = batchOf(['b'])
  batchesIn(tail)[0]!.assign(toOffset(1), 0)
  const whole = engine.disk.medium.contents(FIRST_LOG)
  engine.disk.medium.provideFile(FIRST_LOG, Buffer.concat([whole, tail, Buffer.alloc(100)]))
  const again = await startAgain(engine.disk, { ...engine.options, clock: engine.clock })
  expect(await valuesFrom(again.log)).toEqual(['a', 'b'])
})

test('recovery cut short by a power cut is done again', async () => {
  const clock = new ManualClock()
  const engine = await startNew({ clock, disk: newDisk(clock, 5) })
  for (let at = 0; at < 3; at++) await appendAll(engine.log, `${at}`)
  append(engine.log, batchOfBytes(3_000))
  await settled(1)
  for (let n = 1; n <= 40; n++) {
    const disk = engine.disk.clone(n).powerCut(n)
    disk.faults.haltAtNth(n)
    const starting = startAgain(disk, { ...engine.options, clock })
    starting.catch(() => {})
    await Promise.race([starting, disk.halted])
    const second = await startAgain(disk.powerCut(n + 1), { ...engine.options, clock })
    expect((await valuesFrom(second.log)).slice(0, 3)).toEqual(['0', '1', '2'])
  }
})
