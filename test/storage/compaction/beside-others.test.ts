/** Compaction beside everything else a log does: reads, deletions, closing; each as if it were alone. */

import { expect, test } from 'vitest'
import { logConfigFrom } from '../../../storage/config.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { SeededRandom } from '../../rigs/random.ts'
import {
  append,
  batchesIn,
  type Engine,
  FIRST_LOG,
  LOG_DIRECTORY,
  newDisk,
  settled,
  startAgain,
  stateOf,
  TOPIC,
  TOPIC_ID,
} from '../log/engine.ts'
import { type WatchedCall, WatchedDisk } from '../log/watched-disk.ts'
import {
  COMPACTED,
  compactNow,
  keyedBatch,
  put,
  recordsOf,
  startCompacted,
  wordsOf,
} from './keyed-log.ts'

async function startWatched(config: Record<string, number | string> = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const fileSystem = new WatchedDisk(disk)
  const engine = await startCompacted(config, { clock, disk, fileSystem })
  return { ...engine, fileSystem }
}

/** Two closed segments and an active one. */
async function ready(config: Record<string, number | string> = {}) {
  const engine = await startWatched(config)
  await put(engine.log, 'a=1 b=1')
  await engine.log.roll()
  await put(engine.log, 'a=2')
  await engine.log.roll()
  await put(engine.log, 'c=1')
  return engine
}

const isRead = (path: string) => (call: WatchedCall) =>
  call.operation === 'read' && call.path === path
const isWriteOfCleaned = ({ operation, path }: WatchedCall) =>
  operation === 'write' && path.endsWith('.log.cleaned')
const restart = ({ disk, options, clock }: Engine) =>
  startAgain(disk.processKill(1), { config: options.config ?? {}, clock })

test('a read that began before the swap ends as it would have; the next one sees the new segment', async () => {
  const { log, fileSystem, disk } = await ready()
  const held = fileSystem.hold(isRead(FIRST_LOG))
  const reading = log.read(toOffset(0), { maxBytes: 10_000 })
  await settled()
  expect(held.waiting).toBe(1)
  const before = fileSystem.calls.length
  const compacting = compactNow(log)
  await settled()
  expect(await stateOf(compacting)).toBe('pending')
  held.release()
  const read = await reading
  expect(batchesIn(read.bytes).map(({ recordCount }) => recordCount)).toEqual([2])
  await compacting
  expect(fileSystem.count('removeFile', '.log', before)).toBe(2)
  expect(disk.medium.exists(`${LOG_DIRECTORY}/00000000000000000002.log`)).toBe(false)
  expect(await wordsOf(log)).toBe('1:b=1 2:a=2 3:c=1')
})

test('while old readers are waited for, new ones read the new segment', async () => {
  const { log, fileSystem } = await ready()
  const renaming = fileSystem.hold(
    ({ operation, path }) => operation === 'rename' && path.endsWith('.log.cleaned'),
  )
  const compacting = compactNow(log)
  await settled(100)
  expect(renaming.waiting).toBe(1)
  const slow = fileSystem.hold(isRead(FIRST_LOG))
  const reading = log.read(toOffset(0), { maxBytes: 10_000 })
  await settled()
  expect(slow.waiting).toBe(1)
  renaming.release()
  await settled(100)
  expect(await stateOf(compacting)).toBe('pending')
  expect(await wordsOf(log)).toBe('1:b=1 2:a=2 3:c=1')
  expect(await log.offsetForTime(0)).toMatchObject({ offset: 1 })
  slow.release()
  await Promise.all([reading, compacting])
})

test('reads of every kind, all the while, give what is there or was', async () => {
  const random = new SeededRandom(11)
  const engine = await startCompacted({ 'segment.bytes': 1_024, 'index.interval.bytes': 0 })
  const { log } = engine
  const written = new Map<number, string>()
  let isDone = false
  const readers = Array.from({ length: 4 }, async () => {
    while (!isDone) {
      const from = toOffset(random.below(log.highWatermark + 1))
      const read = await log.read(from, { maxBytes: random.pick([1, 300, 5_000]) })
      const [first] = batchesIn(read.bytes)
      if (first !== undefined) expect(first.baseOffset).toBeLessThanOrEqual(from)
      const found = await log.offsetForTime(random.below(2_000))
      if (found !== undefined) expect(written.has(found.offset)).toBe(true)
      await settled(1)
    }
  })
  for (let round = 0; round < 30; round++) {
    for (let at = 0; at < 10; at++) {
      const value = `${round}.${at}`
      const entries = [[`k${random.below(20)}`, value]] as const
      const timestamp = round * 50 + at
      const appended = append(log, keyedBatch(entries, {}, timestamp))
      written.set(appended.baseOffset, value)
      await appended.acknowledged
    }
    await log.roll()
    await compactNow(log)
  }
  isDone = true
  await Promise.all(readers)
  for (const { offset, value } of await recordsOf(log)) expect(value).toBe(written.get(offset))
})

