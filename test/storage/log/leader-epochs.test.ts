/** Leader epochs: one sync for all partitions, durable before used, a torn tail cut, a damaged middle refused. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EPOCH_ENTRY_BYTES, EPOCH_HEADER_BYTES } from '../../../storage/log/leader-epoch-entries.ts'
import { LeaderEpochs } from '../../../storage/log/leader-epochs.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { ManualClock } from '../../rigs/clock.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import {
  afterKill,
  afterPowerCut,
  append,
  appendAll,
  batchesIn,
  batchOf,
  newDisk,
  startNew,
  TOPIC,
} from './engine.ts'
import { WatchedDisk } from './watched-disk.ts'

const PATH = '/data/leader-epochs'
const TOPIC_IDS = [1, 2, 3].map((at) => `0b1e0000-0000-4000-8000-00000000000${at}`)

function newDirectory(): SimulatedDisk {
  const disk = newDisk(new ManualClock())
  disk.medium.provideDirectory('/data')
  return disk
}

const open = (disk: SimulatedDisk | WatchedDisk) => LeaderEpochs.open(disk, '/data', PATH)
const at = (partition: number, startOffset = 0, topic = 0) => ({
  topicId: TOPIC_IDS[topic]!,
  partition,
  startOffset: toOffset(startOffset),
})

test('leading ten thousand partitions costs one write and one sync', async () => {
  const disk = newDirectory()
  const watched = new WatchedDisk(disk)
  const epochs = await open(watched)
  watched.calls.length = 0
  const raised = await epochs.raise(Array.from({ length: 10_000 }, (_, partition) => at(partition)))
  expect(raised).toEqual(raised.map(() => 0))
  expect(watched.story()).toEqual(['write leader-epochs', 'sync leader-epochs'])
  expect(disk.medium.durableContents(PATH).length).toBe(
    EPOCH_HEADER_BYTES + 10_000 * EPOCH_ENTRY_BYTES,
  )
})

test('epochs rise, each with the offset it began at, and come back', async () => {
  const disk = newDirectory()
  let epochs = await open(disk)
  expect(epochs.latest(at(0))).toBe(-1)
  expect(await epochs.raise([at(0, 0), at(1, 5)])).toEqual([0, 0])
  expect(await epochs.raise([at(0, 10), at(0, 10, 1)])).toEqual([1, 0])
  epochs = await open(disk.powerCut(1))
  expect(epochs.latest(at(0))).toBe(1)
  expect(epochs.history(at(0))).toEqual([
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 10 },
  ])
  expect(epochs.latest(at(1))).toBe(0)
  expect(epochs.latest(at(0, 0, 1))).toBe(0)
  expect(await epochs.raise([at(0, 20)])).toEqual([2])
})

test('two at once do not get in each other’s way', async () => {
  const disk = newDirectory()
  const epochs = await open(disk)
  const raised = await Promise.all(Array.from({ length: 20 }, () => epochs.raise([at(0), at(1)])))
  expect(raised).toEqual(raised.map((_, index) => [index, index]))
  expect((await open(disk)).latest(at(1))).toBe(19)
})

test('a torn tail was never used: it is cut and written over', async () => {
  const disk = newDirectory()
  await (await open(disk)).raise([at(0), at(1)])
  const whole = disk.medium.contents(PATH)
  for (const tail of [Buffer.alloc(1), Buffer.alloc(EPOCH_ENTRY_BYTES), Buffer.alloc(200, 7)]) {
    const torn = disk.clone(1)
    torn.medium.provideFile(PATH, Buffer.concat([whole, tail]))
    const epochs = await open(torn)
    expect(torn.medium.durableContents(PATH)).toEqual(whole)
    expect(await epochs.raise([at(0, 3)])).toEqual([1])
    expect((await open(torn)).latest(at(0))).toBe(1)
  }
})

test('a bit flipped in an entry with a sound one behind it: refused, naming both places', async () => {
  const disk = newDirectory()
  const epochs = await open(disk)
  for (const partition of [0, 1, 2]) await epochs.raise([at(partition)])
  disk.medium.corrupt(PATH, EPOCH_HEADER_BYTES + EPOCH_ENTRY_BYTES + 3, Buffer.from([0xff]))
  await expect(open(disk)).rejects.toMatchObject({
    code: 'KAFKA_STORAGE_ERROR',
    message: expect.stringContaining(`byte ${EPOCH_HEADER_BYTES + EPOCH_ENTRY_BYTES} is damaged`),
  })
})

test('an epoch whose sync failed is not handed out, and none after it', async () => {
  const disk = newDirectory()
  const epochs = await open(disk)
  disk.faults.failNth(1, 'EIO', { which: ({ operation }) => operation === 'sync' })
  await expect(epochs.raise([at(0)])).rejects.toThrow('EIO')
  await expect(epochs.raise([at(0)])).rejects.toThrow('EIO')
  expect(epochs.latest(at(0))).toBe(-1)
})

test('what nobody needs is pruned: unknown topics, epochs without a record; the last one always stays', async () => {
  const disk = newDirectory()
  const epochs = await open(disk)
  for (let round = 0; round < 5_000; round++) {
    await epochs.raise([at(0, round < 3 ? round * 10 : 30), at(0, 0, 1)])
  }
  await epochs.prune(new Set([TOPIC_IDS[0]!]))
  const kept = [
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 10 },
    { epoch: 2, startOffset: 20 },
    { epoch: 4_999, startOffset: 30 },
  ]
  expect(epochs.history(at(0))).toEqual(kept)
  expect(disk.medium.durableContents(PATH).length).toBe(
    EPOCH_HEADER_BYTES + kept.length * EPOCH_ENTRY_BYTES,
  )
  expect(await epochs.raise([at(0, 40)])).toEqual([5_000])
  const again = await open(disk.powerCut(3))
  expect(again.history(at(0))).toEqual([...kept, { epoch: 5_000, startOffset: 40 }])
  expect(again.latest(at(0, 0, 1))).toBe(-1)
})

test('pruned or not, a power cut at any call leaves the old file or the new one', async () => {
  const disk = newDirectory()
  const epochs = await open(disk)
  await epochs.raise(Array.from({ length: 5_000 }, (_, partition) => at(partition, 0, 1)))
  await epochs.raise([at(0, 7)])
  for (let n = 1; n <= 8; n++) {
    const copy = disk.clone(n)
    const pruned = await open(copy)
    copy.faults.haltAtNth(n)
    await Promise.race([pruned.prune(new Set([TOPIC_IDS[0]!])), copy.halted])
    expect((await open(copy.powerCut(n))).latest(at(0))).toBe(0)
  }
})

test('any sequence of raises comes back as it was', async () => {
  const raises = fc.array(
    fc.array(fc.record({ partition: fc.nat({ max: 4 }), topic: fc.nat({ max: 2 }) }), {
      minLength: 1,
      maxLength: 6,
    }),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(raises, async (rounds) => {
      const disk = newDirectory()
      const epochs = await open(disk)
      const counts = new Map<string, number>()
      for (const [round, starts] of rounds.entries()) {
        const distinct = [
          ...new Map(starts.map((start) => [`${start.topic}/${start.partition}`, start])).values(),
        ]
        await epochs.raise(distinct.map(({ partition, topic }) => at(partition, round, topic)))
        for (const { topic, partition } of distinct) {
          counts.set(`${topic}/${partition}`, (counts.get(`${topic}/${partition}`) ?? 0) + 1)
        }
      }
      const again = await open(disk)
      for (const [key, count] of counts) {
        const [topic, partition] = key.split('/').map(Number)
        expect(again.latest(at(partition!, 0, topic))).toBe(count - 1)
        expect(again.history(at(partition!, 0, topic))).toEqual(
          epochs.history(at(partition!, 0, topic)),
        )
      }
    }),
    { numRuns: 40 },
  )
})

test('a broker raises the epoch of every partition at each start, durably, and batches carry it', async () => {
  const engine = await startNew({ partitions: 3 })
  await appendAll(engine.log, 'a')
  const killed = await afterKill(engine)
  await appendAll(killed.log, 'b')
  const rebooted = await afterPowerCut(killed, 1)
  append(rebooted.log, batchOf(['c']))
  await rebooted.log.flush()
  for (let partition = 0; partition < 3; partition++) {
    expect(rebooted.manager.log(TOPIC, partition)!.leaderEpoch).toBe(2)
  }
  const { bytes } = await rebooted.log.read(toOffset(0), { maxBytes: 10_000 })
  expect(batchesIn(bytes).map(({ leaderEpoch }) => leaderEpoch)).toEqual([0, 1, 2])
  expect(() => rebooted.log.becomeLeader(2)).toThrow('does not follow')
})
