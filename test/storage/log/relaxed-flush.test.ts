/** `flush.messages` above 1: acknowledged once written, said so, flushed by number and by time; and the way back. */

import { expect, test } from 'vitest'
import { logConfigFrom } from '../../../storage/config.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterCleanStop,
  afterKill,
  append,
  appendAll,
  batchOf,
  type Engine,
  type EngineOptions,
  FIRST_LOG,
  newDisk,
  settled,
  startNew,
  stateOf,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const RELAXED = { 'flush.messages': 1_000, 'flush.ms': 500 }
const STRICT = logConfigFrom({})
const isLogSync = (call: { operation: string; path: string }) =>
  call.operation === 'sync' && call.path === FIRST_LOG

async function startWatched(options: EngineOptions = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const engine = await startNew({ clock, disk, fileSystem, config: RELAXED, ...options })
  fileSystem.calls.length = 0
  return { ...engine, fileSystem }
}

test('acknowledged and readable once written, and the answer says written', async () => {
  const { log, fileSystem } = await startWatched()
  const appended = append(log, batchOf(['a']))
  expect(appended.durability).toBe('written')
  await appended.acknowledged
  expect(fileSystem.calls.filter(isLogSync)).toHaveLength(0)
  expect(log).toMatchObject({ highWatermark: 1, writtenOffset: 1, flushedOffset: 0 })
  expect(await valuesFrom(log)).toEqual(['a'])
})

test('flush.ms after the first unsynced record everything is flushed, once', async () => {
  const { log, fileSystem, clock } = await startWatched()
  await appendAll(log, 'a')
  clock.advance(499)
  await appendAll(log, 'b')
  await settled()
  expect(log.flushedOffset).toBe(0)
  clock.advance(1)
  await settled()
  expect(log.flushedOffset).toBe(2)
  clock.advance(10_000)
  await settled()
  expect(fileSystem.calls.filter(isLogSync)).toHaveLength(1)
})

test('flush.messages unsynced records are flushed', async () => {
  const { log, fileSystem } = await startWatched({
    config: { 'flush.messages': 10, 'flush.ms': 1_000_000 },
  })
  for (let at = 0; at < 9; at++) await appendAll(log, `${at}`)
  await settled()
  expect(fileSystem.calls.filter(isLogSync)).toHaveLength(0)
  await appendAll(log, '9')
  await settled()
  expect(fileSystem.calls.filter(isLogSync)).toHaveLength(1)
  expect(log.flushedOffset).toBe(10)
})

test('a flush on request covers everything appended before it', async () => {
  const { log } = await startWatched()
  append(log, batchOf(['a']))
  append(log, batchOf(['b']))
  await log.flush()
  expect(log).toMatchObject({ flushedOffset: 2, highWatermark: 2 })
})

test('a process that dies loses nothing that was acknowledged as written', async () => {
  const engine = await startNew({ config: RELAXED })
  for (let at = 0; at < 20; at++) await appendAll(engine.log, `${at}`)
  expect(await valuesFrom((await afterKill(engine)).log)).toHaveLength(20)
})

test('a clean stop flushes', async () => {
  const engine = await startNew({ config: RELAXED })
  await appendAll(engine.log, 'a')
  const again = await afterCleanStop(engine)
  expect(again.manager.wasCleanlyStopped).toBe(true)
  expect(again.disk.medium.durableContents(FIRST_LOG).length).toBeGreaterThan(61)
  expect(engine.clock.pendingTimers).toBe(1)
})

test('stricter settings hold once everything written before is flushed', async () => {
  const { log, fileSystem } = await startWatched()
  await appendAll(log, 'a')
  const sync = fileSystem.hold(isLogSync)
  const changed = log.setConfig(STRICT)
  const strict = append(log, batchOf(['b']))
  expect(strict.durability).toBe('flushed')
  await settled()
  expect(await stateOf(changed)).toBe('pending')
  expect(await stateOf(strict.acknowledged)).toBe('pending')
  sync.release()
  await changed
  await strict.acknowledged
  expect(log).toMatchObject({ flushedOffset: 2, highWatermark: 2 })
})

test('a group formed before the settings changed keeps what it promised', async () => {
  const { log, fileSystem } = await startWatched({ config: {} })
  const sync = fileSystem.hold(isLogSync)
  const first = append(log, batchOf(['a']))
  await settled()
  const strict = append(log, batchOf(['b']))
  await log.setConfig(logConfigFrom(RELAXED))
  const relaxed = append(log, batchOf(['c']))
  await log.setConfig(logConfigFrom(RELAXED))
  expect([first, strict, relaxed].map(({ durability }) => durability)).toEqual([
    'flushed',
    'flushed',
    'written',
  ])
  sync.release()
  await Promise.all([first, strict].map(({ acknowledged }) => acknowledged))
  expect(log.flushedOffset).toBeGreaterThanOrEqual(2)
  await relaxed.acknowledged
  expect(await valuesFrom(log)).toEqual(['a', 'b', 'c'])
})

test('settings that change back and forth under load lose no order and no promise', async () => {
  const clock = new ManualClock()
  const { log } = await startNew({ clock, disk: newDisk(clock, 3), config: RELAXED })
  const working: Promise<unknown>[] = []
  for (let at = 0; at < 100; at++) {
    const { durability, acknowledged } = append(log, batchOf([`${at}`]))
    const end = at + 1
    working.push(
      acknowledged.then(() => {
        expect(log.highWatermark).toBeGreaterThanOrEqual(end)
        if (durability === 'flushed') expect(log.flushedOffset).toBeGreaterThanOrEqual(end)
      }),
    )
    if (at % 10 === 5) working.push(log.setConfig(STRICT))
    if (at % 10 === 9) working.push(log.setConfig(logConfigFrom(RELAXED)))
    if (at % 4 === 0) await settled(1)
  }
  await Promise.all(working)
  expect(await valuesFrom(log)).toEqual(Array.from({ length: 100 }, (_, at) => `${at}`))
})

test('a background flush that fails takes the log offline, and crashes nobody', async () => {
  const { log, disk, clock } = await startWatched()
  await appendAll(log, 'a')
  disk.faults.failNth(1, 'EIO', { which: isLogSync })
  clock.advance(500)
  await settled()
  expect(log.isOffline).toBe(true)
  expect(await valuesFrom(log)).toEqual(['a'])
})

test('no timer outlives a closed or released log', async () => {
  for (const end of ['close', 'release'] as const) {
    const { log, clock, manager } = (await startWatched()) as Engine
    append(log, batchOf(['a']))
    await log[end]()
    await settled()
    await manager.close()
    expect(clock.pendingTimers).toBe(0)
  }
})
