/** Which log is compacted when, and that one that fails does not hold up the others. */

import { describe, expect, test } from 'vitest'
import { CLEANER_DEFAULTS, Cleaner } from '../../../storage/compaction/cleaner.ts'
import { type WorkPlace, workPlaceInThread } from '../../../storage/compaction/work-place.ts'
import { logConfigFrom } from '../../../storage/config.ts'
import { encodeCheckpoint } from '../../../storage/file/checkpoint.ts'
import type { Log } from '../../../storage/log/log.ts'
import { type Logger, silentLogger } from '../../../storage/logger.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterKill,
  type Engine,
  type EngineOptions,
  LOG_DIRECTORY,
  newDisk,
  settled,
  TOPIC,
} from '../log/engine.ts'
import { WatchedDisk } from '../log/watched-disk.ts'
import { COMPACTED, compactNow, put, startCompacted, wordsOf } from './keyed-log.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const logOf = ({ manager }: Engine, partition: number) => manager.log(TOPIC, partition)!

/** `clean` batches that were compacted, then `dirty` ones in a segment of their own. */
async function fill(log: Log, clean: number, dirty: number): Promise<void> {
  for (let at = 0; at < clean; at++) await put(log, `k${at}=1`)
  if (clean > 0) await put(log, 'k0=1')
  await log.roll()
  if (clean > 0) await compactNow(log)
  for (let at = 0; at < dirty; at++) await put(log, `k${at % 4}=${at}`)
  await log.roll()
}

describe('a log is due', () => {
  test('when enough of its closed segments was not looked at', async () => {
    const { log } = await startCompacted({ 'min.cleanable.dirty.ratio': 0.5 })
    expect(await log.compaction.dirt()).toMatchObject({ dirtyBytes: 0, ratio: 0, isDue: false })
    await fill(log, 10, 9)
    expect(await log.compaction.dirt()).toMatchObject({ isDue: false })
    await put(log, 'more=1')
    await put(log, 'and=more')
    expect(await log.compaction.dirt()).toMatchObject({ isDue: false })
    await log.roll()
    const dirt = await log.compaction.dirt()
    expect(dirt!.ratio).toBeGreaterThan(0.5)
    expect(dirt!.isDue).toBe(true)
  })

  test('never, when its policy is to delete', async () => {
    const { log, manager } = await startCompacted({ 'cleanup.policy': 'delete' })
    await fill(log, 0, 5)
    expect(await log.compaction.dirt()).toBeUndefined()
    await manager.compact()
    expect(manager.cleanerTotals.compactions).toBe(0)
    await log.setConfig(logConfigFrom(COMPACTED))
    await manager.compact()
    expect(manager.cleanerTotals).toMatchObject({ compactions: 1, recordsRead: 5 })
  })

  test('not before its records are min.compaction.lag.ms old, nor those behind them', async () => {
    const { log, clock, manager } = await startCompacted({ 'min.compaction.lag.ms': HOUR_MS })
    await put(log, 'a=1', { timestamps: [clock.now()] })
    await log.roll()
    await put(log, 'a=2', { timestamps: [0] })
    await log.roll()
    clock.advance(HOUR_MS - 1)
    await manager.compact()
    expect(await wordsOf(log)).toBe('0:a=1 1:a=2')
    clock.advance(1)
    await manager.compact()
    expect(await wordsOf(log)).toBe('1:a=2')
  })

  test('after max.compaction.lag.ms however little there is, and closes its segment for it', async () => {
    const config = { 'min.cleanable.dirty.ratio': 1, 'max.compaction.lag.ms': HOUR_MS }
    const { log, clock, manager } = await startCompacted(config)
    await fill(log, 10, 0)
    await put(log, 'k0=2', { timestamps: [clock.now()] })
    clock.advance(HOUR_MS)
    await manager.compact()
    expect(await wordsOf(log)).toContain('10:k0=1')
    clock.advance(1)
    await manager.compact()
    expect(await wordsOf(log)).not.toContain('10:k0=1')
    expect(await wordsOf(log)).toContain('11:k0=2')
  })

  test('not while the wall clock jumps: tombstones get their date by it', async () => {
    const { log, clock, manager } = await startCompacted()
    await put(log, 'a=1 a=')
    await log.roll()
    clock.jumpWall(30 * DAY_MS)
    await manager.compact()
    expect(await wordsOf(log)).toBe('0:a=1 1:a=')
    await manager.compact()
    expect(await wordsOf(log)).toBe('1:a=')
  })
})