test('appends go on while a compaction waits for the disk', async () => {
  const { log, fileSystem } = await ready()
  const held = fileSystem.hold(isWriteOfCleaned)
  const compacting = compactNow(log)
  await settled()
  expect(held.waiting).toBe(1)
  expect((await put(log, 'b=2')).baseOffset).toBe(4)
  await log.roll()
  held.release()
  await compacting
  expect(await wordsOf(log)).toBe('1:b=1 2:a=2 3:c=1 4:b=2')
})

test('closing stops a compaction at once, and leaves nothing half done', async () => {
  const engine = await ready()
  const held = engine.fileSystem.hold(isWriteOfCleaned)
  const compacting = compactNow(engine.log)
  await settled()
  const closing = engine.manager.close()
  await settled()
  held.release()
  expect(await compacting).toBeUndefined()
  expect(await closing).toBe(true)
  expect(engine.fileSystem.count('rename', '.log.cleaned')).toBe(0)
  expect(engine.disk.openPaths).toEqual([])
  expect(
    engine.disk.medium.paths(LOG_DIRECTORY).filter((path) => path.includes('cleaned')),
  ).toEqual([])
  const again = await restart(engine)
  expect(await wordsOf(again.log)).toBe('0:a=1 1:b=1 2:a=2 3:c=1')
  expect(await compactNow(engine.log)).toBeUndefined()
})

test('a topic that is not to be compacted any more is not, even where that has begun; nor does it complain', async () => {
  const engine = await ready()
  engine.disk.medium.corrupt(FIRST_LOG, 70, Buffer.from([0xff]))
  await expect(compactNow(engine.log)).rejects.toThrow('is corrupt')
  expect(engine.log.compaction.failure).toContain('is corrupt')
  await engine.log.setConfig(logConfigFrom({ ...COMPACTED, 'cleanup.policy': 'delete' }))
  expect(engine.log.compaction.failure).toBeUndefined()
  expect(engine.log.compaction.dirtyRatio).toBe(0)

  const other = await ready()
  const held = other.fileSystem.hold(isWriteOfCleaned)
  const compacting = compactNow(other.log)
  await settled()
  await other.log.setConfig(logConfigFrom({ ...COMPACTED, 'cleanup.policy': 'delete' }))
  held.release()
  expect(await compacting).toBeUndefined()
  expect(await wordsOf(other.log)).toBe('0:a=1 1:b=1 2:a=2 3:c=1')
})

test('closing in the middle of a swap waits for its end', async () => {
  const engine = await ready()
  const held = engine.fileSystem.hold(
    ({ operation, path }) => operation === 'removeFile' && path === FIRST_LOG,
  )
  const compacting = compactNow(engine.log)
  await settled(100)
  expect(held.waiting).toBe(1)
  const closing = engine.manager.close()
  await settled()
  expect(await stateOf(closing)).toBe('pending')
  held.release()
  await compacting
  expect(await closing).toBe(true)
  expect(await wordsOf((await restart(engine)).log)).toBe('1:b=1 2:a=2 3:c=1')
})

test('a topic is deleted in the middle of its compaction', async () => {
  const engine = await ready()
  const held = engine.fileSystem.hold(isWriteOfCleaned)
  const compacting = compactNow(engine.log)
  await settled()
  const deleting = engine.manager.deleteTopicLogs({ name: TOPIC, topicId: TOPIC_ID })
  await settled()
  held.release()
  await Promise.all([compacting, deleting])
  expect(engine.disk.medium.paths('/data').filter((path) => path.includes('orders'))).toEqual([])
  expect(engine.disk.openPaths.filter((path) => path.includes('orders'))).toEqual([])
})

