/**
 * Topics as clients see, make, change and delete them: what is allowed, what is the same, and that
 * operations on one topic come one after another. The durable steps are `topic-lifecycle.ts`; the list
 * of topics is the cluster image, so a topic is seen only once it is whole.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { StorageError } from '../../storage/errors.ts'
import { fileErrorCode, isDiskFull } from '../../storage/file/file-system.ts'
import type { Logger } from '../../storage/logger.ts'
import type { ClusterImage, TopicImage } from '../cluster/cluster-image.ts'
import { type ClusterStore, VersionConflict } from '../cluster/cluster-store.ts'
import { Lanes } from './lanes.ts'
import type { Topic } from './topic.ts'
import {
  type ConfigChanges,
  type ConfigEntry,
  type ConfigValues,
  changedConfig,
  configDifferences,
  describeConfig,
  topicConfigFrom,
} from './topic-config.ts'
import { type LogsOfTopics, TopicLifecycle } from './topic-lifecycle.ts'
import { checkPartitionCount, checkReplicationFactor, TopicLimits } from './topic-limits.ts'
import { checkTopicName, isInternalTopic, refuseInternalTopic, unknownTopic } from './topic-name.ts'

export interface CreateTopicRequest {
  readonly name: string
  /** Absent: `num.partitions`. */
  readonly partitions?: number | undefined
  /** Absent: `default.replication.factor`. */
  readonly replicationFactor?: number | undefined
  readonly config?: ConfigChanges | undefined
}

export interface AlterTopicRequest {
  /** Keys to set; null puts one back to its default. */
  readonly config?: ConfigChanges | undefined
  /** At least as many as there are. */
  readonly partitions?: number | undefined
}

/** One thing in which an existing topic is not what was asked for. */
export interface TopicDifference {
  /** `partitions`, `replicationFactor`, or a config key. */
  readonly field: string
  readonly wanted: number | string
  readonly actual: number | string
}

export interface TopicServiceOptions {
  readonly store: ClusterStore
  readonly logs: LogsOfTopics
  readonly logger: Logger
  /** Forgets what consumer groups committed for a topic that goes; durable when it resolves. */
  forgetCommits(topic: { readonly name: string; readonly topicId: string }): Promise<void>
  image(): ClusterImage
  /** A new topic id. */
  newTopicId(): string
  /** Throws while the disk is too full to begin anything new. */
  checkRoom(): void
  readonly settings: {
    readonly numPartitions: number
    readonly defaultReplicationFactor: number
    readonly topicsMax: number
    readonly partitionsMax: number
    readonly topicDefaults: ConfigValues
  }
}

/** What the broker itself may do and clients may not. */
interface Internal {
  readonly internal?: boolean
}

export class TopicService {
  readonly #options: TopicServiceOptions
  readonly #lifecycle: TopicLifecycle
  readonly #limits: TopicLimits
  readonly #lanes = new Lanes()
  /** Made once per picture of a topic: the produce path asks for every request. */
  readonly #topics = new WeakMap<TopicImage, Topic>()

  constructor(options: TopicServiceOptions) {
    this.#options = options
    const { store, logs, logger, forgetCommits, settings } = options
    const { topicDefaults, topicsMax, partitionsMax } = settings
    this.#lifecycle = new TopicLifecycle({ store, logs, logger, forgetCommits, topicDefaults })
    this.#limits = new TopicLimits({ topicsMax, partitionsMax, image: options.image })
  }