async function startWatched(options: EngineOptions = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const config = { 'min.cleanable.dirty.ratio': 0.1 }
  return { ...(await startCompacted(config, { clock, disk, fileSystem, ...options })), fileSystem }
}

/** The partitions whose segments took their place, in that order. */
function swapped(fileSystem: WatchedDisk): number[] {
  return fileSystem.calls
    .filter(({ operation, path }) => operation === 'rename' && path.endsWith('.log.swap'))
    .map(({ path }) => Number(/orders-(\d+)/.exec(path)![1]))
}

describe('of several logs', () => {
  test('the one whose thread ends stays as it is, and those behind it are compacted', async () => {
    const { manager, clock } = await startCompacted({}, { partitions: 3 })
    const logs = [0, 1, 2].map((partition) => manager.log(TOPIC, partition)!)
    for (const [partition, log] of logs.entries()) {
      await fill(log, 0, 10 + partition)
    }
    let opened = 0
    const cleaner = new Cleaner({
      logs: () => logs,
      clock,
      settings: CLEANER_DEFAULTS,
      maxDecompressedBytes: 1 << 20,
      logger: silentLogger,
      openWorkPlace() {
        opened++
        const place = workPlaceInThread()
        if (opened > 1) return place
        // In the middle of the first log.
        const note: WorkPlace['note'] = (piece) => {
          const noted = place.note(piece)
          void place.close()
          return noted
        }
        return { ...place, note }
      },
    })
    await cleaner.compactDue()
    expect(cleaner.totals).toMatchObject({ failures: 1, compactions: 2 })
    expect(logs.filter((log) => log.compaction.failure !== undefined)).toHaveLength(1)
    await cleaner.close()
  })

  test('the dirtiest comes first, one at a time', async () => {
    const engine = await startWatched({ partitions: 3 })
    await fill(logOf(engine, 0), 20, 5)
    await fill(logOf(engine, 1), 0, 10)
    await fill(logOf(engine, 2), 20, 15)
    // What was compacted while filling.
    engine.fileSystem.calls.length = 0
    const held = engine.fileSystem.hold(
      ({ operation, path }) => operation === 'create' && path.endsWith('.log.cleaned'),
    )
    const compacting = engine.manager.compact()
    await settled(100)
    expect(held.waiting).toBe(1)
    expect(engine.manager.cleanerTotals.running).toBe(1)
    held.release()
    await compacting
    expect(swapped(engine.fileSystem)).toEqual([1, 2, 0])
    expect(engine.manager.cleanerTotals).toMatchObject({ compactions: 3, running: 0, failures: 0 })
  })

  test('as many at once as log.cleaner.threads says', async () => {
    const engine = await startWatched({ partitions: 3, settings: { cleanerThreads: 2 } })
    for (const partition of [0, 1, 2]) await fill(logOf(engine, partition), 0, 5)
    const held = engine.fileSystem.hold(
      ({ operation, path }) => operation === 'create' && path.endsWith('.log.cleaned'),
    )
    const compacting = engine.manager.compact()
    await settled(100)
    expect(held.waiting).toBe(2)
    held.release()
    await compacting
    expect(engine.manager.cleanerTotals.compactions).toBe(3)
  })

  test('one that fails is left as it is, told, and tried again after a while; the others are compacted', async () => {
    const errors: object[] = []
    const logger: Logger = {
      debug() {},
      info() {},
      warn() {},
      error: (values) => errors.push(values),
    }
    const engine = await startWatched({ partitions: 2, logger })
    for (const partition of [0, 1]) await fill(logOf(engine, partition), 0, 5)
    await put(logOf(engine, 1), 'k0=3')
    await logOf(engine, 1).roll()
    engine.disk.faults.failWhen(
      ({ path }) => path.startsWith(LOG_DIRECTORY) && path.endsWith('.cleaned'),
      'EIO',
    )
    await engine.manager.compact()
    expect(engine.manager.cleanerTotals).toMatchObject({ compactions: 1, failures: 1 })
    expect(logOf(engine, 0).compaction.failure).toContain('EIO')
    expect(logOf(engine, 1).compaction.failure).toBeUndefined()
    expect(errors).toMatchObject([{ topic: TOPIC, partition: 0 }])
    engine.disk.faults.clear()
    await engine.manager.compact()
    expect(engine.manager.cleanerTotals).toMatchObject({ compactions: 1, failures: 1 })
    engine.clock.advance(HOUR_MS)
    await engine.manager.compact()
    expect(engine.manager.cleanerTotals).toMatchObject({ compactions: 2, failures: 1 })
    expect(logOf(engine, 0).compaction.failure).toBeUndefined()
  })
})

