/**
 * The promise of topic lifecycle: stop the machine at any call to the disk while a topic is created,
 * grown, changed or deleted, with the cache lost as a power cut loses it, and the next start finds the
 * topic whole or not at all, what was acknowledged done, and nothing lying about.
 */

import { describe, expect, test } from 'vitest'
import type { BrokerCore } from '../../../broker/broker-core.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { appendTo, partitionDirectories, startOn } from '../broker-on-disk.ts'

interface Operation {
  /** What there is before. */
  prepare(core: BrokerCore): Promise<void>
  run(core: BrokerCore): Promise<unknown>
  /** What must hold after the crash and the next start. */
  check(core: BrokerCore, isAcknowledged: boolean, disk: SimulatedDisk): Promise<void>
}

/** Runs the operation once for every disk call in it, crashing there. Returns how many that were. */
async function crashEverywhere(operation: Operation): Promise<number> {
  for (let at = 1; ; at += 1) {
    const disk = new SimulatedDisk({ seed: at })
    const core = await startOn(disk)
    await operation.prepare(core)
    disk.faults.haltAtNth(at)
    let isAcknowledged = false
    const running = operation.run(core).then(() => {
      isAcknowledged = true
    })
    await Promise.race([running, disk.halted])
    const isThrough = isAcknowledged
    try {
      const after = disk.powerCut(at * 31)
      const restarted = await startOn(after)
      await operation.check(restarted, isThrough, after)
      await restarted.close({ markClean: true })
    } catch (error) {
      throw new Error(`crash at call ${at}, seed ${at}:\n${disk.faults.describe(20)}`, {
        cause: error,
      })
    }
    if (isThrough) return at - 1
  }
}

describe('a crash at any disk call', () => {
  test('while a topic is created leaves it whole or not at all', async () => {
    const calls = await crashEverywhere({
      prepare: async () => {},
      run: (core) => core.topics.create({ name: 'orders', partitions: 2 }),
      async check(core, isAcknowledged, disk) {
        const topic = core.topics.get('orders')
        if (isAcknowledged) expect(topic).toBeDefined()
        const directories = topic === undefined ? [] : ['orders-0', 'orders-1']
        expect(await partitionDirectories(disk)).toEqual(directories)
        if (topic === undefined) await core.topics.create({ name: 'orders', partitions: 2 })
        await appendTo(core, 'orders', 0)
        await appendTo(core, 'orders', 1)
      },
    })
    expect(calls).toBeGreaterThan(20)
  })

  test('while a topic is deleted leaves it with its records or without a trace', async () => {
    const calls = await crashEverywhere({
      async prepare(core) {
        await core.topics.create({ name: 'orders', partitions: 2 })
        await appendTo(core, 'orders', 1)
      },
      run: (core) => core.topics.delete('orders'),
      async check(core, isAcknowledged, disk) {
        const topic = core.topics.get('orders')
        if (isAcknowledged) expect(topic).toBeUndefined()
        if (topic !== undefined) {
          expect(core.replicas.partition('orders', 1).highWatermark).toBe(1)
          return
        }
        expect(await partitionDirectories(disk)).toEqual([])
        await core.topics.create({ name: 'orders', partitions: 2 })
        expect(core.replicas.partition('orders', 1).logEndOffset).toBe(0)
      },
    })
    expect(calls).toBeGreaterThan(10)
  })

  test('while a topic grows leaves it with the old or the new partitions, all of them served', async () => {
    await crashEverywhere({
      async prepare(core) {
        await core.topics.create({ name: 'orders', partitions: 1 })
        await appendTo(core, 'orders', 0)
      },
      run: (core) => core.topics.alter('orders', { partitions: 3 }),
      async check(core, isAcknowledged, disk) {
        const partitions = core.topics.require('orders').partitions
        expect(isAcknowledged ? [3] : [1, 3]).toContain(partitions)
        expect(await partitionDirectories(disk)).toHaveLength(partitions)
        expect(core.replicas.partition('orders', 0).highWatermark).toBe(1)
        for (let partition = 0; partition < partitions; partition += 1) {
          await appendTo(core, 'orders', partition)
        }
      },
    })
  })

  test('while a topic begins to sync every write keeps what was flushed, and starts', async () => {
    await crashEverywhere({
      async prepare(core) {
        const config = { 'flush.messages': 1_000 }
        await core.topics.create({ name: 'orders', partitions: 1, config })
        for (let count = 0; count < 3; count += 1) await appendTo(core, 'orders', 0)
      },
      run: (core) => core.topics.alter('orders', { config: { 'flush.messages': 1 } }),
      async check(core, isAcknowledged) {
        const partition = core.replicas.partition('orders', 0)
        const { flushMessages } = core.topics.require('orders').config.log
        if (isAcknowledged) expect(flushMessages).toBe(1)
        if (flushMessages === 1) expect(partition.highWatermark).toBe(3)
        await appendTo(core, 'orders', 0)
      },
    })
  })
})

