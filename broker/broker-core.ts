/**
 * What is behind the faces of one broker: the log engine, the metadata, and what is made of the two.
 * Owns the order in which they are opened, recovered and closed; serves nobody itself.
 *
 * Recovery: the logs of topics that the last run began to delete go before the logs are loaded, so that
 * their directories are neither loaded nor taken for strays; creations are finished after that, because
 * loading knows nothing of logs made meanwhile. Consumer groups are loaded last, while the broker serves
 * already; deletions end when groups have forgotten the topic.
 */

import { hostname } from 'node:os'
import type { Clock } from '../storage/clock.ts'
import type { CleanerTotals } from '../storage/compaction/cleaner.ts'
import { workPlaceInThread } from '../storage/compaction/work-place.ts'
import type { DirectoryOwner } from '../storage/file/data-directory.ts'
import type { DirectoryLock } from '../storage/file/directory-lock.ts'
import type { FileSystem } from '../storage/file/file-system.ts'
import { networkFileSystemWarning } from '../storage/file/network-file-system.ts'
import { nodeFileSystem } from '../storage/file/node-file-system.ts'
import { openFilesLimit } from '../storage/file/open-files.ts'
import type { Log } from '../storage/log/log.ts'
import { LogManager } from '../storage/log-manager.ts'
import type { Logger } from '../storage/logger.ts'
import { partitionerReady } from '../storage/record/partitioner.ts'
import { ClusterImage, differenceOf, type TopicImage } from './cluster/cluster-image.ts'
import { ClusterMetadata } from './cluster/cluster-metadata.ts'
import { FileClusterStore } from './cluster/file-store.ts'
import type { BrokerSettings } from './config.ts'
import { GroupCoordinator, OFFSETS_TOPIC } from './groups/group-coordinator.ts'
import type { GroupLimits } from './groups/group-limits.ts'
import type { KeptLogs } from './groups/lost-ends.ts'
import { placeKey } from './groups/place-key.ts'
import { Re2Patterns } from './groups/re2-patterns.ts'
import { DiskReserve } from './partition/disk-reserve.ts'
import { ReplicaManager } from './partition/replica-manager.ts'
import { ProducerIds } from './producer-ids.ts'
import { topicConfigFrom } from './topics/topic-config.ts'
import { TopicService } from './topics/topic-service.ts'

/** Kafka's size: small, so that compaction and loading are quick. */
const OFFSETS_SEGMENT_BYTES = 100 * 1024 * 1024
const OFFSETS_BATCH_BYTES_MAX = 64 * 1024 * 1024

export interface CoreDependencies {
  readonly logger: Logger
  readonly clock: Clock
  readonly fileSystem: FileSystem
  readonly directoryLock: DirectoryLock
  newUuid(): string
  /** A log was synced, which took so long. */
  flushed(seconds: number): void
  /** The metadata could not be written: the broker must stop, and not be marked clean. */
  onFatal(error: unknown): void
}

export class BrokerCore {
  readonly metadata: ClusterMetadata
  readonly topics: TopicService
  readonly replicas: ReplicaManager
  readonly producerIds: ProducerIds
  readonly groups: GroupCoordinator
  readonly #settings: BrokerSettings
  readonly #store: FileClusterStore
  readonly #logs: LogManager
  #isRecovered = false
  #closed: Promise<void> | undefined