describe('in the background', () => {
  const settings = { cleanerEnabled: true, cleanerBackoffMs: 1_000 }

  test('logs are looked at every log.cleaner.backoff.ms', async () => {
    const { log, clock } = await startCompacted({}, { settings })
    await put(log, 'a=1 a=2')
    await log.roll()
    clock.advance(999)
    await settled(100)
    expect(await wordsOf(log)).toBe('0:a=1 1:a=2')
    for (let round = 0; round < 3; round++) {
      clock.advance(1_000)
      await settled(200)
      expect(await wordsOf(log)).toBe(`${2 * round + 1}:a=${round + 2}`)
      await put(log, `a=x a=${round + 3}`)
      await log.roll()
    }
  })

  test('no timer is left when the engine is closed, also in the middle of a look', async () => {
    const { log, clock, manager } = await startCompacted({}, { settings })
    await put(log, 'a=1 a=2')
    await log.roll()
    clock.advance(1_000)
    expect(await manager.close()).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('reading and writing keep to log.cleaner.io.max.bytes.per.second, and closing does not wait for that', async () => {
    const { log, clock, manager } = await startCompacted(
      { 'segment.bytes': 100_000 },
      { settings: { cleanerBytesPerSecond: 10_000, cleanerBufferBytes: 4_000 } },
    )
    for (let at = 0; at < 100; at++) await put(log, `k${at % 10}=${'v'.repeat(500)}`)
    await log.roll()
    const sizeBytes = log.sizeBytes
    const startedAtMs = clock.monotonicMs()
    const compacting = manager.compact()
    while (manager.cleanerTotals.compactions === 0) {
      clock.advance(10)
      await settled(3)
    }
    await compacting
    const { readBytes, writtenBytes } = manager.cleanerTotals
    expect(readBytes).toBeGreaterThanOrEqual(2 * sizeBytes)
    const seconds = (clock.monotonicMs() - startedAtMs) / 1_000
    expect((readBytes + writtenBytes) / seconds).toBeLessThan(12_000)
    expect((readBytes + writtenBytes) / seconds).toBeGreaterThan(6_000)

    for (let at = 0; at < 100; at++) await put(log, `k${at % 10}=${'w'.repeat(500)}`)
    await log.roll()
    const stopped = manager.compact()
    await settled(100)
    expect(await manager.close()).toBe(true)
    await stopped
    expect(manager.cleanerTotals.compactions).toBe(1)
  })
})

test('a full disk: the reserve is left to appends, and the log says what is missing', async () => {
  const { log, disk, manager } = await startCompacted({}, { settings: { diskReserveBytes: 5_000 } })
  await put(log, `a=${'x'.repeat(1_000)} b=1`)
  await put(log, 'a=2')
  await log.roll()
  disk.capacityBytes = disk.usedBytes() + 6_000
  await manager.compact()
  expect(log.compaction.failure).toMatch(
    /needs 1\d\d\d bytes beside the disk's reserve, \d+ are free/,
  )
  expect(await wordsOf(log)).toContain('1:b=1 2:a=2')
  expect((await put(log, 'c=1')).baseOffset).toBe(3)
})

test('a compaction point that is of another log means work, not loss', async () => {
  const engine = await startCompacted()
  await put(engine.log, 'a=1 a=2')
  await engine.log.roll()
  const body = Buffer.alloc(8)
  body.writeBigInt64BE(1_000n)
  engine.disk.medium.provideFile(`${LOG_DIRECTORY}/compaction-point`, encodeCheckpoint(1, body))
  await engine.manager.compact()
  expect(await wordsOf(engine.log)).toBe('1:a=2')
})

test('a compaction point that is damaged means work, not loss', async () => {
  const engine = await startCompacted()
  await put(engine.log, 'a=1 a=2')
  await engine.log.roll()
  await engine.manager.compact()
  const path = `${LOG_DIRECTORY}/compaction-point`
  expect(engine.disk.medium.contents(path)).toHaveLength(18)
  engine.disk.medium.corrupt(path, 9, Buffer.from([7]))
  const again = await afterKill(engine)
  await put(again.log, 'a=3')
  await again.log.roll()
  await again.manager.compact()
  expect(again.manager.cleanerTotals).toMatchObject({ compactions: 1, failures: 0 })
  expect(await wordsOf(again.log)).toBe('2:a=3')
})
