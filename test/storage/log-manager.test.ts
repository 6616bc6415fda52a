/** All logs of a data directory: created, deleted, recreated through crashes; strays kept; few files open. */

import { expect, test } from 'vitest'
import { logConfigFrom } from '../../storage/config.ts'
import { SyncScheduler } from '../../storage/file/sync-scheduler.ts'
import { OwnFileDurability } from '../../storage/log/durability.ts'
import type { LogManager } from '../../storage/log-manager.ts'
import { type Logger, silentLogger } from '../../storage/logger.ts'
import { toOffset } from '../../storage/record/offsets.ts'
import { ManualClock } from '../rigs/clock.ts'
import type { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'
import {
  afterCleanStop,
  afterKill,
  append,
  appendAll,
  batchOf,
  DIRECTORY,
  type Engine,
  LOG_DIRECTORY,
  newDisk,
  openManager,
  settled,
  startAgain,
  startNew,
  TOPIC,
  TOPIC_ID,
  topicOf,
  valuesFrom,
} from './log/engine.ts'
import { WatchedDisk } from './log/watched-disk.ts'

const OTHER_ID = '0b1e0000-0000-4000-8000-0000000000ff'
const CONFIG = logConfigFrom({})
const IDENTITY = { name: TOPIC, topicId: TOPIC_ID }

async function directoriesOf(disk: SimulatedDisk): Promise<string[]> {
  const entries = await disk.list(DIRECTORY)
  return entries
    .filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name)
    .sort()
}

async function openOn(
  engine: Pick<Engine, 'options' | 'clock'>,
  disk: SimulatedDisk,
): Promise<LogManager> {
  return openManager(engine.options, disk, engine.clock)
}

// ---- create and delete

test('created logs and their names are durable when the call resolves', async () => {
  const engine = await startNew({ partitions: 3 })
  for (let seed = 1; seed <= 10; seed++) {
    const manager = await openOn(engine, engine.disk.clone(seed).powerCut(seed))
    await manager.loadLogs([topicOf(engine.options)])
    expect([...manager.failures]).toEqual([])
    expect([...manager.logs]).toHaveLength(3)
  }
})

test('creating what is there changes nothing', async () => {
  const { manager, log, options } = await startNew()
  await appendAll(log, 'a')
  await manager.createTopicLogs(topicOf(options), [0])
  expect(manager.log(TOPIC, 0)).toBe(log)
  await manager.createTopicLogs(topicOf(options), [0, 1])
  expect(manager.log(TOPIC, 0)).toBe(log)
  expect(await valuesFrom(log)).toEqual(['a'])
  expect(manager.log(TOPIC, 1)).toMatchObject({ logEndOffset: 0, leaderEpoch: 0 })
})

test('a creation cut short by a power cut at any call can be finished by the next start', async () => {
  const clock = new ManualClock()
  const options = { partitions: 3 }
  for (let n = 1; n <= 60; n++) {
    const disk = newDisk(clock)
    const manager = await openManager(options, disk, clock)
    await manager.loadLogs([])
    disk.faults.haltAtNth(n)
    const creating = manager.createTopicLogs(topicOf(options), [0, 1, 2])
    await Promise.race([creating.catch(() => {}), disk.halted])
    const again = await openManager(options, disk.powerCut(n), clock)
    // Known by name, so that what there is of it is not set aside; not loaded.
    await again.loadLogs([{ ...topicOf(options), partitions: 0 }])
    await again.createTopicLogs(topicOf(options), [0, 1, 2])
    for (let partition = 0; partition < 3; partition++) {
      await appendAll(again.log(TOPIC, partition)!, 'a')
    }
    expect(await again.close()).toBe(true)
  }
})

