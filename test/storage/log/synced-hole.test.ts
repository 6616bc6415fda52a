/**
 * A hole with a whole batch further behind it than one group reaches had been synced once: it is refused,
 * not cut. What lies within one group's reach proves nothing.
 *
 *     recovery point │ a │ hole │ … group max … │ a whole batch        refused
 *     recovery point │ a │ hole │ a whole batch │                      cut: one torn group
 */

import { expect, test } from 'vitest'
import { findBatchAfter } from '../../../storage/log/tail-search.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import {
  appendAll,
  batchesIn,
  batchOf,
  batchOfBytes,
  type Engine,
  FIRST_LOG,
  LOG_DIRECTORY,
  newDisk,
  startAgain,
  startNew,
  valuesFrom,
} from './engine.ts'

const REACH = 8_192
const CONFIG = { 'max.message.bytes': REACH }
const SETTINGS = { appendGroupBytesMax: REACH }

/** A log with one flushed record, and `tail` behind it that the recovery point does not know of. */
async function withTail(tail: Buffer, config: Record<string, number> = {}): Promise<Engine> {
  const engine = await startNew({ config: { ...CONFIG, ...config }, settings: SETTINGS })
  await appendAll(engine.log, 'a')
  await engine.log.flush()
  const disk = engine.disk.processKill(1)
  const whole = disk.medium.contents(FIRST_LOG)
  disk.medium.provideFile(FIRST_LOG, Buffer.concat([whole, tail]))
  return { ...engine, disk }
}

function placed(batch: Buffer, baseOffset: number, leaderEpoch = 0): Buffer {
  batchesIn(batch)[0]!.assign(toOffset(baseOffset), leaderEpoch)
  return batch
}

const again = (engine: Engine) =>
  startAgain(engine.disk, { ...engine.options, clock: engine.clock })

test('a whole batch that begins as far behind the hole as a group can reach: refused, and nothing is cut', async () => {
  const tail = Buffer.concat([Buffer.alloc(REACH), placed(batchOf(['z']), 9)])
  const engine = await withTail(tail)
  const before = engine.disk.medium.contents(FIRST_LOG)
  const position = before.length - tail.length
  await expect(again(engine)).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    values: { file: 'orders-0/00000000000000000000.log', position },
  })
  expect(engine.disk.medium.contents(FIRST_LOG)).toEqual(before)
})

test('one byte nearer it may be of the torn group: cut', async () => {
  const tail = Buffer.concat([Buffer.alloc(REACH - 1), placed(batchOf(['z']), 9)])
  expect(await valuesFrom((await again(await withTail(tail))).log)).toEqual(['a'])
})

test('a torn batch whose record holds a whole batch is cut: within reach that is only a value', async () => {
  const embedded = placed(batchOf(['embedded']), 5)
  const batch = placed(batchOf([Buffer.concat([Buffer.alloc(4_000, 7), embedded])]), 1)
  const torn = Buffer.concat([Buffer.alloc(512), batch.subarray(512)])
  expect(await findIn(torn, { from: 0, minBaseOffset: 1 })).toBeGreaterThan(4_000)
  expect(await valuesFrom((await again(await withTail(torn))).log)).toEqual(['a'])
})

test('what is no batch of this log behind the hole does not count', async () => {
  const damaged = placed(batchOfBytes(100), 9)
  damaged[damaged.length - 1] = 0xff
  const strangers = [
    damaged,
    placed(batchOf(['an offset from before']), 0),
    placed(batchOf(['an epoch that never was']), 9, 3),
    placed(batchOfBytes(100), 9).subarray(0, -1),
    Buffer.alloc(3_000, 2),
  ]
  for (const stranger of strangers) {
    const engine = await withTail(Buffer.concat([Buffer.alloc(REACH), stranger]))
    expect(await valuesFrom((await again(engine)).log)).toEqual(['a'])
  }
})

test('with relaxed flush many groups may be unsynced: only the recovery point protects', async () => {
  const engine = await startNew({
    config: { ...CONFIG, 'flush.messages': 1_000, 'flush.ms': 60_000 },
    settings: SETTINGS,
  })
  await appendAll(engine.log, 'a')
  await engine.log.flush()
  const holeAt = engine.log.sizeBytes
  for (let at = 0; at < 10; at++) await appendAll(engine.log, `${at}`.repeat(2_000))
  const disk = engine.disk.processKill(1)
  disk.medium.corrupt(FIRST_LOG, holeAt + 100, Buffer.alloc(512))
  const { log } = await startAgain(disk, { ...engine.options, clock: engine.clock })
  expect(await valuesFrom(log)).toEqual(['a'])
})

test('a hole above a lost recovery point is refused when whole groups lie behind it', async () => {
  const engine = await startNew({ config: CONFIG, settings: SETTINGS })
  await appendAll(engine.log, 'a')
  const point = engine.disk.medium.contents(`${LOG_DIRECTORY}/recovery-point`)
  const holeAt = engine.log.sizeBytes
  for (let at = 0; at < 10; at++) await appendAll(engine.log, `${at}`.repeat(2_000))
  const disk = engine.disk.processKill(1)
  disk.medium.provideFile(`${LOG_DIRECTORY}/recovery-point`, point)
  disk.medium.corrupt(FIRST_LOG, holeAt + 100, Buffer.alloc(512))
  await expect(startAgain(disk, { ...engine.options, clock: engine.clock })).rejects.toMatchObject({
    values: { position: holeAt },
  })
})

async function findIn(
  bytes: Buffer,
  search: { from: number; minBaseOffset: number },
): Promise<number | undefined> {
  const disk = newDisk(new ManualClock())
  disk.medium.provideFile('/bytes', bytes)
  const file = await disk.open('/bytes', 'read')
  return findBatchAfter(file, { ...search, to: bytes.length, maxLeaderEpoch: 0 })
}

test('the search finds a batch at every place, across its windows', async () => {
  const batch = placed(batchOf(['x']), 1)
  const windowBytes = 1024 * 1024
  const places = [0, 1, 60, windowBytes - 61, windowBytes - 1, windowBytes, windowBytes + 1]
  for (const at of places) {
    const bytes = Buffer.concat([Buffer.alloc(at), batch, Buffer.alloc(10)])
    expect(await findIn(bytes, { from: 0, minBaseOffset: 1 })).toBe(at)
  }
  const bytes = Buffer.concat([Buffer.alloc(100), batch])
  expect(await findIn(bytes, { from: 101, minBaseOffset: 1 })).toBeUndefined()
})

test('bytes made to look like headers do not make the search read without end', async () => {
  // Each 61 bytes claim a batch of 100,000 bytes; every one would have to be read for its CRC.
  const header = placed(batchOfBytes(99_900), 1).subarray(0, 61)
  const bytes = Buffer.alloc(400_000)
  for (let at = 0; at + 61 < bytes.length; at += 61) header.copy(bytes, at)
  const disk = newDisk(new ManualClock())
  disk.medium.provideFile('/bytes', bytes)
  const file = await disk.open('/bytes', 'read')
  await findBatchAfter(file, { from: 0, to: bytes.length, minBaseOffset: 0, maxLeaderEpoch: 0 })
  const reads = disk.faults.calls.filter(({ operation }) => operation === 'read')
  expect(reads.length).toBeLessThan(50)
})
