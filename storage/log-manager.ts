/**
 * All logs of one data directory: opened with recovery, created, deleted, swept by retention, closed.
 * Holds the directory's lock. Which topics there are is told by the broker; a directory nobody told of
 * is set aside as `.stray`, never removed.
 *
 * The durable order of creation and deletion across metadata and files is the broker's (topic
 * lifecycle); here each step is durable when it resolves, and can be repeated after a crash.
 */

import type { Clock, Timer } from './clock.ts'
import {
  CLEANER_DEFAULTS,
  Cleaner,
  type CleanerSettings,
  type CleanerTotals,
} from './compaction/cleaner.ts'
import { type WorkPlace, workPlaceHere } from './compaction/work-place.ts'
import type { LogConfig } from './config.ts'
import { StorageError } from './errors.ts'
import {
  createDirectoryDurably,
  type DirectoryOwner,
  lockDataDirectory,
  recordOwner,
  takeCleanShutdownMarker,
  writeCleanShutdownMarker,
} from './file/data-directory.ts'
import type { DirectoryLock, HeldLock } from './file/directory-lock.ts'
import type { FileSystem } from './file/file-system.ts'
import { LEADER_EPOCHS_FILE, partitionDirectoryName } from './file/names.ts'
import { OpenFiles } from './file/open-files.ts'
import { SyncScheduler } from './file/sync-scheduler.ts'
import { type Durability, OwnFileDurability } from './log/durability.ts'
import { eachLimited } from './log/each-limited.ts'
import { IndexCache } from './log/index-cache.ts'
import { LeaderEpochs } from './log/leader-epochs.ts'
import { Log } from './log/log.ts'
import { createLogFiles, openLogFiles } from './log/log-open.ts'
import { ClockWatch } from './log/retention.ts'
import type { LogFiles } from './log/segment-files.ts'
import { SmallWrites } from './log/small-writes.ts'
import type { Logger } from './logger.ts'
import {
  retireTopicDirectories,
  setAsideForeign,
  setAsideUnknown,
  sweepDeleted,
} from './partition-directories.ts'

/** Settings of the engine as a whole; those of one log are in its `LogConfig`. */
export interface EngineSettings extends Partial<CleanerSettings> {
  /** Most bytes written before a sync; what a torn write can reach. */
  readonly appendGroupBytesMax: number
  readonly decompressedBytesMax: number
  readonly producerIdExpirationMs: number
  readonly producerIdsPerPartitionMax: number
  readonly openFilesMax: number
  readonly retentionCheckIntervalMs: number
  /** Groups up to this size are written without a thread; see `log/small-writes.ts`. */
  readonly smallWriteBytesMax?: number
}

export interface LogManagerOptions {
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly lock: DirectoryLock
  readonly owner: DirectoryOwner
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: EngineSettings
  /** Told of every sync of a log, with the seconds it took. */
  readonly flushed?: (seconds: number) => void
  /** Default: each log's own `fdatasync`. */
  readonly durability?: Durability
  /** Where the heavy part of compaction runs. Default: here, in the way of everybody else. */
  readonly openWorkPlace?: () => WorkPlace
}

export interface TopicIdentity {
  readonly name: string
  readonly topicId: string
}

export interface TopicLogs extends TopicIdentity {
  readonly partitions: number
  readonly config: LogConfig
}

/** Logs opened, created or closed at once: more would only queue in the thread pool. */
const AT_ONCE = 16

export class LogManager {
  readonly #options: LogManagerOptions
  readonly #held: HeldLock
  readonly #leaderEpochs: LeaderEpochs
  readonly #openFiles: OpenFiles
  readonly #indexCache = new IndexCache()
  readonly #smallWrites: SmallWrites
  readonly #durability: Durability
  readonly #wasClean: boolean
  readonly #clockWatch: ClockWatch
  readonly #cleaner: Cleaner
  readonly #logs = new Map<string, Log>()
  /** Logs that could not be opened, and why: they are neither served nor made anew. */
  readonly #failures = new Map<string, StorageError>()
  #retentionTimer: Timer | undefined
  #retentionRun: Promise<void> = Promise.resolve()
  #isLoaded = false
  #isClosed = false