test('a log that was in use is never made anew, and the refusal does not say where the data lies', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  const disk = engine.disk.processKill(1)
  const manager = await openOn(engine, disk)
  await manager.loadLogs([{ ...topicOf(engine.options), partitions: 0 }])
  const refusal = await manager.createTopicLogs(topicOf(engine.options), [0]).catch((it) => it)
  expect(refusal).toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    values: { file: `${TOPIC}-0/00000000000000000000.log` },
  })
  expect(refusal.message).not.toContain(DIRECTORY)
  await manager.loadLogs([topicOf(engine.options)])
  expect(await valuesFrom(manager.log(TOPIC, 0)!)).toEqual(['a'])
})

test('a creation that fails for want of room leaves no open file, and can be tried again', async () => {
  const clock = new ManualClock()
  for (let n = 1; ; n++) {
    const disk = newDisk(clock)
    const manager = await openManager({}, disk, clock)
    await manager.loadLogs([])
    disk.faults.failNth(n, 'ENOSPC')
    const isMade = await manager.createTopicLogs(topicOf({}), [0]).then(
      () => true,
      () => false,
    )
    disk.faults.clear()
    if (disk.faults.struck.length === 0) break
    if (isMade) continue
    if (disk.faults.struck[0]!.path.endsWith('leader-epochs')) continue
    await manager.createTopicLogs(topicOf({}), [0])
    await appendAll(manager.log(TOPIC, 0)!, 'a')
    await manager.close()
    expect(disk.openPaths).toEqual([])
  }
})

test('deleting leaves nothing, twice is once, and a topic made anew under the name is a new one', async () => {
  const engine = await startNew({ partitions: 2 })
  const { manager, disk, log } = engine
  await appendAll(log, 'old')
  await manager.deleteTopicLogs(IDENTITY)
  expect(manager.log(TOPIC, 0)).toBeUndefined()
  expect(await directoriesOf(disk)).toEqual([])
  await manager.deleteTopicLogs(IDENTITY)
  await manager.createTopicLogs({ name: TOPIC, topicId: OTHER_ID, config: CONFIG }, [0])
  const anew = manager.log(TOPIC, 0)!
  expect(anew).toMatchObject({ logEndOffset: 0, leaderEpoch: 0, topicId: OTHER_ID })
  await appendAll(anew, 'new')
  // The old topic's deletion, repeated after a crash, does not touch the new one.
  await manager.deleteTopicLogs(IDENTITY)
  expect(await valuesFrom(manager.log(TOPIC, 0)!)).toEqual(['new'])
})

test('after a power cut at any call of a deletion the topic is whole or can be deleted for good', async () => {
  for (let n = 1; n <= 40; n++) {
    const engine = await startNew({ partitions: 2 })
    await appendAll(engine.log, 'a')
    engine.disk.faults.haltAtNth(n)
    await Promise.race([engine.manager.deleteTopicLogs(IDENTITY), engine.disk.halted])
    const disk = engine.disk.powerCut(n)
    const manager = await openOn(engine, disk)
    await manager.deleteTopicLogs(IDENTITY)
    await manager.loadLogs([])
    expect(await directoriesOf(disk)).toEqual([])
  }
})

test('appends and reads on a topic being deleted end with an answer', async () => {
  const { manager, log, clock } = await startNew()
  await appendAll(log, 'a')
  const pending = append(log, batchOf(['b']))
  const read = log.read(toOffset(0), { maxBytes: 1_000 })
  let wakes = 0
  log.onHighWatermark(() => wakes++)
  const deleting = manager.deleteTopicLogs(IDENTITY)
  expect(() => append(log, batchOf(['c']))).toThrow(
    expect.objectContaining({ code: 'NOT_LEADER_OR_FOLLOWER', outcome: 'refused' }),
  )
  await pending.acknowledged
  expect((await read).nextOffset).toBe(1)
  await deleting
  expect(wakes).toBeGreaterThan(0)
  await expect(log.read(toOffset(0), { maxBytes: 1_000 })).rejects.toMatchObject({
    code: 'NOT_LEADER_OR_FOLLOWER',
  })
  await expect(log.offsetForTime(0)).rejects.toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER' })
  await expect(log.roll()).rejects.toMatchObject({ code: 'NOT_LEADER_OR_FOLLOWER' })
  clock.advance(1_000_000)
  await settled()
})

