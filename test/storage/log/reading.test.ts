/** Reads: whole batches from the one that holds the offset, one positioned read, never past what may be seen. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  afterCleanStop,
  afterKill,
  append,
  appendAll,
  batchesIn,
  batchOf,
  batchOfBytes,
  type Engine,
  FIRST_LOG,
  newDisk,
  settled,
  startAgain,
  startNew,
  valuesFrom,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

async function startWatched(config: Record<string, number> = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const engine = await startNew({ clock, disk, fileSystem, config })
  return { ...engine, fileSystem }
}

const isLogRead = (call: { operation: string; path: string }) =>
  call.operation === 'read' && call.path.endsWith('.log')

test('every offset finds the batch that holds it, in every segment, before and after restarts', async () => {
  const engine = await startNew({ config: { 'segment.bytes': 4_096, 'index.interval.bytes': 200 } })
  const holders: number[] = []
  for (let at = 0; at < 60; at++) {
    const values = Array.from({ length: 1 + ((at * 7) % 5) }, () => '.'.repeat((at * 37) % 300))
    const { baseOffset, acknowledged } = append(engine.log, batchOf(values))
    await acknowledged
    for (const _ of values) holders.push(baseOffset)
  }
  expect(engine.log.segmentCount).toBeGreaterThan(4)
  const check = async ({ log }: Engine) => {
    for (const [offset, holder] of holders.entries()) {
      const read = await log.read(toOffset(offset), { maxBytes: 1 })
      const batches = batchesIn(read.bytes)
      expect(batches).toHaveLength(1)
      expect(batches[0]!.baseOffset).toBe(holder)
      expect(read.nextOffset).toBe(batches[0]!.nextOffset)
    }
  }
  await check(engine)
  const killed = await afterKill(engine)
  await check(killed)
  const stopped = await afterCleanStop(killed)
  await check(stopped)
})

test('a reader that follows nextOffset sees every record once, whatever it asks for at once', async () => {
  const engine = await startNew({ config: { 'segment.bytes': 2_048 } })
  const values = Array.from({ length: 80 }, (_, at) => `${at}`.padEnd((at * 31) % 400, '.'))
  for (const value of values) await appendAll(engine.log, value)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5_000 }),
      fc.nat({ max: 79 }),
      async (maxBytes, from) => {
        expect(await valuesFrom(engine.log, from, maxBytes)).toEqual(values.slice(from))
      },
    ),
    { numRuns: 40 },
  )
})

test('at most the bytes asked for, but at least one whole batch', async () => {
  const { log } = await startNew()
  const batches = [200, 1_000, 200, 200].map((bytes) => batchOfBytes(bytes))
  for (const batch of batches) await append(log, batch).acknowledged
  const sizes = batches.map(({ length }) => length)
  const read = async (from: number, maxBytes: number) =>
    (await log.read(toOffset(from), { maxBytes })).bytes.length
  expect(await read(0, 0)).toBe(sizes[0])
  expect(await read(0, sizes[0]! - 1)).toBe(sizes[0])
  expect(await read(0, sizes[0]! + sizes[1]! - 1)).toBe(sizes[0])
  expect(await read(0, sizes[0]! + sizes[1]!)).toBe(sizes[0]! + sizes[1]!)
  expect(await read(1, 100)).toBe(sizes[1])
  expect(await read(2, 1_000_000)).toBe(sizes[2]! + sizes[3]!)
})

test('a follower of the log is served by one read of no more than it asked for, without a look at the index', async () => {
  const { log, fileSystem } = await startWatched()
  for (let at = 0; at < 200; at++) await append(log, batchOfBytes(500)).acknowledged
  let next = toOffset(0)
  const maxBytes = 10_000
  while (next < log.highWatermark) {
    fileSystem.calls.length = 0
    const read = await log.read(next, { maxBytes })
    const reads = fileSystem.calls.filter(isLogRead)
    expect(reads).toHaveLength(1)
    expect(reads[0]!.bytes).toBeLessThanOrEqual(maxBytes)
    expect(fileSystem.count('readFile', '.index')).toBe(0)
    next = read.nextOffset
  }
})

test('a batch larger than asked for costs a second read, of exactly the batch', async () => {
  const { log, fileSystem } = await startWatched()
  const batch = batchOfBytes(50_000)
  await append(log, batch).acknowledged
  await appendAll(log, 'b')
  fileSystem.calls.length = 0
  await log.read(toOffset(0), { maxBytes: 1_000 })
  expect(fileSystem.calls.filter(isLogRead).map(({ bytes }) => bytes)).toEqual([
    1_000,
    batch.length,
  ])
})

test('a batch larger than it may be is not read, and what fits is', async () => {
  const { log, fileSystem } = await startWatched()
  const large = batchOfBytes(50_000)
  for (const batch of [batchOfBytes(500), large]) await append(log, batch).acknowledged
  const read = (from: number, firstBytesMax: number) =>
    log.read(toOffset(from), { maxBytes: 1_000, firstBytesMax })
  expect(await read(0, 1_000)).toMatchObject({ nextOffset: 1, highWatermark: 2 })
  fileSystem.calls.length = 0
  const none = await read(1, large.length - 1)
  expect([none.bytes.length, none.nextOffset]).toEqual([0, 1])
  expect(fileSystem.calls.filter(isLogRead).map(({ bytes }) => bytes)).toEqual([1_000])
  expect((await read(1, large.length)).bytes).toHaveLength(large.length)
})

test('looking up an offset reads a few headers, not the bodies', async () => {
  const { log, fileSystem } = await startWatched({ 'index.interval.bytes': 4_096 })
  for (let at = 0; at < 50; at++) await append(log, batchOfBytes(20_000)).acknowledged
  fileSystem.calls.length = 0
  const read = await log.read(toOffset(37), { maxBytes: 1 })
  expect(batchesIn(read.bytes)[0]!.baseOffset).toBe(37)
  const lookup = fileSystem.calls.filter(isLogRead).slice(0, -2)
  expect(lookup.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(3 * 8_192)
})

test('never beyond the high watermark, and a replica never beyond what is written', async () => {
  const { log, fileSystem } = await startWatched()
  await appendAll(log, 'a')
  const sync = fileSystem.hold((call) => call.operation === 'sync' && call.path === FIRST_LOG)
  const pending = append(log, batchOf(['b']))
  await settled()
  append(log, batchOf(['c']))
  expect(log).toMatchObject({ highWatermark: 1, writtenOffset: 2, logEndOffset: 3 })
  const all = { maxBytes: 100_000 }
  expect(batchesIn((await log.read(toOffset(0), all)).bytes)).toHaveLength(1)
  expect((await log.read(toOffset(1), all)).bytes).toHaveLength(0)
  const asReplica = await log.read(toOffset(0), { ...all, upTo: log.logEndOffset })
  expect(asReplica.nextOffset).toBe(2)
  expect(batchesIn(asReplica.bytes)).toHaveLength(2)
  const limited = await log.read(toOffset(0), { ...all, upTo: toOffset(0) })
  expect(limited.bytes).toHaveLength(0)
  sync.release()
  await pending.acknowledged
})

test('an offset outside the log is refused with both ends', async () => {
  const { log } = await startNew()
  for (const value of ['a', 'b', 'c']) await appendAll(log, value)
  await log.deletePrefix(toOffset(1))
  const values = { logStartOffset: 1, highWatermark: 3 }
  for (const offset of [0, 4, 1_000]) {
    await expect(log.read(toOffset(offset), { maxBytes: 100 })).rejects.toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      values: { ...values, offset },
    })
  }
  expect(await log.read(toOffset(3), { maxBytes: 100 })).toMatchObject({ nextOffset: 3, ...values })
})

test('a reader at the end of a segment goes on in the next one', async () => {
  const { log } = await startNew()
  await appendAll(log, 'a')
  const first = await log.read(toOffset(0), { maxBytes: 1_000 })
  await log.roll()
  await appendAll(log, 'b')
  expect(first.nextOffset).toBe(1)
  expect(await valuesFrom(log, 1)).toEqual(['b'])
})

test('a read under way while the log rolls sees what was visible when it was asked', async () => {
  const { log, fileSystem } = await startWatched()
  await appendAll(log, 'a')
  const held = fileSystem.hold(isLogRead)
  const read = log.read(toOffset(0), { maxBytes: 1_000 })
  await settled()
  await appendAll(log, 'b')
  await log.roll()
  await appendAll(log, 'c')
  held.release()
  const { bytes, nextOffset, highWatermark } = await read
  expect(batchesIn(bytes)).toHaveLength(1)
  expect({ nextOffset, highWatermark }).toEqual({ nextOffset: 1, highWatermark: 1 })
})

test('places remembered for followers are right after deletions, refusals and rolls', async () => {
  const { log, disk } = await startNew({ config: { 'segment.bytes': 4_096 } })
  const expected: string[] = []
  let from = 0
  for (let at = 0; at < 120; at++) {
    const value = `${at}`.padEnd((at * 53) % 500, '.')
    if (at % 5 === 3) {
      disk.faults.failNth(1, 'ENOSPC', {
        which: (call) => call.operation === 'write' && call.path.endsWith('.log'),
        extent: 'partial',
      })
      await expect(appendAll(log, value)).rejects.toMatchObject({ outcome: 'refused' })
      disk.faults.clear()
    } else {
      await appendAll(log, value)
      expected.push(value)
    }
    if (at % 17 === 0) {
      from = Math.floor(log.highWatermark / 2)
      await log.deletePrefix(toOffset(from))
    }
    if (at % 23 === 0) await log.roll()
    // Followers at several paces leave their hints.
    for (const maxBytes of [1, 700, 3_000]) {
      expect(await valuesFrom(log, undefined, maxBytes)).toEqual(expected.slice(from))
    }
  }
})

test('an unsound index of a closed segment is made anew, and the read does not notice', async () => {
  const engine = await startNew({ config: { 'index.interval.bytes': 100 } })
  for (let at = 0; at < 30; at++) await append(engine.log, batchOfBytes(100)).acknowledged
  await engine.log.roll()
  await appendAll(engine.log, 'last')
  const index = FIRST_LOG.replace('.log', '.index')
  for (const bytes of [Buffer.alloc(7), Buffer.alloc(80), Buffer.alloc(16, 0xff)]) {
    const disk = engine.disk.clone(1)
    disk.medium.provideFile(index, bytes)
    const { log } = await startAgain(disk, { ...engine.options, clock: engine.clock })
    const read = await log.read(toOffset(17), { maxBytes: 1 })
    expect(batchesIn(read.bytes)[0]!.baseOffset).toBe(17)
  }
})
