/** Promises of a whole broker: how it starts, what it answers meanwhile, and how it ends. */

import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { Broker } from '../../broker/broker.ts'
import { settingsWith } from '../../broker/config.ts'
import type { BrokerContext, Listener } from '../../broker/context.ts'
import { startBroker } from '../../broker/testing.ts'
import { silentLogger } from '../../storage/logger.ts'
import { LOG_OVERHEAD_BYTES } from '../../storage/record/record-batch.ts'
import { SimulatedDisk } from '../rigs/disk/simulated-disk.ts'
import { batchOf } from './broker-on-disk.ts'

const statusOf = async (url: string) => (await fetch(url)).status

/** A face that only says whether it listens. */
class QuietListener implements Listener {
  readonly context: BrokerContext
  isListening = false

  constructor(context: BrokerContext) {
    this.context = context
  }
  async listen() {
    this.isListening = true
    return { url: 'http://test', port: 1 }
  }
  async close() {
    this.isListening = false
  }
}

/** A broker on a simulated disk, with the face it has made. */
async function startQuietly(disk: SimulatedDisk, over: object = {}) {
  let listener: QuietListener | undefined
  const fatal: unknown[] = []
  const starting = Broker.start(settingsWith({ dataDir: '/data', diskReserveBytes: 0, ...over }), {
    fileSystem: disk,
    directoryLock: disk.directoryLock,
    logger: silentLogger,
    createListener: (context) => {
      listener = new QuietListener(context)
      return listener
    },
    onFatal: (error) => fatal.push(error),
  })
  const broker = await starting.catch((error: unknown) => {
    expect(listener?.isListening ?? false, 'a broker that did not start still listens').toBe(false)
    throw error
  })
  return { broker, listener: listener!, fatal }
}

async function append(context: BrokerContext, topic: string): Promise<void> {
  const partition = context.replicas.partition(topic, 0)
  await partition.appendAsLeader(batchOf('v'), { acks: 'all' }).acknowledged
}

describe('a broker', () => {
  test('serves when it has started, keeps what it acknowledged, and stops clean', async () => {
    await using first = await startBroker()
    expect(await statusOf(`${first.url}/health/ready`)).toBe(200)
    await first.context.topics.create({ name: 'orders' })
    const { clusterId } = first.context.clusterImage()
    await append(first.context, 'orders')
    await first.stop()
    await expect(fetch(first.url)).rejects.toThrow()

    const second = await startBroker({ dataDir: first.dataDir })
    expect(second.context.replicas.partition('orders', 0)).toMatchObject({
      highWatermark: 1,
      leaderEpoch: 1,
    })
    expect(second.context.clusterImage()).toMatchObject({ clusterId, brokerEpoch: 2 })
    expect([...second.context.clusterImage().brokers.values()]).toEqual([
      { nodeId: 1, brokerEpoch: 2, url: second.url },
    ])
    await second.stop()
  })

  test('answers liveness while it recovers, and is ready only after', async () => {
    const disk = new SimulatedDisk()
    let whileRecovering: boolean | undefined
    const { broker } = await (async () => {
      const hold = disk.list.bind(disk)
      let listener: QuietListener | undefined
      disk.list = async (directory) => {
        whileRecovering ??= listener?.isListening === true && !listener.context.isReady()
        expect(() => listener?.context.topics).toThrow(
          expect.objectContaining({ code: 'BROKER_NOT_READY', retryAfterS: 1 }),
        )
        disk.list = hold
        return await hold(directory)
      }
      const broker = await Broker.start(settingsWith({ dataDir: '/data', diskReserveBytes: 0 }), {
        fileSystem: disk,
        directoryLock: disk.directoryLock,
        createListener: (context) => {
          listener = new QuietListener(context)
          return listener
        },
      })
      return { broker }
    })()
    expect(whileRecovering).toBe(true)
    expect(broker.context.isReady()).toBe(true)
    await broker.stop()
    expect(broker.context.isReady()).toBe(false)
    expect(disk.openPaths).toEqual([])
  })

  test('sends home who waits when it stops, and stops once', async () => {
    const { broker } = await startQuietly(new SimulatedDisk())
    await broker.context.topics.create({ name: 'orders' })
    const waiting = broker.context.replicas.partition('orders', 0).waitForAppend(0, 60_000)
    await Promise.all([broker.stop(), broker.stop()])
    expect(await waiting).toBe(false)
  })

  test('refuses a directory another broker has, and one of another node', async () => {
    const disk = new SimulatedDisk()
    const { broker } = await startQuietly(disk)
    await expect(startQuietly(disk)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_LOCKED' })
    await broker.stop()
    await expect(startQuietly(disk, { nodeId: 2 })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: 'the data directory belongs to node 1, not to node.id 2',
    })
    const again = await startQuietly(disk)
    await again.broker.stop()
  })

  test('refuses to serve other machines without a word about who may use it', async () => {
    await expect(startBroker({ host: '0.0.0.0' })).rejects.toThrow(/--auth-token-file/)
  })

  test('that cannot have its port leaves nothing behind', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    await expect(startBroker({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    taken.close()
  })

  test('that cannot write its metadata stops serving and is not marked clean', async () => {
    const disk = new SimulatedDisk()
    const { broker, fatal } = await startQuietly(disk)
    await broker.context.topics.create({ name: 'orders' })
    await append(broker.context, 'orders')
    disk.faults.failNth(1, 'EIO', { which: (call) => call.path.includes('cluster.metadata') })
    await expect(broker.context.topics.create({ name: 'other' })).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
    })
    expect(fatal).toHaveLength(1)
    expect(broker.context.isReady()).toBe(false)
    await broker.stop()
    expect(await disk.status('/data/clean-shutdown')).toBeUndefined()

    const { broker: again } = await startQuietly(disk)
    expect(again.context.replicas.partition('orders', 0).highWatermark).toBe(1)
    await again.stop()
    expect(await disk.status('/data/clean-shutdown')).toBeDefined()
  })

  test('that fails to start after an unclean stop does not mark the directory clean', async () => {
    const disk = new SimulatedDisk({ seed: 5 })
    const { broker } = await startQuietly(disk)
    await broker.context.topics.create({ name: 'orders' })
    await append(broker.context, 'orders')
    const after = disk.powerCut(5)
    await expect(startQuietly(after, { nodeId: 2 })).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
    })
    expect(await after.status('/data/clean-shutdown')).toBeUndefined()
  })

  test('serves the other partitions when one log is corrupt, and says so of that one', async () => {
    const disk = new SimulatedDisk()
    const { broker } = await startQuietly(disk)
    await broker.context.topics.create({ name: 'orders', partitions: 2 })
    await append(broker.context, 'orders')
    const after = disk.processKill(1)
    const damaged = await after.open('/data/orders-0/00000000000000000000.log', 'write')
    await damaged.write([Buffer.alloc(LOG_OVERHEAD_BYTES, 0xff)], 0)
    await damaged.close()
    const { broker: again } = await startQuietly(after)
    expect(() => again.context.replicas.partition('orders', 0)).toThrow(
      expect.objectContaining({ code: 'KAFKA_STORAGE_ERROR' }),
    )
    expect(again.context.replicas.partition('orders', 1).highWatermark).toBe(0)
    await again.stop()
  })
})
