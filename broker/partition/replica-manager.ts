/**
 * All partitions this broker serves: finds them, follows the metadata (one direction only: a difference
 * of cluster images comes in, partitions appear, change and go), and answers fetches over many of them.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Clock } from '../../storage/clock.ts'
import type { Logger } from '../../storage/logger.ts'
import type { ImageDifference, TopicImage } from '../cluster/cluster-image.ts'
import { type ConfigValues, topicConfigFrom } from '../topics/topic-config.ts'
import { unknownTopic } from '../topics/topic-name.ts'
import type { DiskReserve } from './disk-reserve.ts'
import type { FetchedPartition, FetchRequest } from './fetch-request.ts'
import { Fetcher } from './fetcher.ts'
import { type AppendedTotals, Partition } from './partition.ts'
import type { PartitionLog } from './partition-log.ts'
import { Purgatory } from './purgatory.ts'

export interface ReplicaManagerOptions {
  readonly nodeId: number
  readonly clock: Clock
  readonly logger: Logger
  readonly diskReserve: DiskReserve
  /** Where the logs are; `undefined` for one that could not be opened. */
  log(topic: string, partition: number): PartitionLog | undefined
  /** Topic settings of this broker. */
  readonly topicDefaults: ConfigValues
  readonly waitingRequestsMax: number
  readonly decompressedBytesMax: number
  readonly fetchBytesMax: number
}

export class ReplicaManager {
  readonly purgatory: Purgatory
  readonly diskReserve: DiskReserve
  /** What clients appended to all partitions. */
  readonly appended: AppendedTotals = { records: 0, batches: 0, bytes: 0 }
  readonly #options: ReplicaManagerOptions
  /** By topic; the index is the partition. A hole is a log that could not be opened. */
  readonly #topics = new Map<string, (Partition | undefined)[]>()
  readonly #fetcher: Fetcher

  constructor(options: ReplicaManagerOptions) {
    this.#options = options
    this.diskReserve = options.diskReserve
    this.purgatory = new Purgatory({
      clock: options.clock,
      waitersMax: options.waitingRequestsMax,
    })
    this.#fetcher = new Fetcher({
      partition: (topic, partition) => this.partition(topic, partition),
      purgatory: this.purgatory,
      clock: options.clock,
      fetchBytesMax: options.fetchBytesMax,
    })
  }

  /**
   * The partition, wherever its topic comes from.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION; KAFKA_STORAGE_ERROR when its log cannot be used.
   */
  partition(topic: string, partition: number): Partition {
    const partitions = this.#topics.get(topic)
    if (partitions === undefined) throw unknownTopic(topic)
    const found = partitions[partition]
    if (found !== undefined) return found
    if (Number.isInteger(partition) && partition >= 0 && partition < partitions.length) {
      throw new SpoolError(
        'KAFKA_STORAGE_ERROR',
        `partition ${topic}-${partition} is offline: its log could not be opened, and the broker's own log says why`,
      )
    }
    throw new SpoolError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `topic ${topic} has partitions 0 to ${partitions.length - 1}, not ${partition}`,
    )
  }

  /** The same, for who can do without: `undefined` where `partition` throws. */
  find(topic: string, partition: number): Partition | undefined {
    return this.#topics.get(topic)?.[partition]
  }

  /**
   * All partitions of a topic, in their order.
   *
   * @throws SpoolError as `partition`: what reads all of them needs all of them.
   */
  partitionsOf(topic: string): Partition[] {
    const count = this.#topics.get(topic)?.length
    if (count === undefined) throw unknownTopic(topic)
    return Array.from({ length: count }, (_, number) => this.partition(topic, number))
  }

  /** How many partitions a topic has; `undefined` when there is no such topic. */
  partitionCount(topic: string): number | undefined {
    return this.#topics.get(topic)?.length
  }

  /** Every partition that is served, for describing and counting. */
  *partitions(): Generator<Partition> {
    for (const partitions of this.#topics.values()) {
      for (const partition of partitions) if (partition !== undefined) yield partition
    }
  }

  /**
   * Reads from many partitions, waiting for `minBytes` if it must. What is wrong with one partition is
   * in its place in the answer and does not hold up the others.
   *
   * @throws SpoolError for a question that is wrong as a whole, or when too many requests wait.
   */
  fetch(request: FetchRequest): Promise<FetchedPartition[]> {
    return this.#fetcher.fetch(request)
  }

  /** Makes the partitions what the new picture of the cluster says. Their logs must be open already. */
  apply(difference: ImageDifference): void {
    for (const topic of difference.removed) this.#remove(topic)
    for (const topic of difference.added) this.#topics.set(topic.name, this.#open(topic, 0))
    for (const { after } of difference.changed) this.#change(after)
  }

  /** Puts a topic's settings in force; resolves once what was written before holds to them too. */
  async setConfig(topic: string, set: ConfigValues): Promise<void> {
    const config = topicConfigFrom(set, this.#options.topicDefaults)
    const partitions = this.#topics.get(topic) ?? []
    await Promise.all(partitions.map((partition) => partition?.setConfig(config)))
  }

  /** Sends home everybody who waits; nobody may wait any more. */
  close(): void {
    this.purgatory.close()
    this.diskReserve.close()
  }

  #remove(topic: TopicImage): void {
    const partitions = this.#topics.get(topic.name) ?? []
    this.#topics.delete(topic.name)
    for (const partition of partitions) partition?.close()
  }

  #change(after: TopicImage): void {
    const partitions = this.#topics.get(after.name)
    if (partitions === undefined) return
    partitions.push(...this.#open(after, partitions.length))
    this.setConfig(after.name, after.config).catch((error) => {
      // The log is offline by now, and says so to everybody who uses it.
      this.#options.logger.error({ topic: after.name, error }, 'new settings could not take hold')
    })
  }

  #open(topic: TopicImage, from: number): (Partition | undefined)[] {
    const config = topicConfigFrom(topic.config, this.#options.topicDefaults)
    const opened: (Partition | undefined)[] = []
    for (let partition = from; partition < topic.partitions; partition += 1) {
      const log = this.#options.log(topic.name, partition)
      if (log === undefined) {
        const values = { topic: topic.name, partition }
        this.#options.logger.error(values, 'partition is offline: its log is not open')
      }
      opened.push(log && this.#partitionOf(topic.name, partition, log, config))
    }
    return opened
  }

  #partitionOf(
    topic: string,
    partition: number,
    log: PartitionLog,
    config: Partition['config'],
  ): Partition {
    return new Partition({
      topic,
      partition,
      log,
      config,
      nodeId: this.#options.nodeId,
      purgatory: this.purgatory,
      diskReserve: this.diskReserve,
      decompressedBytesMax: this.#options.decompressedBytesMax,
      appended: this.appended,
    })
  }
}
