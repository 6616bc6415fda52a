/** The promise of producer ids: each is handed out once, whatever crashes in between. */

import { describe, expect, test } from 'vitest'
import { FileClusterStore } from '../../broker/cluster/file-store.ts'
import { PRODUCER_ID_BLOCK, ProducerIds } from '../../broker/producer-ids.ts'
import { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'

async function idsOn(disk: SimulatedDisk): Promise<ProducerIds> {
  if ((await disk.status('/data')) === undefined) {
    await disk.createDirectory('/data')
    await disk.syncDirectory('/')
  }
  const options = { fileSystem: disk, directory: '/data', onFatal: () => {} }
  return new ProducerIds({ store: await FileClusterStore.open(options), checkRoom: () => {} })
}

async function take(ids: ProducerIds, count: number): Promise<number[]> {
  const taken = await Promise.all(Array.from({ length: count }, () => ids.next()))
  return taken.map((one) => one.producerId)
}

describe('producer ids', () => {
  test('come from blocks that concurrent callers share, one durable write each', async () => {
    const disk = new SimulatedDisk()
    const ids = await idsOn(disk)
    const count = 2 * PRODUCER_ID_BLOCK + 1
    const taken = await take(ids, count)
    expect(new Set(taken).size).toBe(count)
    const writes = disk.faults.calls.filter((call) => call.operation === 'rename')
    expect(writes).toHaveLength(3)
    expect(await ids.next()).toEqual({ producerId: count, producerEpoch: 0 })
  })

  test('are never handed out again after a crash at any disk call', async () => {
    for (let at = 1; at < 40; at += 1) {
      const given = new Set<number>()
      let disk = new SimulatedDisk({ seed: at })
      for (let life = 0; life < 3; life += 1) {
        const ids = await idsOn(disk)
        disk.faults.haltAtNth(at)
        const taking = take(ids, 2).then((some) => {
          for (const id of some) {
            expect(given.has(id), `seed ${at}, life ${life}`).toBe(false)
            given.add(id)
          }
        })
        await Promise.race([taking, disk.halted])
        disk = life % 2 === 0 ? disk.powerCut(at + life) : disk.processKill(at + life)
      }
    }
  })

  test('are refused when they cannot be made durable', async () => {
    const disk = new SimulatedDisk()
    const ids = await idsOn(disk)
    disk.faults.failWhen((call) => call.operation === 'sync', 'EIO')
    await expect(ids.next()).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
  })
})
