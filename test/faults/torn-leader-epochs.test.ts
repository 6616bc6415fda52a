/**
 * The one file that holds the leader epochs of all partitions, through power cuts and a failed sync: it
 * may lose the raise that was being written and nothing else, and never keeps the broker from starting.
 */

import { expect, test } from 'vitest'
import { EPOCH_ENTRY_BYTES, encodeRaise } from '../../storage/log/leader-epoch-entries.ts'
import { LeaderEpochs } from '../../storage/log/leader-epochs.ts'
import { toOffset } from '../../storage/record/offsets.ts'
import { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'

const PATH = '/d/epochs'
const TOPIC_ID = '00000000-0000-4000-8000-000000000001'
/** Four sectors of entries: a power cut may keep a later one and lose an earlier one. */
const STARTS = Array.from({ length: 40 }, (_, partition) => ({
  topicId: TOPIC_ID,
  partition,
  startOffset: toOffset(0),
}))

async function diskWithEpochs(options: { seed?: number } = {}) {
  const disk = new SimulatedDisk(options)
  disk.medium.provideDirectory('/d')
  const epochs = await LeaderEpochs.open(disk, '/d', PATH)
  await epochs.raise(STARTS)
  return { disk, epochs }
}

const latest = (epochs: LeaderEpochs) => STARTS.map((start) => epochs.latest(start))

test('a power cut in the middle of a raise is never taken for damage', async () => {
  const found = new Set<string>()
  for (let seed = 1; seed <= 200; seed++) {
    const { disk, epochs } = await diskWithEpochs({ seed })
    disk.faults.haltAtNth(2)
    void epochs.raise(STARTS)
    await disk.halted
    const rebooted = disk.powerCut(seed)
    const after = await LeaderEpochs.open(rebooted, '/d', PATH)
    found.add(latest(after).join())
    await after.raise(STARTS)
    const again = await LeaderEpochs.open(rebooted.powerCut(seed), '/d', PATH)
    expect(latest(again), `seed ${seed}`).toEqual(latest(after))
  }
  expect(found).toEqual(new Set([STARTS.map(() => 0).join(), STARTS.map(() => 1).join()]))
})

test('a raise whose sync failed is written again by the next start, not believed', async () => {
  const { disk, epochs } = await diskWithEpochs()
  disk.faults.failNth(1, 'EIO', { which: ({ operation }) => operation === 'sync' })
  await expect(epochs.raise(STARTS)).rejects.toThrow('EIO')
  const restarted = disk.processKill(1)
  const second = await LeaderEpochs.open(restarted, '/d', PATH)
  const seen = latest(second)
  await second.raise(STARTS)
  const third = await LeaderEpochs.open(restarted.powerCut(1), '/d', PATH)
  expect(latest(third)).toEqual(seen.map((epoch) => epoch + 1))
})

test('damage to what was synced is refused, naming the place', async () => {
  const { disk, epochs } = await diskWithEpochs()
  await epochs.raise(STARTS)
  await epochs.raise(STARTS)
  await epochs.close()
  const sizeBytes = disk.medium.contents(PATH).length
  const raiseBytes = STARTS.length * EPOCH_ENTRY_BYTES
  for (const at of [sizeBytes - 2 * raiseBytes - 5, sizeBytes - raiseBytes - 5]) {
    const copy = disk.clone(1)
    copy.medium.corrupt(PATH, at, Buffer.from([0xff, 0xff]))
    await expect(LeaderEpochs.open(copy, '/d', PATH)).rejects.toThrow(/damaged, with a later one/)
  }
})

test('entries of an older life behind a shorter raise are not taken for its own', async () => {
  const { disk } = await diskWithEpochs()
  const before = disk.medium.contents(PATH)
  const long = encodeRaise(
    2,
    STARTS.map((start) => ({ ...start, epoch: 7 })),
  )
  const short = encodeRaise(
    2,
    STARTS.slice(0, 3).map((start) => ({ ...start, epoch: 1 })),
  )
  short.copy(long)
  disk.medium.provideFile(PATH, Buffer.concat([before, long]))
  const epochs = await LeaderEpochs.open(disk, '/d', PATH)
  expect(latest(epochs)).toEqual(STARTS.map((_, index) => (index < 3 ? 1 : 0)))
  expect(disk.medium.contents(PATH)).toHaveLength(before.length + 3 * EPOCH_ENTRY_BYTES)
})