test.each([
  [1, '1:b=1 2:a=2 3:c=1'],
  [2, '2:a=2 3:c=1'],
  [3, '3:c=1'],
  [4, ''],
])(
  'a prefix deleted to %i while its segments are made anew stays deleted',
  async (before, words) => {
    const engine = await ready({ 'file.delete.delay.ms': 0 })
    const { log, fileSystem, clock } = engine
    const held = fileSystem.hold(isWriteOfCleaned)
    const compacting = compactNow(log)
    await settled()
    expect(held.waiting).toBe(1)
    await log.deletePrefix(toOffset(before))
    held.release()
    await compacting
    clock.advance(1)
    await settled()
    expect(log.compaction.failure).toBeUndefined()
    expect(await wordsOf(log)).toBe(words)
    const again = await restart(engine)
    expect(again.log.logStartOffset).toBe(before)
    expect(await wordsOf(again.log)).toBe(words)
  },
)

test('retention and compaction together: old segments go, whatever was made of them', async () => {
  const { log, clock } = await startCompacted({
    'cleanup.policy': 'compact,delete',
    'retention.ms': 100_000,
    'file.delete.delay.ms': 0,
  })
  await put(log, 'a=1 b=1', { timestamps: [clock.now()] })
  await log.roll()
  clock.advance(90_000)
  await put(log, 'a=2', { timestamps: [clock.now()] })
  await log.roll()
  expect(await compactNow(log)).toMatchObject({ recordsKept: 2 })
  expect(await log.applyRetention(true)).toBe(0)
  clock.advance(20_000)
  // They did not become one, which would be as young as its youngest record.
  expect(await log.applyRetention(true)).toBe(1)
  expect(await wordsOf(log)).toBe('2:a=2')
  clock.advance(81_000)
  expect(await log.applyRetention(true)).toBe(1)
  expect(await wordsOf(log)).toBe('')
})

test('with room for a segment or two beside the reserve it goes segment by segment, and makes room', async () => {
  const { log, disk, clock } = await startCompacted()
  for (let count = 0; count < 20; count++) {
    await put(log, `a=${'x'.repeat(1_000)}`)
    await log.roll()
  }
  disk.capacityBytes = disk.usedBytes() + 7_000
  expect(await compactNow(log, { reserveBytes: 4_500 })).toMatchObject({ recordsKept: 1 })
  expect(log.compaction.failure).toBeUndefined()
  clock.advance(24 * 3_600_000)
  expect(disk.usedBytes()).toBeLessThan(disk.capacityBytes - 10_000)
})

test('what a compacted segment replaces tells its age, also after a restart', async () => {
  const config = { 'cleanup.policy': 'compact,delete', 'retention.ms': 100_000 }
  const engine = await startCompacted(config)
  await put(engine.log, 'a=1 a=2', { timestamps: [0] })
  await engine.log.roll()
  engine.clock.advance(99_000)
  await compactNow(engine.log)
  const again = await restart(engine)
  again.clock.advance(2_000)
  expect(await again.log.applyRetention(true)).toBe(1)
})

test('a topic that is only compacted loses nothing by age or size', async () => {
  const { log, clock } = await startCompacted({ 'retention.ms': 1, 'retention.bytes': 0 })
  await put(log, 'a=1', { timestamps: [0] })
  await log.roll()
  await put(log, 'b=1', { timestamps: [0] })
  clock.advance(365 * 24 * 3_600_000)
  expect(await log.applyRetention(true)).toBe(0)
  expect(await wordsOf(log)).toBe('0:a=1 1:b=1')
})

test('a segment that went bad is left as it is, and said so, by file and position', async () => {
  const engine = await ready()
  engine.disk.medium.corrupt(FIRST_LOG, 70, Buffer.from([0xff]))
  await expect(compactNow(engine.log)).rejects.toThrow(
    'orders-0/00000000000000000000.log is corrupt at byte 0: checksum differs',
  )
  expect(engine.log.compaction.failure).toContain('is corrupt at byte 0')
  expect(engine.fileSystem.count('rename', '.log.cleaned')).toBe(0)
  expect((await put(engine.log, 'd=1')).baseOffset).toBe(4)
})

test('a segment that ends too early is not taken for one of which nothing is left', async () => {
  const engine = await startWatched()
  await put(engine.log, 'a=1')
  await put(engine.log, 'b=1')
  await engine.log.roll()
  await put(engine.log, 'c=1')
  await engine.log.roll()
  await engine.manager.close()
  const contents = engine.disk.medium.contents(FIRST_LOG)
  engine.disk.medium.provideFile(FIRST_LOG, contents.subarray(0, batchesIn(contents)[0]!.sizeBytes))
  const again = await restart(engine)
  await expect(compactNow(again.log)).rejects.toThrow(
    /it ends before offset 1, the next segment begins at 2/,
  )
})