  private constructor(
    settings: BrokerSettings,
    dependencies: CoreDependencies,
    opened: {
      logs: LogManager
      store: FileClusterStore
      metadata: ClusterMetadata
    },
  ) {
    this.#settings = settings
    this.#logs = opened.logs
    this.#store = opened.store
    this.metadata = opened.metadata
    this.replicas = createReplicaManager(settings, dependencies, opened.logs)
    const checkRoom = () => this.replicas.diskReserve.check()
    this.producerIds = new ProducerIds({ store: opened.store, checkRoom })
    this.topics = new TopicService({
      store: opened.store,
      logs: {
        createTopicLogs: (topic, partitions) => opened.logs.createTopicLogs(topic, partitions),
        deleteTopicLogs: (topic) => opened.logs.deleteTopicLogs(topic),
        setTopicConfig: (topic, set) => this.replicas.setConfig(topic, set),
      },
      logger: dependencies.logger,
      image: () => this.metadata.image,
      newTopicId: dependencies.newUuid,
      checkRoom,
      forgetCommits: (topic) => this.groups.forgetTopic(topic),
      settings,
    })
    this.groups = new GroupCoordinator({
      limits: groupLimitsOf(settings),
      groupsMax: settings.groupsMax,
      groupsBytesMax: settings.groupsBytesMax,
      decompressedBytesMax: settings.decompressedBytesMax,
      patterns: new Re2Patterns(),
      clock: dependencies.clock,
      logger: dependencies.logger,
      image: () => this.metadata.image,
      partition: (number) => this.replicas.partition(OFFSETS_TOPIC, number),
      createTopic: async () => {
        await this.topics.create(offsetsTopic(settings), { internal: true })
      },
    })
  }

  /** Takes the data directory and reads the metadata; nothing is recovered yet. */
  static async open(settings: BrokerSettings, dependencies: CoreDependencies): Promise<BrokerCore> {
    const { fileSystem, logger, newUuid, onFatal } = dependencies
    const directory = settings.dataDir
    const owner = { pid: process.pid, host: hostname(), startedAt: new Date().toISOString() }
    const logs = await openLogs(settings, dependencies, owner)
    try {
      const store = await FileClusterStore.open({ fileSystem, directory, onFatal })
      const metadata = await ClusterMetadata.join({
        store,
        nodeId: settings.nodeId,
        logger,
        newClusterId: newUuid,
        leaderEpochOf: (topic, partition) => openLog(logs, topic, partition)?.leaderEpoch ?? -1,
      })
      const { nodeId, clusterId } = metadata.image
      await logs.recordOwner({ ...owner, nodeId, clusterId })
      return new BrokerCore(settings, dependencies, { logs, store, metadata })
    } catch (error) {
      await logs.close({ markClean: false })
      throw error
    }
  }

  /** True once everything can be served. */
  get isRecovered(): boolean {
    return this.#isRecovered
  }

  /** What compaction did since the start. */
  get compactionTotals(): CleanerTotals {
    return this.#logs.cleanerTotals
  }

  /** Finishes what was begun, loads and recovers the logs, and begins to follow the metadata. */
  async recover(): Promise<void> {
    await partitionerReady('xxhash64')
    await this.topics.removeDeletedLogs()
    const { image } = this.metadata
    await this.#logs.loadLogs([...image.topics.values()].map((topic) => this.#logsToLoad(topic)))
    await this.topics.finishCreations()
    await this.replicas.diskReserve.poll()
    const nothing = ClusterImage.empty({ ...image, leaderEpochOf: () => -1 })
    this.replicas.apply(differenceOf(nothing, this.metadata.image))
    this.metadata.follow((difference) => {
      this.replicas.apply(difference)
      this.groups.topicsChanged()
    })
    this.groups.open(() => this.#keptLogs())
    this.#isRecovered = true
    void this.groups.whenLoaded().then(() => this.topics.finishDeletions())
  }

  /** What recovery left of every log, as of now: writers may come any moment. */
  #keptLogs(): KeptLogs {
    const kept = new Map(
      [...this.replicas.partitions()].map(
        ({ topicId, partition, logStartOffset, logEndOffset }) =>
          [placeKey({ topicId, partition }), { logStartOffset, logEndOffset }] as const,
      ),
    )
    return (place) => kept.get(placeKey(place))
  }

  /** Makes this broker known to the cluster under the address it serves at. */
  register(url: string): Promise<void> {
    return this.metadata.register(url)
  }

  /** Sends home everybody who waits for records. */
  releaseWaiting(): void {
    this.replicas.close()
  }

