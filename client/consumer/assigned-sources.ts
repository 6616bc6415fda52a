/**
 * Where the records of a member come from: a source for each topic it holds partitions of, asked in turn.
 * Which partitions are read is told from outside; what is read of them is dropped when they are removed.
 */

import type { SourceCall, Transport } from '../transport.ts'
import type { HeldPartition } from './held-partition.ts'
import { type GivenBatch, TopicSource } from './topic-source.ts'

export interface AssignedSourcesOptions {
  readonly transport: Transport
  /** `prefetchBytes` is shared out among the topics. */
  readonly reading: Pick<SourceCall, 'prefetchBytes' | 'maxWaitMs' | 'outOfRange'>
  /** `poll` may have something. */
  readonly onBatch: () => void
  readonly onFailure: (error: unknown) => void
}

/** Less than this for a topic, and it is fetched in crumbs. */
const TOPIC_BYTES_MIN = 256 * 1024

export class AssignedSources<K, V> {
  readonly #options: AssignedSourcesOptions
  readonly #topics = new Map<string, TopicSource<K, V>>()
  /** In the order of their turns: who gave a batch goes last. */
  #turns: TopicSource<K, V>[] = []

  constructor(options: AssignedSourcesOptions) {
    this.#options = options
  }

  /** Reads them, each from where it was supplied to. */
  add(partitions: readonly HeldPartition<K, V>[]): void {
    const byTopic = Map.groupBy(partitions, ({ topicId }) => topicId)
    const added = [...byTopic.keys()].filter((topicId) => !this.#topics.has(topicId))
    const count = this.#topics.size + added.length
    for (const [topicId, ofTopic] of byTopic) {
      const source = this.#topics.get(topicId) ?? this.#newSource(ofTopic[0]!, count)
      source.add(ofTopic)
    }
    // Who waits listens to those that were there when it began to.
    this.#options.onBatch()
  }

  remove(partitions: Iterable<HeldPartition<K, V>>): void {
    for (const [topicId, ofTopic] of Map.groupBy(partitions, ({ topicId }) => topicId)) {
      const source = this.#topics.get(topicId)
      if (source === undefined) continue
      source.remove(ofTopic)
      if (source.isEmpty) this.#forget(topicId, source)
    }
  }

  /** A batch that lies ready. */
  poll(): GivenBatch<K, V> | undefined {
    for (let at = 0; at < this.#turns.length; at++) {
      const source = this.#turns[at]!
      const given = source.poll()
      if (given === undefined) continue
      this.#turns.push(...this.#turns.splice(at, 1))
      return given
    }
    return undefined
  }

  listen(): void {
    for (const source of this.#turns) source.listen()
  }

  close(): void {
    for (const source of this.#turns) source.close()
    this.#topics.clear()
    this.#turns = []
  }

  #newSource({ topic, topicId }: HeldPartition, topics: number): TopicSource<K, V> {
    const { transport, reading, onBatch, onFailure } = this.#options
    const share = Math.max(TOPIC_BYTES_MIN, Math.floor(reading.prefetchBytes / topics))
    const prefetchBytes = Math.min(reading.prefetchBytes, share)
    const source = new TopicSource<K, V>({
      topic,
      topicId,
      transport,
      reading: { ...reading, prefetchBytes },
      onBatch,
      onFailure,
    })
    this.#topics.set(topicId, source)
    this.#turns.push(source)
    return source
  }

  #forget(topicId: string, source: TopicSource<K, V>): void {
    source.close()
    this.#topics.delete(topicId)
    this.#turns = this.#turns.filter((it) => it !== source)
  }
}
