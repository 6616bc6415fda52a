/** Promises of the single broker's metadata file: durable when answered, through any crash. */

import { describe, expect, test } from 'vitest'
import { FileClusterStore, METADATA_FILE } from '../../../broker/cluster/file-store.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { clusterStoreSuite } from './cluster-store-suite.ts'

const DIRECTORY = '/data'

async function newDisk(seed?: number): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(seed === undefined ? {} : { seed })
  await disk.createDirectory(DIRECTORY)
  await disk.syncDirectory('/')
  return disk
}

function openOn(disk: SimulatedDisk, onFatal: (error: unknown) => void = () => {}) {
  return FileClusterStore.open({ fileSystem: disk, directory: DIRECTORY, onFatal })
}

clusterStoreSuite('a file', async () => openOn(await newDisk()))

describe('the metadata file', () => {
  test('keeps entries and versions over a restart, but not what belongs to a session', async () => {
    const disk = await newDisk()
    const store = await openOn(disk)
    await store.transact([{ key: 'brokers/1', value: '1', expect: 'absent', ephemeral: true }])
    const value = JSON.stringify({ text: 'two\nlines and "quotes"' })
    const [version] = await store.transact([{ key: 'topics/a', value, expect: 'absent' }])
    await store.close()
    const again = await openOn(disk)
    expect(await again.read('')).toMatchObject([{ key: 'topics/a', value, version }])
    const [next] = await again.transact([{ key: 'topics/b', value: '1', expect: 'absent' }])
    expect(next).toBeGreaterThan(version!)
  })

  test('shares one write between changes that come together', async () => {
    const disk = await newDisk()
    const store = await openOn(disk)
    const keys = Array.from({ length: 50 }, (_, index) => `topics/t${index}`)
    await Promise.all(
      keys.map((key) => store.transact([{ key, value: '1', expect: 'absent' as const }])),
    )
    const renames = disk.faults.calls.filter((call) => call.operation === 'rename')
    expect(renames.length).toBeLessThanOrEqual(2)
    expect(await store.read('topics/')).toHaveLength(50)
  })

  test('holds everything that was answered, through a power cut at any disk call', async () => {
    for (let at = 1; ; at += 1) {
      const disk = await newDisk(at)
      const store = await openOn(disk)
      disk.faults.haltAtNth(at)
      let answered = 0
      const writing = (async () => {
        for (let count = 1; count <= 4; count += 1) {
          const [present] = await store.read('count')
          const expect = present?.version ?? 'absent'
          await store.transact([{ key: 'count', value: String(count), expect }])
          answered = count
        }
      })()
      await Promise.race([writing, disk.halted])
      const certain = answered
      const after = await openOn(disk.powerCut(at))
      const [entry] = await after.read('count')
      const found = Number(entry?.value ?? 0)
      expect(found, `seed and call ${at}`).toBeGreaterThanOrEqual(certain)
      expect(found, `seed and call ${at}`).toBeLessThanOrEqual(certain + 1)
      if (certain === 4) break
    }
  })

  test('that could not be written stops the broker: nothing is answered or changed any more', async () => {
    const disk = await newDisk()
    const fatal: unknown[] = []
    const store = await openOn(disk, (error) => fatal.push(error))
    await store.transact([{ key: 'k', value: '1', expect: 'absent' }])
    disk.faults.failWhen((call) => call.operation === 'rename', 'EIO')
    const change = { key: 'n', value: '1', expect: 'absent' } as const
    const failing = [store.transact([change]), store.transact([{ ...change, key: 'm' }])]
    for (const one of failing) {
      await expect(one).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR', outcome: 'unknown' })
    }
    disk.faults.clear()
    await expect(store.transact([change])).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    expect(await store.read('n')).toEqual([])
    expect(fatal).toHaveLength(1)
  })

  test('that is damaged or empty is refused, never taken for a fresh start', async () => {
    for (const content of [Buffer.alloc(0), Buffer.from('something else')]) {
      const disk = await newDisk()
      const file = await disk.open(`${DIRECTORY}/${METADATA_FILE}`, 'create')
      await file.write([content], 0)
      await file.close()
      await expect(openOn(disk)).rejects.toMatchObject({ code: 'KAFKA_STORAGE_ERROR' })
    }
  })

  test('that is missing beside partitions is refused', async () => {
    const disk = await newDisk()
    await disk.createDirectory(`${DIRECTORY}/orders-0`)
    await expect(openOn(disk)).rejects.toThrow(/holds partitions \(orders-0\)/)
  })
})