// ---- what lies in the directory

test('directories of topics nobody knows are set aside, reported and kept; also two of them that say nothing', async () => {
  const engine = await startNew({ partitions: 2 })
  await appendAll(engine.log, 'a')
  const disk = engine.disk.processKill(1)
  for (const name of ['ghost-0', 'shade-0']) {
    disk.medium.provideDirectory(`${DIRECTORY}/${name}`)
    disk.medium.provideFile(`${DIRECTORY}/${name}/00000000000000000000.log`, Buffer.from(name))
  }
  disk.medium.provideDirectory(`${DIRECTORY}/not a partition`)
  const warnings: object[] = []
  const logger: Logger = { ...silentLogger, warn: (values) => warnings.push(values) }
  const manager = await openManager({ ...engine.options, logger }, disk, engine.clock)
  await manager.loadLogs([])
  const directories = await directoriesOf(disk)
  expect(directories).toHaveLength(5)
  expect(directories.filter((name) => name.endsWith('.stray'))).toHaveLength(4)
  expect(directories).toContain(`${TOPIC_ID}-0.stray`)
  expect(warnings).toHaveLength(4)
  const contents = disk.medium.paths(DIRECTORY).filter((path) => path.includes('.stray/'))
  expect(contents.filter((path) => path.endsWith('.log'))).toHaveLength(4)
  await manager.close()
  // They are kept by the starts to come, and reported again.
  const again = await openManager({ ...engine.options, logger }, disk, engine.clock)
  await again.loadLogs([])
  expect(await directoriesOf(disk)).toEqual(directories)
  expect(warnings).toHaveLength(8)
})

test('a directory that is set aside twice is kept twice', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'first')
  await engine.manager.close()
  const { disk } = engine
  const files = disk.medium
    .paths(LOG_DIRECTORY)
    .map((path) => [path, disk.medium.contents(path)] as const)
  const first = await openOn(engine, disk)
  await first.loadLogs([])
  await first.close()
  // The operator puts the copy from his backup in place; its topic is still unknown.
  disk.medium.provideDirectory(LOG_DIRECTORY)
  for (const [path, bytes] of files) disk.medium.provideFile(path, bytes)
  const second = await openOn(engine, disk)
  await second.loadLogs([])
  expect((await directoriesOf(disk)).filter((name) => name.endsWith('.stray'))).toHaveLength(2)
})

test('a directory under the name of a topic made anew, but of the old one, is set aside', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'old')
  const disk = engine.disk.processKill(1)
  const manager = await openOn(engine, disk)
  await manager.loadLogs([{ name: TOPIC, topicId: OTHER_ID, partitions: 0, config: CONFIG }])
  expect(await directoriesOf(disk)).toEqual([`${TOPIC_ID}-0.stray`])
  await manager.createTopicLogs({ name: TOPIC, topicId: OTHER_ID, config: CONFIG }, [0])
  expect(manager.log(TOPIC, 0)!.logEndOffset).toBe(0)
})

test('what a crash left of a deletion is swept at the next start', async () => {
  const engine = await startNew()
  const disk = engine.disk.processKill(1)
  const doomed = `${DIRECTORY}/${OTHER_ID}-3.delete`
  disk.medium.provideDirectory(doomed)
  disk.medium.provideFile(`${doomed}/00000000000000000000.log`, Buffer.alloc(10))
  await startAgain(disk, { ...engine.options, clock: engine.clock })
  expect(await directoriesOf(disk)).toEqual([`${TOPIC}-0`])
})