  /** Every topic, by name; the broker's own only on request. */
  list({ internal = false }: Internal = {}): Topic[] {
    const images = [...this.#options.image().topics.values()]
    return images
      .filter((image) => image.state === 'active' && (internal || !image.isInternal))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((image) => this.#topic(image))
  }

  /** The topic of that name; `undefined` also while it is being created or deleted. */
  get(name: string): Topic | undefined {
    const image = this.#options.image().activeTopic(name)
    return image && this.#topic(image)
  }

  /** Like `get`. @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION, saying how to create it. */
  require(name: string): Topic {
    const topic = this.get(name)
    if (topic === undefined) throw unknownTopic(name)
    return topic
  }

  /** Every setting of the topic with its value and where that comes from. */
  describeConfig(topic: Topic): ConfigEntry[] {
    return describeConfig(topic.config.set, this.#options.settings.topicDefaults)
  }

  /**
   * Creates a topic; resolves when it is durable and served.
   *
   * @throws SpoolError INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
   * INVALID_CONFIG, LIMIT_EXCEEDED, or TOPIC_ALREADY_EXISTS.
   */
  async create(request: CreateTopicRequest, options: Internal = {}): Promise<Topic> {
    const wanted = this.#checkCreate(request, options)
    return await this.#lanes.run(request.name, () => this.#createNow(wanted))
  }

  /**
   * Creates the topic, or finds it as asked for: fields and settings that the request does not name are
   * not compared.
   *
   * @throws as `create`; TOPIC_ALREADY_EXISTS names the differences, also as `differences`.
   */
  async createOrConfirm(request: CreateTopicRequest): Promise<{ topic: Topic; created: boolean }> {
    const wanted = this.#checkCreate(request, {})
    return await this.#lanes.run(request.name, async () => {
      const existing = this.get(request.name)
      if (existing === undefined) return { topic: await this.#createNow(wanted), created: true }
      const differences = this.#differences(request, existing)
      if (differences.length > 0) throw existsOtherwise(request.name, differences)
      return { topic: existing, created: false }
    })
  }

  /**
   * Changes settings, adds partitions, or both at once; resolves when it is durable and in force.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG, INVALID_PARTITIONS (they never become
   * fewer), LIMIT_EXCEEDED, or INVALID_UPDATE_VERSION when another broker changed the topic meanwhile.
   */
  async alter(name: string, request: AlterTopicRequest, options: Internal = {}): Promise<Topic> {
    if (options.internal !== true) refuseInternalTopic(name)
    return await this.#lanes.run(name, async () => {
      const image = this.#activeImage(name)
      const config = changedConfig(image.config, request.config ?? {})
      const partitions = this.#partitionsAfter(image, request.partitions)
      if (partitions > image.partitions) this.#options.checkRoom()
      const more = partitions - (image.growingTo ?? image.partitions)
      const release = image.isInternal ? () => {} : this.#limits.hold(0, more)
      try {
        await this.#lifecycle.alter(image, config, partitions)
      } catch (error) {
        throw apiErrorOf(error, 'INVALID_UPDATE_VERSION', name)
      } finally {
        release()
      }
      return this.require(name)
    })
  }