  private constructor(
    options: LogManagerOptions,
    held: HeldLock,
    leaderEpochs: LeaderEpochs,
    wasClean: boolean,
  ) {
    this.#options = options
    this.#held = held
    this.#leaderEpochs = leaderEpochs
    this.#wasClean = wasClean
    this.#smallWrites = new SmallWrites(options.clock, options.settings.smallWriteBytesMax)
    this.#openFiles = new OpenFiles(options.fileSystem, options.settings.openFilesMax)
    const { clock, flushed = () => {} } = options
    this.#durability =
      options.durability ?? new OwnFileDurability(new SyncScheduler(), clock, flushed)
    this.#clockWatch = new ClockWatch(clock.now(), clock.monotonicMs())
    this.#cleaner = new Cleaner({
      logs: () => this.#logs.values(),
      clock,
      logger: options.logger,
      settings: { ...CLEANER_DEFAULTS, ...options.settings },
      maxDecompressedBytes: options.settings.decompressedBytesMax,
      openWorkPlace: options.openWorkPlace ?? workPlaceHere,
    })
  }

  /** Takes the directory, making it if need be. Throws `DATA_DIRECTORY_LOCKED` when another has it. */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const { fileSystem, directory } = options
    await createDirectoryDurably(fileSystem, directory)
    const held = await lockDataDirectory(fileSystem, directory, options.lock, options.owner)
    try {
      const wasClean = await takeCleanShutdownMarker(fileSystem, directory)
      const path = `${directory}/${LEADER_EPOCHS_FILE}`
      const leaderEpochs = await LeaderEpochs.open(fileSystem, directory, path)
      return new LogManager(options, held, leaderEpochs, wasClean)
    } catch (error) {
      held.release()
      throw error
    }
  }

  /** Whether the last stop left everything in order. */
  get wasCleanlyStopped(): boolean {
    return this.#wasClean
  }

  /** Partitions whose log could not be opened, with the reason. */
  get failures(): ReadonlyMap<string, StorageError> {
    return this.#failures
  }

  get logs(): IterableIterator<Log> {
    return this.#logs.values()
  }

  get openFileCount(): number {
    return this.#openFiles.openCount
  }

  /** Writes down whose directory it is, once that is known, for whoever finds it locked. */
  recordOwner(owner: DirectoryOwner): Promise<void> {
    return recordOwner(this.#options.fileSystem, this.#options.directory, owner)
  }

  /** The log of a partition; `undefined` when there is none. Throws why, when it could not be opened. */
  log(topic: string, partition: number): Log | undefined {
    const key = partitionDirectoryName(topic, partition)
    const failure = this.#failures.get(key)
    if (failure !== undefined) throw failure
    return this.#logs.get(key)
  }

  /**
   * Opens the logs of all topics, recovering those that were not left in order, sets aside directories
   * of unknown topics, finishes deletions, and raises every partition's leader epoch with one sync.
   * A log that is corrupt or missing is noted in `failures`; the others are served.
   */
  async loadLogs(topics: readonly TopicLogs[]): Promise<void> {
    const { fileSystem, directory, logger } = this.#options
    await sweepDeleted(fileSystem, directory)
    await setAsideUnknown(fileSystem, directory, topics, logger)
    const wanted = topics.flatMap((topic) =>
      Array.from({ length: topic.partitions }, (_, partition) => ({ topic, partition })),
    )
    await eachLimited(wanted, AT_ONCE, ({ topic, partition }) => this.#load(topic, partition))
    await this.#leaderEpochs.prune(new Set(topics.map(({ topicId }) => topicId)))
    await this.#lead([...this.#logs.values()])
    this.#isLoaded = true
    this.#scheduleRetention()
    this.#cleaner.start()
  }

  /** Makes the logs that are not there yet; they and their names are durable when it resolves. */
  async createTopicLogs(
    topic: TopicIdentity & { readonly config: LogConfig },
    partitions: readonly number[],
  ): Promise<void> {
    const missing = partitions.filter(
      (partition) => !this.#logs.has(partitionDirectoryName(topic.name, partition)),
    )
    const nowMs = this.#options.clock.now()
    const { fileSystem, directory, logger } = this.#options
    await eachLimited(missing, AT_ONCE, async (partition) => {
      await setAsideForeign(fileSystem, directory, topic, partition, logger)
      await createLogFiles(this.#filesOf(topic, partition), nowMs)
    })
    await fileSystem.syncDirectory(directory)
    const created: Log[] = []
    try {
      await eachLimited(missing, AT_ONCE, async (partition) => {
        created.push(await this.#openLog(topic, partition))
      })
      await this.#lead(created)
    } catch (error) {
      await Promise.allSettled(created.map((log) => log.release()))
      throw error
    }
    for (const log of created) this.#logs.set(partitionDirectoryName(log.topic, log.partition), log)
  }

  /** Closes, renames and removes whatever there is of the topic; durable when it resolves. */
  async deleteTopicLogs(topic: TopicIdentity): Promise<void> {
    const { fileSystem, directory } = this.#options
    const own = [...this.#logs].filter(([, log]) => log.topicId === topic.topicId)
    for (const [key] of own) this.#logs.delete(key)
    await eachLimited(own, AT_ONCE, ([, log]) => log.release())
    await retireTopicDirectories(fileSystem, directory, topic)
    for (const key of this.#failures.keys()) {
      if (key.slice(0, key.lastIndexOf('-')) === topic.name) this.#failures.delete(key)
    }
    await sweepDeleted(fileSystem, directory, topic.topicId)
  }

  /** Applies retention to every log now. Runs by itself at the interval of the settings. */
  applyRetention(): Promise<void> {
    this.#retentionRun = this.#retentionRun.then(() => this.#applyRetentionNow())
    return this.#retentionRun
  }

  /** Compacts every log that is dirty enough now. Runs by itself where the settings say so. */
  compact(): Promise<void> {
    return this.#cleaner.compactDue()
  }

  /** What compaction did since the start. */
  get cleanerTotals(): CleanerTotals {
    return this.#cleaner.totals
  }

  /**
   * Closes all logs and lets go of the directory. With `markClean` they are flushed and sealed first, and
   * the directory is marked as left in order if it is: every log was loaded and none is offline. Without,
   * nothing is promised of what is in the files, and the next start recovers. True when it was marked.
   */
  async close({ markClean }: { markClean: boolean } = { markClean: true }): Promise<boolean> {
    if (this.#isClosed) return false
    this.#isClosed = true
    this.#retentionTimer?.cancel()
    await this.#cleaner.close()
    await this.#retentionRun
    let isClean = markClean && this.#isLoaded && this.#failures.size === 0
    await eachLimited([...this.#logs.values()], AT_ONCE, async (log) => {
      if (!markClean) await log.release()
      else if (!(await log.close())) isClean = false
    })
    await this.#leaderEpochs.close()
    if (isClean) await writeCleanShutdownMarker(this.#options.fileSystem, this.#options.directory)
    this.#held.release()
    return isClean
  }

  async #load(topic: TopicLogs, partition: number): Promise<void> {
    const key = partitionDirectoryName(topic.name, partition)
    try {
      this.#logs.set(key, await this.#openLog(topic, partition))
    } catch (error) {
      const failure = openingFailure(key, error)
      this.#failures.set(key, failure)
      this.#options.logger.error(
        { topic: topic.name, partition, reason: failure.message },
        'a log was not opened',
      )
    }
  }

  async #openLog(
    topic: TopicIdentity & { readonly config: LogConfig },
    partition: number,
  ): Promise<Log> {
    const { settings, clock, logger } = this.#options
    const files = this.#filesOf(topic, partition)
    const { config } = topic
    const opened = await openLogFiles(files, this.#durability, {
      indexIntervalBytes: config.indexIntervalBytes,
      groupBytesMax: Math.max(settings.appendGroupBytesMax, config.maxMessageBytes),
      isCleanStart: this.#wasClean,
      leaderEpoch: this.#leaderEpochs.latest({ topicId: topic.topicId, partition }),
      nowMs: clock.now(),
      producerLimits: {
        producersMax: settings.producerIdsPerPartitionMax,
        expirationMs: settings.producerIdExpirationMs,
      },
    })
    if (opened.cutBytes > 0) {
      const { cutBytes, endOffset } = opened
      logger.warn({ topic: topic.name, partition, cutBytes, endOffset }, 'cut a torn tail')
    }
    return new Log(
      {
        topic: topic.name,
        files,
        config,
        clock,
        durability: this.#durability,
        groupBytesMax: settings.appendGroupBytesMax,
        maxDecompressedBytes: settings.decompressedBytesMax,
      },
      opened,
    )
  }

  /** Raises the leader epoch of `logs`, durably, before any batch carries it. */
  async #lead(logs: readonly Log[]): Promise<void> {
    const epochs = await this.#leaderEpochs.raise(
      logs.map(({ topicId, partition, logEndOffset }) => ({
        topicId,
        partition,
        startOffset: logEndOffset,
      })),
    )
    for (const [index, log] of logs.entries()) log.becomeLeader(epochs[index]!)
  }

  #scheduleRetention(): void {
    this.#retentionTimer = this.#options.clock.after(
      this.#options.settings.retentionCheckIntervalMs,
      () => {
        void this.applyRetention().finally(() => {
          if (!this.#isClosed) this.#scheduleRetention()
        })
      },
    )
  }

  async #applyRetentionNow(): Promise<void> {
    const { clock, logger } = this.#options
    const trustsClock = this.#clockWatch.isSteady(clock.now(), clock.monotonicMs())
    if (!trustsClock) logger.warn({}, 'the wall clock jumped: time retention sits out this check')
    for (const log of [...this.#logs.values()]) {
      if (this.#isClosed) return
      log.forgetIdleProducers()
      try {
        const removed = await log.applyRetention(trustsClock)
        if (removed > 0) {
          logger.info(
            { topic: log.topic, partition: log.partition, removed },
            'deleted old segments',
          )
        }
      } catch (error) {
        logger.error({ topic: log.topic, partition: log.partition, error }, 'retention failed')
      }
    }
  }

  #filesOf(topic: TopicIdentity, partition: number): LogFiles {
    return {
      directory: `${this.#options.directory}/${partitionDirectoryName(topic.name, partition)}`,
      topicId: topic.topicId,
      partition,
      fileSystem: this.#options.fileSystem,
      openFiles: this.#openFiles,
      indexCache: this.#indexCache,
      smallWrites: this.#smallWrites,
      logger: this.#options.logger,
    }
  }
}

function openingFailure(key: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new StorageError('KAFKA_STORAGE_ERROR', `the log ${key} could not be opened: ${detail}`, {
    cause: error,
  })
}