describe('an error at any disk call', () => {
  test('while a topic is created is answered, and the name can be used after a restart', async () => {
    for (let at = 1; ; at += 1) {
      const disk = new SimulatedDisk({ seed: at })
      let fatal: unknown
      const core = await startOn(disk, { onFatal: (error) => (fatal = error) })
      disk.faults.failNth(at, 'EIO')
      const outcome = await core.topics.create({ name: 'orders', partitions: 2 }).then(
        () => 'created',
        () => 'refused',
      )
      if (disk.faults.struck.length === 0) break
      // Unless it was the metadata or the leader epochs, whoever tries again goes through.
      const isLasting = fatal !== undefined || disk.faults.struck[0]?.path.includes('leader-epochs')
      if (!isLasting && outcome === 'refused') {
        expect(core.topics.get('orders')).toBeUndefined()
        await core.topics.create({ name: 'orders', partitions: 2 })
      }
      await core.close({ markClean: fatal === undefined })
      disk.faults.clear()
      const restarted = await startOn(disk)
      if (restarted.topics.get('orders') === undefined) {
        await restarted.topics.create({ name: 'orders', partitions: 2 })
      }
      await appendTo(restarted, 'orders', 1)
      await restarted.close({ markClean: true })
    }
  })

  test('while a topic is deleted leaves it out of reach, and deleting again finishes it', async () => {
    for (let at = 1; ; at += 1) {
      const disk = new SimulatedDisk({ seed: at })
      let fatal: unknown
      const core = await startOn(disk, { onFatal: (error) => (fatal = error) })
      await core.topics.create({ name: 'orders', partitions: 2 })
      const callsBefore = disk.faults.calls.length
      disk.faults.failNth(at, 'EIO')
      const outcome = await core.topics.delete('orders').then(
        () => 'deleted',
        () => 'failed',
      )
      if (disk.faults.struck.length === 0) break
      if (fatal === undefined && outcome === 'failed') {
        expect(core.topics.get('orders')).toBeUndefined()
        await core.topics.delete('orders')
      }
      if (fatal === undefined) {
        const calls = disk.faults.describe(disk.faults.calls.length - callsBefore)
        expect(await partitionDirectories(disk), calls).toEqual([])
      }
      await core.close({ markClean: false })
    }
  })
})

test('a topic created anew under its old name is another topic', async () => {
  const disk = new SimulatedDisk({ seed: 1 })
  const core = await startOn(disk)
  const first = await core.topics.create({ name: 'orders' })
  await appendTo(core, 'orders')
  const [deleted, second] = await Promise.all([
    core.topics.delete('orders'),
    core.topics.create({ name: 'orders' }),
  ])
  expect(deleted).toBeUndefined()
  expect(second.topicId).not.toBe(first.topicId)
  expect(core.replicas.partition('orders', 0).logEndOffset).toBe(0)
  expect(() => core.replicas.partition('orders', 0).checkTopicId(first.topicId)).toThrow(
    expect.objectContaining({ code: 'INCONSISTENT_TOPIC_ID' }),
  )
  await core.close({ markClean: true })
})
