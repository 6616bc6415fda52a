/**
 * The seam for a shared journal: another `Durability` keeps the bytes of each group itself, the segment is
 * never synced for an acknowledgement, and after a power cut recovery appends what the segment lost.
 */

import { expect, test } from 'vitest'
import type { CommitGroup, Durability } from '../../../storage/log/durability.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import {
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchesIn,
  batchOf,
  FIRST_LOG,
  startAgain,
  startNew,
  TOPIC,
  TOPIC_ID,
  valuesFrom,
} from './engine.ts'

/** Batches of all logs, durable the moment they are committed. */
class MemoryJournal implements Durability {
  readonly groups: CommitGroup[] = []
  readonly #batches = new Map<string, Buffer[]>()

  async commit(group: CommitGroup): Promise<void> {
    this.groups.push(group)
    const key = `${group.topicId}/${group.partition}`
    const batches = this.#batches.get(key) ?? []
    for (const buffer of group.buffers)
      batches.push(...batchesIn(Buffer.from(buffer)).map(({ buffer }) => buffer))
    this.#batches.set(key, batches)
  }

  copy(): MemoryJournal {
    const copy = new MemoryJournal()
    for (const [key, batches] of this.#batches) copy.#batches.set(key, [...batches])
    return copy
  }

  async recover(log: { topicId: string; partition: number; endOffset: number }): Promise<Buffer[]> {
    const batches = this.#batches.get(`${log.topicId}/${log.partition}`) ?? []
    return batches.filter((bytes) => new RecordBatch(bytes).baseOffset >= log.endOffset)
  }
}

const isSegmentSync = (call: { operation: string; path: string }) =>
  call.operation === 'sync' && call.path.endsWith('.log')

/** Everything but the recovery points, which a journal would move only once the segments are synced too. */
function pointsOf(disk: SimulatedDisk): () => SimulatedDisk {
  const points = disk.medium.paths('/data').filter((path) => path.endsWith('recovery-point'))
  const before = points.map((path) => disk.medium.contents(path))
  return () => {
    const copy = disk.clone(1)
    for (const [at, path] of points.entries()) copy.medium.provideFile(path, before[at]!)
    return copy
  }
}

test('what the journal made durable comes back after a power cut took it from the segment', async () => {
  const durability = new MemoryJournal()
  const engine = await startNew({ durability, partitions: 2 })
  const syncs = engine.disk.faults.calls.filter(isSegmentSync).length
  const withOldPoints = pointsOf(engine.disk)
  for (let at = 0; at < 10; at++) {
    await appendAll(engine.log, `${at}`, `${at}'`)
    await appendAll(engine.manager.log(TOPIC, 1)!, `other ${at}`)
  }
  expect(engine.disk.faults.calls.filter(isSegmentSync)).toHaveLength(syncs)
  const expected = Array.from({ length: 10 }, (_, at) => [`${at}`, `${at}'`]).flat()
  let lost = 0
  for (let seed = 1; seed <= 20; seed++) {
    const disk = withOldPoints().powerCut(seed)
    if (disk.medium.contents(FIRST_LOG).length < engine.log.sizeBytes) lost++
    const options = { ...engine.options, durability: durability.copy(), clock: engine.clock }
    const again = await startAgain(disk, options)
    expect(await valuesFrom(again.log)).toEqual(expected)
    expect(await valuesFrom(again.manager.log(TOPIC, 1)!)).toHaveLength(10)
    expect((await appendAll(again.log, 'next')).baseOffset).toBe(20)
  }
  expect(lost).toBeGreaterThan(0)
})

test('recovered batches are in the segment, synced, and their producers known', async () => {
  const durability = new MemoryJournal()
  const engine = await startNew({ durability })
  const withOldPoints = pointsOf(engine.disk)
  const producer = { producerId: 5, producerEpoch: 0 }
  await append(engine.log, batchOf(['a'], { ...producer, baseSequence: 0 })).acknowledged
  const disk = withOldPoints()
  const whole = disk.medium.contents(FIRST_LOG)
  disk.medium.provideFile(FIRST_LOG, Buffer.alloc(0))
  const again = await startAgain(disk, { ...engine.options, clock: engine.clock })
  expect(again.log).toMatchObject({ logEndOffset: 1, flushedOffset: 1, highWatermark: 1 })
  expect(disk.medium.durableContents(FIRST_LOG)).toEqual(whole)
  const repeat = append(again.log, batchOf(['a'], { ...producer, baseSequence: 0 }))
  expect(repeat).toMatchObject({ duplicate: true, baseOffset: 0 })
  expect(await valuesFrom((await afterPowerCut(again, 2)).log)).toEqual(['a'])
})

test('each group is handed over whole: whose it is, where it lies, what it begins with', async () => {
  const durability = new MemoryJournal()
  const { log } = await startNew({ durability })
  await Promise.all(
    [append(log, batchOf(['a'])), append(log, batchOf(['b', 'c']))].map((it) => it.acknowledged),
  )
  await appendAll(log, 'd')
  expect(durability.groups).toMatchObject([
    { topicId: TOPIC_ID, partition: 0, position: 0, baseOffset: 0 },
    { topicId: TOPIC_ID, partition: 0, baseOffset: 3 },
  ])
  const [first, second] = durability.groups
  expect(first!.buffers).toHaveLength(2)
  expect(second!.position).toBe(first!.buffers.reduce((sum, { length }) => sum + length, 0))
})

test('with relaxed flush no bytes are handed over: their memory is no longer ours after the write', async () => {
  const durability = new MemoryJournal()
  const { log } = await startNew({ durability, config: { 'flush.messages': 1_000 } })
  await appendAll(log, 'a')
  await appendAll(log, 'b')
  await log.flush()
  await appendAll(log, 'c')
  await log.flush()
  expect(durability.groups.map(({ baseOffset, buffers }) => [baseOffset, buffers.length])).toEqual([
    [0, 0],
    [2, 0],
  ])
})

test('a commit that fails is a failed sync: offline, outcome unknown', async () => {
  const durability: Durability = {
    commit: () => Promise.reject(new Error('the journal is gone')),
    recover: async () => [],
  }
  const engine = await startNew({ durability })
  await expect(appendAll(engine.log, 'a')).rejects.toMatchObject({ outcome: 'unknown' })
  expect(engine.log.isOffline).toBe(true)
  expect((await afterKill(engine)).log.isOffline).toBe(false)
})
