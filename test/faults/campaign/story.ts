/**
 * One fixed story that takes an engine through everything it does to a disk, so that every single call
 * of it can be made to fail: create, append (grouped, idempotent, relaxed), roll, read, flush,
 * deletePrefix, retention, compaction, delete, close. Each step copes with failing, as the broker would; what must
 * hold whatever fails is checked on the way and reported as problems.
 */

import { isCompacted, type LogConfig, logConfigFrom } from '../../../storage/config.ts'
import { StorageError } from '../../../storage/errors.ts'
import type { Log } from '../../../storage/log/log.ts'
import type { LogManager } from '../../../storage/log-manager.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { ManualClock } from '../../rigs/clock.ts'
import type { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { DIRECTORY } from './engine.ts'
import { type Crash, LogHistory } from './history.ts'
import { Producer } from './producer.ts'
import { readAll } from './reader.ts'

interface StoryTopic {
  readonly name: string
  readonly topicId: string
  readonly config: LogConfig
  state: 'absent' | 'creating' | 'active' | 'deleting'
  readonly history: LogHistory
  readonly producer: Producer
}

const SETTINGS = {
  'segment.bytes': 1_200,
  'index.interval.bytes': 200,
  'flush.ms': 500,
  'file.delete.delay.ms': 10,
  'min.cleanable.dirty.ratio': 0,
}

export class Story {
  readonly #clock: ManualClock
  readonly #topics: readonly StoryTopic[]
  readonly problems: string[] = []

  constructor(clock: ManualClock) {
    this.#clock = clock
    const random = new SeededRandom(7)
    this.#topics = [
      topic('synced', 1, { 'flush.messages': 1 }, random),
      topic('relaxed', 2, { 'flush.messages': 20 }, random),
      topic('short', 3, { 'flush.messages': 1, 'retention.bytes': 600 }, random),
      topic('compacted', 4, { 'cleanup.policy': 'compact', 'delete.retention.ms': 30 }, random),
    ]
  }

  /** Starts the engine as the broker does. Undefined when it could not start, as it may on a bad disk. */
  async start(
    open: () => Promise<LogManager>,
    crash: Crash,
    disk: SimulatedDisk,
  ): Promise<LogManager | undefined> {
    const isHealthy = () => disk.faults.struck.length === 0
    try {
      const manager = await open()
      await this.load(manager, crash)
      return manager
    } catch (error) {
      if (isHealthy()) this.problems.push(`false refusal to start: ${(error as Error).stack}`)
      return undefined
    }
  }

  /** Loads every log as the broker does and judges it. Throws what kept one from opening. */
  async load(manager: LogManager, crash: Crash): Promise<void> {
    for (const topic of this.#topics) {
      if (topic.state === 'deleting') await this.#delete(manager, topic)
    }
    const known = this.#topics.filter(({ state }) => state !== 'absent')
    await manager.loadLogs(
      known.map((topic) => ({ ...topic, partitions: topic.state === 'active' ? 1 : 0 })),
    )
    for (const failure of manager.failures.values()) throw failure
    await this.#judge(manager, crash)
  }

  async tell(manager: LogManager, disk: SimulatedDisk, rounds = 2): Promise<void> {
    const [synced, relaxed, short, compacted] = this.#topics as [
      StoryTopic,
      StoryTopic,
      StoryTopic,
      StoryTopic,
    ]
    for (const topic of this.#topics) {
      if (topic.state !== 'active') await this.#try(() => this.#create(manager, topic))
    }
    const callsBefore = disk.faults.calls.length
    for (let round = 1; round <= rounds; round++) {
      for (const topic of this.#topics) await this.#append(manager, topic, 2)
      await this.#try(() => this.#roll(manager, synced))
      await this.#try(() => this.#roll(manager, compacted))
      await this.#try(() => manager.compact())
      await this.#try(() => this.#deletePrefix(manager, synced, round * 4))
      await this.#try(() => this.#flush(manager, relaxed))
      await this.#try(async () => {
        await manager.applyRetention()
      })
      this.#clock.advance(20)
      await this.#readBack(manager)
    }
    await this.#append(manager, relaxed, 2)
    await this.#try(() => this.#delete(manager, short))
    await this.#append(manager, synced, 2)
    this.#checkOffline(manager, disk, callsBefore)
  }

  /** Two more batches to every log that is there: a log that came back must also work. */
  async epilogue(manager: LogManager): Promise<void> {
    for (const topic of this.#topics) {
      if (topic.state !== 'active') continue
      const log = manager.log(topic.name, 0)
      if (log === undefined) this.problems.push(`${topic.name} is not there`)
      else await topic.producer.retryAll(log, this.#clock.now(), () => true)
      await this.#append(manager, topic, 2)
      if (log?.isOffline === true) this.problems.push(`${topic.name} is offline on a good disk`)
    }
    this.#collect()
  }

  noteCrash(crash: Crash): void {
    if (crash !== 'power cut') return
    for (const { history, producer } of this.#topics) {
      if (!history.isSynced) producer.beginAnew(nextProducerId++)
    }
  }

  #collect(): void {
    for (const { producer } of this.#topics) this.problems.push(...producer.problems.splice(0))
  }

  async #create(manager: LogManager, topic: StoryTopic): Promise<void> {
    topic.state = 'creating'
    await manager.createTopicLogs(topic, [0])
    topic.state = 'active'
  }

  async #delete(manager: LogManager, topic: StoryTopic): Promise<void> {
    topic.state = 'deleting'
    await manager.deleteTopicLogs(topic)
    topic.state = 'absent'
    topic.history.forget()
  }

  /** A pair of batches at once, then one that is waited for, and so on. */
  async #append(manager: LogManager, topic: StoryTopic, pairs: number): Promise<void> {
    const log = topic.state === 'active' ? manager.log(topic.name, 0) : undefined
    if (log === undefined) return
    const now = this.#clock.now()
    for (let pair = 0; pair < pairs && topic.producer.canSend; pair++) {
      const sent = [topic.producer.send(log, now, () => true)]
      if (topic.producer.canSend) sent.push(topic.producer.send(log, now, () => true))
      await Promise.all(sent)
      if (!log.isOffline) await topic.producer.retryAll(log, now, () => true)
      topic.history.noteFlushed(log.flushedOffset)
    }
    this.#collect()
  }

  async #roll(manager: LogManager, topic: StoryTopic): Promise<void> {
    await this.#log(manager, topic)?.roll()
  }

  async #flush(manager: LogManager, { name, state, history }: StoryTopic): Promise<void> {
    const log = state === 'active' ? manager.log(name, 0) : undefined
    await log?.flush()
    if (log !== undefined) history.noteFlushed(log.flushedOffset)
  }

  async #deletePrefix(manager: LogManager, topic: StoryTopic, before: number): Promise<void> {
    const log = this.#log(manager, topic)
    if (log === undefined || before > log.highWatermark) return
    topic.history.askStart(before)
    topic.history.confirmStart(await log.deletePrefix(toOffset(before)))
  }

  /** Reads go on whatever happened to writes. */
  async #readBack(manager: LogManager): Promise<void> {
    for (const topic of this.#topics) {
      const log = this.#log(manager, topic)
      if (log === undefined) continue
      await this.#try(async () => {
        this.problems.push(...topic.history.see(await readAll(log, 400), log.leaderEpoch))
      })
    }
  }

  async #judge(manager: LogManager, crash: Crash): Promise<void> {
    for (const topic of this.#topics) {
      const log = this.#log(manager, topic)
      if (log === undefined) continue
      const records = await readAll(log, 700)
      this.problems.push(...topic.history.settle(records, log, crash, this.#clock.now()))
    }
  }

  /**
   * One failed call takes at most the log offline that it was made for: after EIO from a write and after
   * any failed sync, but not because the disk was full. Where the log goes on, nobody is left waiting.
   */
  #checkOffline(manager: LogManager, disk: SimulatedDisk, callsBefore: number): void {
    const [struck] = disk.faults.struck
    for (const topic of this.#topics) {
      const log = this.#log(manager, topic)
      if (log === undefined) continue
      const isOwn = struck?.path.startsWith(`${DIRECTORY}/${topic.name}-0`) === true
      if (log.isOffline && !isOwn)
        this.problems.push(`${topic.name} is offline for no reason of its own`)
      if (!log.isOffline && !topic.producer.isSettled)
        this.problems.push(`${topic.name} stands still`)
      if (!isOwn || struck.n <= callsBefore || !struck.path.endsWith('.log')) continue
      const mustStop = struck.operation === 'sync' || struck.code === 'EIO'
      const isOfAppend = struck.operation === 'sync' || struck.operation === 'write'
      if (isOfAppend && log.isOffline !== mustStop) {
        const state = log.isOffline ? 'offline' : 'online'
        this.problems.push(
          `${topic.name} is ${state} after ${struck.code} from ${struck.operation}`,
        )
      }
    }
  }

  #log(manager: LogManager, topic: StoryTopic): Log | undefined {
    return topic.state === 'active' ? manager.log(topic.name, 0) : undefined
  }

  /** A step may fail, but only in the engine's or the disk's own words. */
  async #try(step: () => Promise<void>): Promise<void> {
    try {
      await step()
    } catch (error) {
      const isKnown = error instanceof StorageError || (error instanceof Error && 'code' in error)
      if (!isKnown) this.problems.push(`a step failed oddly: ${(error as Error).stack}`)
    }
  }
}

let nextProducerId = 500

function topic(
  name: string,
  number: number,
  settings: Record<string, number | string>,
  random: SeededRandom,
): StoryTopic {
  const config = logConfigFrom({ ...SETTINGS, ...settings })
  const compaction = isCompacted(config) ? config : undefined
  const history = new LogHistory(name, config.flushMessages === 1, compaction)
  history.startMayMove = config.retentionBytes >= 0
  return {
    name,
    topicId: `00000000-0000-4000-8000-00000000000${number}`,
    config,
    state: 'absent',
    history,
    producer: new Producer(history, random.fork(), number, config.segmentBytes),
  }
}