  /**
   * Deletes a topic and its records. Nobody reads or writes it from the first durable step on; resolves
   * when its files are gone. Asked again after an error, it goes on where it stopped.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION.
   */
  async delete(name: string, options: Internal = {}): Promise<void> {
    if (options.internal !== true) refuseInternalTopic(name)
    await this.#lanes.run(name, async () => {
      const image = this.#options.image().topics.get(name)
      if (image === undefined) throw unknownTopic(name)
      try {
        await this.#lifecycle.delete(image)
      } catch (error) {
        throw apiErrorOf(error, 'INVALID_UPDATE_VERSION', name)
      }
    })
  }

  /** Removes the logs of topics the last run began to delete: before logs are loaded, so that they are not. */
  removeDeletedLogs(): Promise<void> {
    return this.#finish(
      (image) => image.state === 'deleting',
      (image) => this.#lifecycle.removeLogs(image),
    )
  }

  /** Finishes creations and growth the last run began: after the logs are loaded, before anybody is served. */
  finishCreations(): Promise<void> {
    return this.#finish(
      (image) => image.state === 'creating' || image.growingTo !== undefined,
      (image) => this.#lifecycle.finish(image),
    )
  }

  /** Finishes deletions: after consumer groups are loaded, whose commits for the topic go before its id is forgotten. */
  finishDeletions(): Promise<void> {
    return this.#finish(
      (image) => image.state === 'deleting',
      ({ name }) => this.delete(name, { internal: true }),
    )
  }

  /** What cannot be finished (a full disk) keeps its state: the next start, create or delete tries again. */
  async #finish(
    isHalfDone: (image: TopicImage) => boolean,
    finish: (image: TopicImage) => Promise<void>,
  ): Promise<void> {
    for (const image of [...this.#options.image().topics.values()].filter(isHalfDone)) {
      const { name, topicId, state } = image
      this.#options.logger.info({ topic: name, topicId, state }, 'finishing what was begun')
      try {
        await finish(image)
      } catch (error) {
        const values = { topic: name, topicId, state, error }
        this.#options.logger.error(values, 'what was begun could not be finished')
      }
    }
  }

  #checkCreate(request: CreateTopicRequest, options: Internal): Omit<TopicImage, 'version'> {
    const { name, config = {} } = request
    const { settings } = this.#options
    checkTopicName(name)
    if (options.internal !== true) refuseInternalTopic(name)
    const partitions = request.partitions ?? settings.numPartitions
    checkPartitionCount(partitions)
    const replicationFactor = request.replicationFactor ?? settings.defaultReplicationFactor
    checkReplicationFactor(replicationFactor, Math.max(1, this.#options.image().brokers.size))
    return {
      name,
      topicId: this.#options.newTopicId(),
      state: 'active',
      partitions,
      replicationFactor,
      config: changedConfig({}, config),
      isInternal: isInternalTopic(name),
    }
  }

  async #createNow(wanted: Omit<TopicImage, 'version'>): Promise<Topic> {
    const { name } = wanted
    const remains = this.#options.image().topics.get(name)
    if (remains?.state === 'active') throw alreadyExists(name)
    // Anything else is left of an attempt that failed half way: nobody else works in this lane.
    this.#options.checkRoom()
    try {
      if (remains !== undefined) await this.#lifecycle.delete(remains)
      const release = wanted.isInternal ? () => {} : this.#limits.hold(1, wanted.partitions)
      await this.#lifecycle.create(wanted, release)
    } catch (error) {
      throw apiErrorOf(error, 'TOPIC_ALREADY_EXISTS', name)
    }
    return this.require(name)
  }

  #differences(request: CreateTopicRequest, existing: Topic): TopicDifference[] {
    const differences: TopicDifference[] = []
    for (const field of ['partitions', 'replicationFactor'] as const) {
      const wanted = request[field]
      if (wanted === undefined || wanted === existing[field]) continue
      differences.push({ field, wanted, actual: existing[field] })
    }
    if (request.config === undefined) return differences
    const wanted = changedConfig({}, request.config)
    const { topicDefaults } = this.#options.settings
    for (const { key, ...values } of configDifferences(
      wanted,
      existing.config.set,
      topicDefaults,
    )) {
      differences.push({ field: key, ...values })
    }
    return differences
  }

  #partitionsAfter(image: TopicImage, wanted: number | undefined): number {
    const atLeast = image.growingTo ?? image.partitions
    if (wanted === undefined) return atLeast
    checkPartitionCount(wanted)
    if (wanted >= atLeast) return wanted
    throw new SpoolError(
      'INVALID_PARTITIONS',
      `topic ${image.name} has ${atLeast} partitions and cannot have fewer (${wanted}): records would be lost`,
    )
  }

  #activeImage(name: string): TopicImage {
    const image = this.#options.image().activeTopic(name)
    if (image === undefined) throw unknownTopic(name)
    return image
  }

  #topic(image: TopicImage): Topic {
    const known = this.#topics.get(image)
    if (known !== undefined) return known
    const { name, topicId, partitions, replicationFactor, isInternal } = image
    const config = topicConfigFrom(image.config, this.#options.settings.topicDefaults)
    const topic = { name, topicId, partitions, replicationFactor, config, isInternal }
    this.#topics.set(image, topic)
    return topic
  }
}

function alreadyExists(name: string): SpoolError {
  return new SpoolError('TOPIC_ALREADY_EXISTS', `topic ${name} exists already`)
}

function existsOtherwise(name: string, differences: readonly TopicDifference[]): SpoolError {
  const each = differences.map((one) => `${one.field} is ${one.actual}, not ${one.wanted}`)
  return new SpoolError('TOPIC_ALREADY_EXISTS', `topic ${name} exists, but ${each.join('; ')}`, {
    extensions: { differences },
  })
}

/**
 * What went wrong with the durable steps, for the client: `conflict` where another broker was faster,
 * the disk's own errors without their paths.
 */
function apiErrorOf(
  error: unknown,
  conflict: 'TOPIC_ALREADY_EXISTS' | 'INVALID_UPDATE_VERSION',
  name: string,
): unknown {
  if (error instanceof VersionConflict) {
    if (conflict === 'TOPIC_ALREADY_EXISTS') return alreadyExists(name)
    const detail = `topic ${name} was changed by somebody else meanwhile; look, then repeat`
    return new SpoolError(conflict, detail)
  }
  const isTyped = error instanceof SpoolError || error instanceof StorageError
  if (isTyped || fileErrorCode(error) === undefined) return error
  const code = isDiskFull(error) ? 'DISK_FULL' : 'KAFKA_STORAGE_ERROR'
  return new SpoolError(
    code,
    `the disk failed (${fileErrorCode(error)}) while topic ${name} changed`,
    {
      cause: error,
    },
  )
}
