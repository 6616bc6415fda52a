/**
 * This broker's view of the cluster: joins it (which cluster, which node, which start), keeps the current
 * image as the store changes, and tells whoever follows what is different. The picture itself is
 * `cluster-image.ts`, where it is kept is the store.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Logger } from '../../storage/logger.ts'
import { ClusterImage, differenceOf, type ImageDifference } from './cluster-image.ts'
import type { ClusterStore, EntryEvent } from './cluster-store.ts'
import {
  brokerEpochKey,
  brokerKey,
  CLUSTER_KEY,
  parseClusterEntry,
  parseCounter,
} from './metadata-keys.ts'

export interface ClusterMetadataOptions {
  readonly store: ClusterStore
  readonly nodeId: number
  readonly logger: Logger
  /** For the first start of all. */
  newClusterId(): string
  /** The epoch under which this broker leads that partition. */
  leaderEpochOf(topic: string, partition: number): number
}

export class ClusterMetadata {
  readonly #store: ClusterStore
  readonly #logger: Logger
  readonly #endWatch: () => void
  readonly #followers = new Set<(difference: ImageDifference) => void>()
  #image: ClusterImage

  private constructor(options: ClusterMetadataOptions, image: ClusterImage) {
    this.#store = options.store
    this.#logger = options.logger
    this.#image = image
    this.#endWatch = options.store.watch('', (events) => this.#apply(events))
  }

  /**
   * Joins: founds the cluster if there is none, raises the broker epoch (durable before it is used), and
   * reads the first image.
   *
   * @throws SpoolError INVALID_CONFIG when the metadata is that of another node; KAFKA_STORAGE_ERROR when
   * an entry cannot be read.
   */
  static async join(options: ClusterMetadataOptions): Promise<ClusterMetadata> {
    const { store, nodeId, leaderEpochOf } = options
    const clusterId = await joinCluster(options)
    const brokerEpoch = await raiseBrokerEpoch(store, nodeId)
    const empty = ClusterImage.empty({ clusterId, nodeId, brokerEpoch, leaderEpochOf })
    const metadata = new ClusterMetadata(options, empty)
    metadata.#apply(await store.read(''))
    return metadata
  }

  get image(): ClusterImage {
    return this.#image
  }

  /** Tells `listener` every difference from now on, before the change is answered. */
  follow(listener: (difference: ImageDifference) => void): () => void {
    this.#followers.add(listener)
    return () => void this.#followers.delete(listener)
  }

  /** Makes this broker known, reachable at `url`, for as long as it runs. */
  async register(url: string): Promise<void> {
    const key = brokerKey(this.#image.nodeId)
    const value = JSON.stringify({ brokerEpoch: this.#image.brokerEpoch, url })
    const [present] = await this.#store.read(key)
    const expect = present?.key === key ? present.version : 'absent'
    await this.#store.transact([{ key, value, expect, ephemeral: true }])
  }

  close(): void {
    this.#endWatch()
    this.#followers.clear()
  }

  #apply(events: readonly EntryEvent[]): void {
    const before = this.#image
    const after = before.with(events)
    this.#image = after
    for (const [key, problem] of after.problems) {
      if (!before.problems.has(key)) this.#logger.error({ key, problem }, 'metadata not understood')
    }
    const difference = differenceOf(before, after)
    for (const follower of [...this.#followers]) follower(difference)
  }
}

/** The id of the cluster whose metadata this is; a new one where there is none yet. */
async function joinCluster({ store, nodeId, newClusterId }: ClusterMetadataOptions) {
  const [entry] = await store.read(CLUSTER_KEY)
  if (entry === undefined) {
    const clusterId = newClusterId()
    const value = JSON.stringify({ clusterId, nodeId })
    await store.transact([{ key: CLUSTER_KEY, value, expect: 'absent' }])
    return clusterId
  }
  const cluster = parseClusterEntry(entry.value)
  if (cluster === undefined) throw unreadable(CLUSTER_KEY)
  if (cluster.nodeId !== undefined && cluster.nodeId !== nodeId) {
    throw new SpoolError(
      'INVALID_CONFIG',
      `the data directory belongs to node ${cluster.nodeId}, not to node.id ${nodeId}`,
    )
  }
  return cluster.clusterId
}

async function raiseBrokerEpoch(store: ClusterStore, nodeId: number): Promise<number> {
  const key = brokerEpochKey(nodeId)
  const entry = (await store.read(key)).find((candidate) => candidate.key === key)
  const previous = entry === undefined ? 0 : parseCounter(entry.value)
  if (previous === undefined) throw unreadable(key)
  const value = String(previous + 1)
  await store.transact([{ key, value, expect: entry?.version ?? 'absent' }])
  return previous + 1
}

function unreadable(key: string): SpoolError {
  return new SpoolError(
    'KAFKA_STORAGE_ERROR',
    `the metadata under "${key}" is not what this version writes`,
  )
}