test('what a crash left of a deleted segment is swept at the next start', async () => {
  const engine = await startNew()
  await appendAll(engine.log, 'a')
  await engine.log.roll()
  await appendAll(engine.log, 'b')
  await engine.log.deletePrefix(toOffset(1))
  const disk = engine.disk.processKill(1)
  expect(disk.medium.paths(LOG_DIRECTORY).filter((path) => path.endsWith('.deleted'))).not.toEqual(
    [],
  )
  const { log } = await startAgain(disk, { ...engine.options, clock: engine.clock })
  expect(disk.medium.paths(LOG_DIRECTORY).filter((path) => path.endsWith('.deleted'))).toEqual([])
  expect(await valuesFrom(log)).toEqual(['b'])
})

// ---- few descriptors, few syncs at once

test('twenty logs work with three open files, through appends, reads, rolls, deletions and restarts', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock, 17)
  const settings = { openFilesMax: 3 }
  const config = { 'segment.bytes': 1_024, 'file.delete.delay.ms': 0 }
  let engine = await startNew({ clock, disk, settings, config, partitions: 20 })
  const expected = Array.from({ length: 20 }, () => [] as string[])
  for (let round = 0; round < 3; round++) {
    const logs = expected.map((_, partition) => engine.manager.log(TOPIC, partition)!)
    for (let at = 0; at < 6; at++) {
      await Promise.all(
        logs.map(async (log, partition) => {
          const value = `${round}.${at}`.padEnd(50 + partition * 20, '.')
          expected[partition]!.push(value)
          await appendAll(log, value)
        }),
      )
      clock.advance(1)
    }
    await settled()
    expect(engine.manager.openFileCount).toBeLessThanOrEqual(3)
    for (const [partition, log] of logs.entries()) {
      expect(await valuesFrom(log)).toEqual(expected[partition]!.slice(log.logStartOffset))
    }
    await logs[round]!.deletePrefix(toOffset(4))
    engine = await (round % 2 === 0 ? afterKill(engine) : afterCleanStop(engine))
  }
})

test('many partitions sync at once only as far as the scheduler lets them, and all are served', async () => {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const scheduler = new SyncScheduler(2)
  const durability = new OwnFileDurability(scheduler, clock, () => {})
  const { manager } = await startNew({ clock, disk, fileSystem, durability, partitions: 12 })
  const held = fileSystem.hold(
    ({ operation, path }) => operation === 'sync' && path.endsWith('.log'),
  )
  const appends = Array.from({ length: 12 }, (_, partition) =>
    appendAll(manager.log(TOPIC, partition)!, 'a'),
  )
  await settled()
  expect(held.waiting).toBe(2)
  expect(scheduler).toMatchObject({ runningCount: 2, waitingCount: 10 })
  held.release()
  await Promise.all(appends)
  expect(scheduler).toMatchObject({ runningCount: 0, waitingCount: 0 })
})

test('one log that cannot be opened is named with its reason; the others, and its neighbours, are served', async () => {
  const engine = await startNew({ partitions: 3 })
  for (let partition = 0; partition < 3; partition++) {
    await appendAll(engine.manager.log(TOPIC, partition)!, `${partition}`)
  }
  const disk = engine.disk.processKill(1)
  disk.faults.failWhen(({ path }) => path.includes('/orders-1/'), 'EIO')
  const errors: object[] = []
  const logger: Logger = { ...silentLogger, error: (values) => errors.push(values) }
  const manager = await openManager({ ...engine.options, logger }, disk, engine.clock)
  await manager.loadLogs([topicOf(engine.options)])
  disk.faults.clear()
  expect([...manager.failures.keys()]).toEqual(['orders-1'])
  expect(() => manager.log(TOPIC, 1)).toThrow(/orders-1/)
  expect(errors).toMatchObject([{ topic: TOPIC, partition: 1 }])
  expect(await valuesFrom(manager.log(TOPIC, 2)!)).toEqual(['2'])
  await manager.deleteTopicLogs(IDENTITY)
  expect(manager.failures.size).toBe(0)
})
