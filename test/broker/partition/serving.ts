/** A replica manager over logs in memory, for tests: topics are named by what the test needs. */

import { ClusterImage, differenceOf } from '../../../broker/cluster/cluster-image.ts'
import { topicKey } from '../../../broker/cluster/metadata-keys.ts'
import { DiskReserve } from '../../../broker/partition/disk-reserve.ts'
import { ReplicaManager } from '../../../broker/partition/replica-manager.ts'
import type { ConfigValues } from '../../../broker/topics/topic-config.ts'
import { silentLogger } from '../../../storage/logger.ts'
import { ManualClock } from '../../rigs/clock.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { MemoryLog } from './memory-log.ts'

export interface ServedTopic {
  readonly name: string
  readonly topicId?: string
  readonly partitions?: number
  readonly config?: ConfigValues
}

const identity = { clusterId: 'cluster', nodeId: 1, brokerEpoch: 1, leaderEpochOf: () => 3 }

export class Serving {
  readonly clock = new ManualClock()
  readonly disk = new SimulatedDisk({ capacityBytes: 1_000_000 })
  readonly logs = new Map<string, MemoryLog>()
  readonly diskReserve: DiskReserve
  readonly replicas: ReplicaManager
  #image = ClusterImage.empty(identity)

  constructor(options: { waitingRequestsMax?: number; reserveBytes?: number } = {}) {
    this.diskReserve = new DiskReserve({
      fileSystem: this.disk,
      clock: this.clock,
      logger: silentLogger,
      path: '/data',
      reserveBytes: options.reserveBytes ?? 0,
    })
    this.replicas = new ReplicaManager({
      nodeId: 1,
      clock: this.clock,
      logger: silentLogger,
      diskReserve: this.diskReserve,
      log: (topic, partition) => this.logs.get(`${topic}-${partition}`),
      topicDefaults: {},
      waitingRequestsMax: options.waitingRequestsMax ?? 100,
      decompressedBytesMax: 1 << 20,
      fetchBytesMax: 1 << 20,
    })
  }

  /** Serves a topic, or serves it otherwise. */
  put({ name, topicId = `${name}-id`, partitions = 1, config = {} }: ServedTopic): void {
    for (let partition = 0; partition < partitions; partition += 1) {
      const key = `${name}-${partition}`
      if (this.logs.get(key)?.topicId !== topicId) this.logs.set(key, new MemoryLog(topicId))
    }
    const entry = { topicId, state: 'active', partitions, replicationFactor: 1, config }
    this.#change({ key: topicKey(name), value: JSON.stringify(entry), version: 1 })
  }

  remove(name: string): void {
    this.#change({ key: topicKey(name), value: null })
  }

  log(topic: string, partition = 0): MemoryLog {
    return this.logs.get(`${topic}-${partition}`)!
  }

  /** Appends batches of these sizes and makes them visible. */
  fill(topic: string, sizes: readonly number[], partition = 0): void {
    for (const size of sizes) this.append(topic, size, partition)
    this.log(topic, partition).flush()
  }

  append(topic: string, size: number, partition = 0) {
    const batch = Buffer.alloc(size, partition + 1)
    return this.replicas.partition(topic, partition).appendAsLeader(batch, { acks: 'all' })
  }

  /** The present picture of the cluster. */
  get image(): ClusterImage {
    return this.#image
  }

  #change(event: Parameters<ClusterImage['with']>[0][number]): void {
    const before = this.#image
    this.#image = before.with([event])
    this.replicas.apply(differenceOf(before, this.#image))
  }
}

/** Lets everything that is ready to go on do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
