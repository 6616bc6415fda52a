/**
 * The durable steps by which a topic comes, grows and goes. The order is what a crash relies on: the
 * metadata says first what is about to happen, so the next start finishes it, and never takes a missing
 * directory for an empty log.
 *
 *     create   entry "creating" → directories → entry "active"
 *     grow     entry with `growingTo` → directories → entry with that many partitions
 *     delete   entry "deleting", which keeps the id → directories renamed and removed → what groups
 *              committed for it forgotten → entry dropped
 *
 * Whether any of it is allowed is decided by `topic-service.ts`, which also keeps two of them from
 * working on one topic at once.
 */

import { acknowledgesAfterSync, type LogConfig } from '../../storage/config.ts'
import type { Logger } from '../../storage/logger.ts'
import type { TopicImage } from '../cluster/cluster-image.ts'
import type { ClusterStore } from '../cluster/cluster-store.ts'
import { type TopicEntry, topicKey } from '../cluster/metadata-keys.ts'
import { type ConfigValues, topicConfigFrom } from './topic-config.ts'

/** What a topic's life needs of the log engine's manager. All of it can be repeated after a crash. */
export interface LogsOfTopics {
  /** Makes the logs that are not there yet; they and their names are durable when it resolves. */
  createTopicLogs(
    topic: { readonly name: string; readonly topicId: string; readonly config: LogConfig },
    partitions: readonly number[],
  ): Promise<void>
  /** Puts settings in force on open logs; resolves once what was written before holds to them too. */
  setTopicConfig(topic: string, set: ConfigValues): Promise<void>
  /** Closes, renames and removes whatever there is of the topic; durable when it resolves. */
  deleteTopicLogs(topic: { readonly name: string; readonly topicId: string }): Promise<void>
}

export interface TopicLifecycleOptions {
  readonly store: ClusterStore
  readonly logs: LogsOfTopics
  readonly topicDefaults: ConfigValues
  readonly logger: Logger
  /** Forgets what consumer groups committed for the topic; durable when it resolves. */
  forgetCommits(topic: { readonly name: string; readonly topicId: string }): Promise<void>
}

/** A topic's entry with its name, and its version in the store where it is already there. */
type NamedEntry = TopicEntry & { readonly name: string }
type KnownEntry = NamedEntry & { readonly version: number }

export class TopicLifecycle {
  readonly #options: TopicLifecycleOptions

  constructor(options: TopicLifecycleOptions) {
    this.#options = options
  }

  /**
   * Creates a topic that is not there. When its directories cannot be made it is taken back; should
   * that fail too, it stays "deleting", and the next start or the next create removes it.
   *
   * @throws VersionConflict when a topic of that name is there.
   */
  async create(entry: NamedEntry, onAdmitted: () => void): Promise<void> {
    let version: number
    try {
      version = await this.#put({ ...entry, state: 'creating' }, 'absent')
    } finally {
      onAdmitted()
    }
    const topic = { ...entry, state: 'creating' as const, version }
    try {
      await this.#createLogs(topic, 0, topic.partitions)
    } catch (error) {
      await this.#takeBack(topic)
      throw error
    }
    await this.#put({ ...topic, state: 'active' }, version)
  }

  /**
   * Changes the settings and, where `partitions` is more than there are, adds the missing ones. A topic
   * that begins to sync every write does so before the metadata says it: after a crash, recovery holds
   * an unsynced tail of such a topic for corruption.
   */
  async alter(topic: KnownEntry, config: ConfigValues, partitions: number): Promise<void> {
    if (this.#syncs(config) && !this.#syncs(topic.config)) {
      await this.#options.logs.setTopicConfig(topic.name, config)
    }
    const isGrowing = partitions > topic.partitions
    const { growingTo: _, ...settled } = topic
    const changed = isGrowing
      ? { ...settled, config, growingTo: partitions }
      : { ...settled, config }
    const version = await this.#put(changed, topic.version)
    if (isGrowing) await this.#finishGrowing({ ...changed, version })
  }

  /** Deletes a topic, from whichever state. */
  async delete(topic: KnownEntry): Promise<void> {
    const version =
      topic.state === 'deleting'
        ? topic.version
        : await this.#put({ ...topic, state: 'deleting' }, topic.version)
    await this.removeLogs(topic)
    await this.#options.forgetCommits(topic)
    await this.#options.store.transact([
      { key: topicKey(topic.name), value: null, expect: version },
    ])
  }

  /** The part of a deletion that must be done before logs are loaded. */
  removeLogs(topic: { readonly name: string; readonly topicId: string }): Promise<void> {
    return this.#options.logs.deleteTopicLogs(topic)
  }

  /** Finishes what a crash or an error left half done; nothing to do for a topic at rest. */
  async finish(topic: TopicImage): Promise<void> {
    if (topic.state === 'deleting') await this.delete(topic)
    else if (topic.state === 'creating') await this.#finishCreating(topic)
    else if (topic.growingTo !== undefined) await this.#finishGrowing(topic)
  }

  async #finishCreating(topic: KnownEntry): Promise<void> {
    await this.#createLogs(topic, 0, topic.partitions)
    await this.#put({ ...topic, state: 'active' }, topic.version)
  }

  async #finishGrowing(topic: KnownEntry): Promise<void> {
    const { growingTo, ...settled } = topic
    const partitions = growingTo ?? topic.partitions
    await this.#createLogs(topic, topic.partitions, partitions)
    await this.#put({ ...settled, partitions }, topic.version)
  }

  async #takeBack(topic: KnownEntry): Promise<void> {
    try {
      await this.delete(topic)
    } catch (error) {
      const values = { topic: topic.name, topicId: topic.topicId, error }
      this.#options.logger.error(values, 'a topic that could not be created could not be removed')
    }
  }

  #syncs(config: ConfigValues): boolean {
    return acknowledgesAfterSync(topicConfigFrom(config, this.#options.topicDefaults).log)
  }

  #createLogs(topic: NamedEntry, from: number, to: number): Promise<void> {
    const numbers = Array.from({ length: to - from }, (_, index) => from + index)
    const config = topicConfigFrom(topic.config, this.#options.topicDefaults).log
    const { name, topicId } = topic
    return this.#options.logs.createTopicLogs({ name, topicId, config }, numbers)
  }

  /** Makes the entry durable and returns its new version. */
  async #put(topic: NamedEntry, expect: number | 'absent'): Promise<number> {
    const [version] = await this.#options.store.transact([
      { key: topicKey(topic.name), value: JSON.stringify(entryOf(topic)), expect },
    ])
    return version!
  }
}

/** Only what belongs in the store. */
function entryOf(topic: NamedEntry): TopicEntry {
  const { topicId, state, partitions, growingTo, replicationFactor, config } = topic
  const entry = { topicId, state, partitions, replicationFactor, config }
  return growingTo === undefined ? entry : { ...entry, growingTo }
}
