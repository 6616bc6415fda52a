/**
 * The topics of a fault run, with what the broker's metadata would say of them: durable the moment it is
 * set, in the order of steps the broker keeps (creating → directories → active; deleting → directories
 * gone → dropped). Each partition has its history and its producers, which outlive every crash.
 */

import {
  isCompacted,
  isDeletedByAge,
  type LogConfig,
  logConfigFrom,
} from '../../../storage/config.ts'
import type { SeededRandom } from '../../rigs/random.ts'
import { type Crash, LogHistory } from './history.ts'
import { Producer } from './producer.ts'

export interface Partition {
  readonly history: LogHistory
  readonly producers: readonly Producer[]
  /** What happened since its content was last judged; the worst counts. */
  crash: Crash
}

export interface Topic {
  readonly name: string
  readonly topicId: string
  config: LogConfig
  state: 'creating' | 'active' | 'deleting'
  readonly partitions: readonly Partition[]
}

const CRASHES: readonly Crash[] = ['clean stop', 'process kill', 'power cut']

export class Topics {
  readonly #random: SeededRandom
  readonly #topics: Topic[] = []
  /**
   * The disk has failed a call at some time. A producer whose batch was refused for that may since have
   * sent a later one to a log that no longer knew it (KIP-360), so its retry is rightly out of order.
   */
  hasSeenErrors = false
  #made = 0
  #producerIds = 1000

  constructor(random: SeededRandom) {
    this.#random = random
  }

  get all(): readonly Topic[] {
    return this.#topics
  }

  get active(): readonly Topic[] {
    return this.#topics.filter((topic) => topic.state === 'active')
  }

  /** A topic as an operator might ask for it; not in any directory yet. */
  add(): Topic {
    this.#made++
    const isSynced = this.#random.chance(0.75)
    const policy = this.#random.chance(0.6)
      ? 'delete'
      : this.#random.pick(['compact', 'compact', 'compact,delete'])
    const config = logConfigFrom({
      'cleanup.policy': policy,
      'min.cleanable.dirty.ratio': this.#random.pick([0, 0.3]),
      'delete.retention.ms': this.#random.pick([0, 1_500]),
      'segment.bytes': this.#random.pick(
        policy === 'delete' ? [8_192, 10_000, 20_000, 1_000_000] : [3_000, 8_192, 1_000_000],
      ),
      'flush.messages': isSynced ? 1 : this.#random.between(2, 60),
      'flush.ms': 500,
      'index.interval.bytes': this.#random.pick([0, 500, 4_096]),
      'retention.bytes': this.#random.chance(0.2) ? 20_000 : -1,
      'file.delete.delay.ms': this.#random.pick([0, 200]),
    })
    // A name that comes back: what is left of a deleted topic must not come back with it.
    const name = `t${this.#made % 3}`
    const taken = this.#topics.some((topic) => topic.name === name)
    const topic: Topic = {
      name: taken ? `u${this.#made}` : name,
      topicId: topicId(this.#random),
      config,
      state: 'creating',
      partitions: Array.from({ length: this.#random.between(1, 2) }, (_, partition) =>
        this.#partition(`${this.#made}:${name}-${partition}`, isSynced, config),
      ),
    }
    this.#topics.push(topic)
    return topic
  }

  drop(topic: Topic): void {
    this.#topics.splice(this.#topics.indexOf(topic), 1)
  }

  nextProducerId(): number {
    return this.#producerIds++
  }

  /** Every partition went through this, on top of what it went through before. */
  noteCrash(crash: Crash): void {
    for (const { partitions } of this.#topics) {
      for (const partition of partitions) {
        const worst = Math.max(CRASHES.indexOf(partition.crash), CRASHES.indexOf(crash))
        partition.crash = CRASHES[worst] as Crash
      }
    }
  }

  #partition(name: string, isSynced: boolean, config: LogConfig): Partition {
    const history = new LogHistory(name, isSynced, isCompacted(config) ? config : undefined)
    history.startMayMove = isDeletedByAge(config) && config.retentionBytes >= 0
    const producers = Array.from(
      { length: this.#random.between(1, 2) },
      () =>
        new Producer(
          history,
          this.#random.fork(),
          this.#random.chance(0.75) ? this.nextProducerId() : -1,
          config.segmentBytes,
        ),
    )
    return { history, producers, crash: 'clean stop' }
  }
}

/** A UUID from the seed, so that a run's file names are the same when it is repeated. */
function topicId(random: SeededRandom): string {
  const hex = random.bytes(16).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
