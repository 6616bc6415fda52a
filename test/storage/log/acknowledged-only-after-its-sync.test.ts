/** A record is acknowledged, and shown to readers, only after the sync that covers it; and one sync covers many. */

import { expect, test } from 'vitest'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  append,
  appendAll,
  batchOf,
  batchOfBytes,
  type EngineOptions,
  newDisk,
  settled,
  startNew,
  stateOf,
  valuesFrom,
} from './engine.ts'
import { type WatchedCall, WatchedDisk } from './watched-disk.ts'

const isLogSync = (call: WatchedCall) => call.operation === 'sync' && call.path.endsWith('.log')
const isLogWrite = (call: WatchedCall) => call.operation === 'write' && call.path.endsWith('.log')

async function startWatched(options: EngineOptions = {}) {
  const clock = new ManualClock()
  const disk = newDisk(clock)
  const watched = new WatchedDisk(disk)
  const engine = await startNew({ ...options, clock, disk, fileSystem: watched })
  watched.calls.length = 0
  return { ...engine, watched }
}

test('while its sync is held back a record is not acknowledged, not below the high watermark, not read', async () => {
  const { log, watched } = await startWatched()
  const sync = watched.hold(isLogSync)
  const appended = append(log, batchOf(['a', 'b']))
  expect(appended).toMatchObject({ baseOffset: 0, lastOffset: 1, durability: 'flushed' })
  let wakes = 0
  log.onHighWatermark(() => {
    wakes++
    expect(log.highWatermark).toBe(2)
    expect(log.flushedOffset).toBe(2)
  })
  await settled()
  expect(sync.waiting).toBe(1)
  expect(watched.calls.filter(isLogWrite)).toHaveLength(1)
  expect(await stateOf(appended.acknowledged)).toBe('pending')
  expect(log).toMatchObject({
    logEndOffset: 2,
    writtenOffset: 2,
    flushedOffset: 0,
    highWatermark: 0,
  })
  expect((await log.read(toOffset(0), { maxBytes: 1_000 })).bytes).toHaveLength(0)
  expect(await log.offsetForTime(0)).toBeUndefined()
  await expect(log.read(toOffset(1), { maxBytes: 1_000 })).rejects.toMatchObject({
    code: 'OFFSET_OUT_OF_RANGE',
    values: { logStartOffset: 0, highWatermark: 0 },
  })
  expect(wakes).toBe(0)
  sync.release()
  await appended.acknowledged
  expect(wakes).toBe(1)
  expect(await valuesFrom(log)).toEqual(['a', 'b'])
})

test('the recovery point is written after the sync it speaks of, never before', async () => {
  const { log, watched } = await startWatched()
  await appendAll(log, 'opens the files')
  const from = watched.calls.length
  await appendAll(log, 'a')
  const ofInterest = watched.story(from).filter((call) => !call.startsWith('open'))
  expect(ofInterest).toEqual([
    'write 00000000000000000000.log',
    'sync 00000000000000000000.log',
    'writeNow recovery-point',
  ])
})

test('what is appended in one turn of the event loop shares one write and one sync', async () => {
  const { log, watched } = await startWatched()
  const appends = Array.from({ length: 20 }, (_, at) => append(log, batchOf([`value ${at}`])))
  await Promise.all(appends.map(({ acknowledged }) => acknowledged))
  expect(watched.calls.filter(isLogSync)).toHaveLength(1)
  const writes = watched.calls.filter(isLogWrite)
  expect(writes).toMatchObject([{ buffers: 20, position: 0 }])
  expect(appends.map(({ baseOffset }) => baseOffset)).toEqual(appends.map((_, at) => at))
})

test('the next group forms while the last one syncs, is not written before that sync returned, and shares one write and one sync', async () => {
  const { log, watched } = await startWatched()
  const first = append(log, batchOf(['first']))
  const sync = watched.hold(isLogSync)
  await settled()
  const others = Array.from({ length: 50 }, (_, at) => append(log, batchOf([`${at}`])))
  await settled()
  expect(watched.calls.filter(isLogWrite)).toHaveLength(1)
  expect(log).toMatchObject({ logEndOffset: 51, writtenOffset: 1, highWatermark: 0 })
  sync.release()
  await first.acknowledged
  await Promise.all(others.map(({ acknowledged }) => acknowledged))
  expect(watched.calls.filter(isLogSync)).toHaveLength(2)
  expect(watched.calls.filter(isLogWrite).map(({ buffers }) => buffers)).toEqual([1, 50])
  const story = watched.calls.filter((call) => isLogSync(call) || isLogWrite(call))
  expect(story.map(({ operation }) => operation)).toEqual(['write', 'sync', 'write', 'sync'])
})

test('a group is at most append.group.bytes.max, or one batch', async () => {
  const { log, watched } = await startWatched({ settings: { appendGroupBytesMax: 1_000 } })
  const sizes = [300, 300, 300, 5_000, 10, 10]
  const appends = sizes.map((bytes) => append(log, batchOfBytes(bytes)))
  await Promise.all(appends.map(({ acknowledged }) => acknowledged))
  const writes = watched.calls.filter(isLogWrite)
  expect(writes.map(({ buffers }) => buffers)).toEqual([2, 1, 1, 2])
  for (const { bytes, buffers } of writes) expect(buffers === 1 || bytes <= 1_000).toBe(true)
  expect(watched.calls.filter(isLogSync)).toHaveLength(4)
})

test('offsets are given in the order of the calls, whatever the disk does', async () => {
  const clock = new ManualClock()
  const { log } = await startNew({ clock, disk: newDisk(clock, 7) })
  const appends = Array.from({ length: 100 }, (_, at) => append(log, batchOf([`${at}`, `${at}'`])))
  expect(appends.map(({ baseOffset }) => baseOffset)).toEqual(appends.map((_, at) => at * 2))
  const order: number[] = []
  for (const { acknowledged, baseOffset } of appends) {
    acknowledged.then(() => order.push(baseOffset))
  }
  await Promise.all(appends.map(({ acknowledged }) => acknowledged))
  expect(order).toEqual([...order].sort((a, b) => a - b))
  expect(await valuesFrom(log)).toEqual(appends.flatMap((_, at) => [`${at}`, `${at}'`]))
})

test('a batch that wants another offset than the next one is refused and leaves no trace', async () => {
  const { log, watched } = await startWatched()
  await appendAll(log, 'a')
  const from = watched.calls.length
  const options = { maxDecompressedBytes: 1_000, expectOffset: toOffset(5) }
  expect(() => log.append(batchOf(['b']), options)).toThrow(
    expect.objectContaining({ code: 'OFFSET_MISMATCH', outcome: 'refused' }),
  )
  await settled()
  expect(log.logEndOffset).toBe(1)
  expect(watched.calls.length).toBe(from)
  const taken = log.append(batchOf(['b']), { ...options, expectOffset: toOffset(1) })
  await taken.acknowledged
})