  /**
   * Closes everything. Marked clean only when asked for and only if it is so: all logs were recovered,
   * flushed and none is offline.
   */
  close({ markClean }: { markClean: boolean }): Promise<void> {
    this.#closed ??= this.#close(markClean && this.#isRecovered)
    return this.#closed
  }

  async #close(markClean: boolean): Promise<void> {
    this.groups.close()
    this.replicas.close()
    this.metadata.close()
    await this.#store.close()
    await this.#logs.close({ markClean })
  }

  /** A topic that is not whole yet is named, so that its directories are left alone, but has no log to load. */
  #logsToLoad({ name, topicId, partitions, state, config: set }: TopicImage) {
    const config = topicConfigFrom(set, this.#settings.topicDefaults).log
    return { name, topicId, partitions: state === 'active' ? partitions : 0, config }
  }
}

/** `__consumer_offsets`: compacted, so that it holds the last word of every group and member and no more. */
function offsetsTopic({ offsetsTopicPartitions }: BrokerSettings) {
  return {
    name: OFFSETS_TOPIC,
    partitions: offsetsTopicPartitions,
    replicationFactor: 1,
    config: {
      'cleanup.policy': 'compact',
      'compression.type': 'producer',
      // What an event writes is one batch, however many members a group has.
      'max.message.bytes': OFFSETS_BATCH_BYTES_MAX,
      'segment.bytes': OFFSETS_SEGMENT_BYTES,
      // A commit is acknowledged when it is durable, whatever other topics' default is.
      'flush.messages': 1,
      'message.timestamp.type': 'CreateTime',
    },
  }
}

function groupLimitsOf(settings: BrokerSettings): GroupLimits {
  return {
    membersMax: settings.groupMembersMax,
    sessionTimeoutMs: settings.groupSessionMs,
    sessionTimeoutMsMin: settings.groupSessionMsMin,
    sessionTimeoutMsMax: settings.groupSessionMsMax,
    heartbeatIntervalMs: settings.groupHeartbeatMs,
    offsetsRetentionMs: settings.offsetsRetentionMinutes * 60_000,
    offsetMetadataBytesMax: settings.offsetMetadataBytesMax,
  }
}

async function openLogs(
  settings: BrokerSettings,
  dependencies: CoreDependencies,
  owner: DirectoryOwner,
): Promise<LogManager> {
  const { fileSystem, directoryLock, clock, logger, flushed } = dependencies
  const logs = await LogManager.open({
    directory: settings.dataDir,
    fileSystem,
    lock: directoryLock,
    owner,
    clock,
    logger,
    flushed,
    openWorkPlace: workPlaceInThread,
    settings: {
      ...settings,
      openFilesMax: await openFilesLimit(fileSystem, settings.openFilesMax),
    },
  })
  if (fileSystem === nodeFileSystem) {
    const warning = await networkFileSystemWarning(settings.dataDir)
    if (warning !== undefined) logger.warn({}, warning)
  }
  return logs
}

function createReplicaManager(
  settings: BrokerSettings,
  dependencies: CoreDependencies,
  logs: LogManager,
): ReplicaManager {
  const { fileSystem, clock, logger } = dependencies
  const { nodeId, topicDefaults, waitingRequestsMax, decompressedBytesMax, fetchBytesMax } =
    settings
  const diskReserve = new DiskReserve({
    fileSystem,
    clock,
    logger,
    path: settings.dataDir,
    reserveBytes: settings.diskReserveBytes,
  })
  return new ReplicaManager({
    nodeId,
    clock,
    logger,
    diskReserve,
    log: (topic, partition) => openLog(logs, topic, partition),
    topicDefaults,
    waitingRequestsMax,
    decompressedBytesMax,
    fetchBytesMax,
  })
}

/** The log, or `undefined` for one that could not be opened: the manager keeps the reason. */
function openLog(logs: LogManager, topic: string, partition: number): Log | undefined {
  return logs.failures.has(`${topic}-${partition}`) ? undefined : logs.log(topic, partition)
}
