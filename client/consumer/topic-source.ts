/**
 * What a member reads of one topic: an open source over those of its partitions that are to be read now.
 * Opened with the first of them, closed with the last. A topic that is gone is no failure here: the group
 * takes its partitions away in a moment, or, where it was made anew, gives others.
 */

import { SpoolError } from '../api/errors.ts'
import { ReadBatch } from '../reader/read-batch.ts'
import { isWorthRetrying } from '../retry.ts'
import type { RecordSource, SourceBatch, SourceCall, Transport } from '../transport.ts'
import type { HeldPartition } from './held-partition.ts'

export interface TopicSourceOptions {
  readonly topic: string
  readonly topicId: string
  readonly transport: Transport
  readonly reading: Pick<SourceCall, 'prefetchBytes' | 'maxWaitMs' | 'outOfRange'>
  /** Something came, after `listen`. */
  readonly onBatch: () => void
  readonly onFailure: (error: unknown) => void
}

export interface GivenBatch<K, V> {
  readonly held: HeldPartition<K, V>
  readonly batch: ReadBatch<K, V>
}

/** A source that broke for a reason that may pass is opened again after so long. */
const OPEN_AGAIN_MS = 1_000

const TOPIC_GONE = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
])

export class TopicSource<K, V> {
  readonly #options: TopicSourceOptions
  readonly #read = new Map<number, HeldPartition<K, V>>()
  #source: RecordSource | undefined
  /** Came for `next()`, and was not taken yet. */
  #slot: SourceBatch | undefined
  /** `next()` was called: what comes is in its order there, and `poll` would overtake it. */
  #isListening = false
  #openAgain: ReturnType<typeof setTimeout> | undefined

  constructor(options: TopicSourceOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#read.size === 0
  }

  /** Reads on, each from where it was supplied to. */
  add(partitions: readonly HeldPartition<K, V>[]): void {
    for (const held of partitions) {
      held.range = rangeOf(held)
      this.#read.set(held.partition, held)
    }
    if (this.#source !== undefined) this.#source.add(partitions.map(({ range }) => range!))
    else if (this.#openAgain === undefined) this.#open()
  }

  remove(partitions: readonly HeldPartition<K, V>[]): void {
    const removed = partitions.filter((held) => this.#read.get(held.partition) === held)
    for (const held of removed) {
      held.range = undefined
      this.#read.delete(held.partition)
    }
    if (this.isEmpty) this.#close()
    else this.#source?.remove(removed.map(({ partition }) => partition))
  }

  /** A batch that lies ready. */
  poll(): GivenBatch<K, V> | undefined {
    while (!this.#isListening) {
      const batch = this.#slot ?? this.#source?.poll()
      this.#slot = undefined
      if (batch === undefined) return undefined
      const held = this.#read.get(batch.partition)
      // Let go of, or sought elsewhere, while it was on its way.
      if (held === undefined || held.range !== batch.range) continue
      held.suppliedTo = batch.nextOffset
      const bounds = { from: batch.fromOffset, until: Number.POSITIVE_INFINITY }
      return { held, batch: new ReadBatch(batch, bounds, held.context) }
    }
    return undefined
  }

  /** `onBatch` is called once `poll` may have something. */
  listen(): void {
    const source = this.#source
    if (source === undefined || this.#isListening || this.#slot !== undefined) return
    this.#isListening = true
    source.next().then(
      (batch) => {
        if (source !== this.#source) return
        if (batch === undefined) this.#openLater()
        else {
          this.#isListening = false
          this.#slot = batch
          this.#options.onBatch()
        }
      },
      (error) => {
        if (source === this.#source) this.#broke(error)
      },
    )
  }

  close(): void {
    for (const held of this.#read.values()) held.range = undefined
    this.#read.clear()
    this.#close()
  }

  #open(): void {
    const { transport, topic, topicId, reading } = this.#options
    const partitions = [...this.#read.values()]
    // It may have been in the middle of being opened again.
    for (const held of partitions) held.range = rangeOf(held)
    this.#source = transport.openSource({
      topic,
      topicId,
      partitions: partitions.map(({ range }) => range!),
      ...reading,
      signal: NEVER,
    })
  }

  #close(): void {
    clearTimeout(this.#openAgain)
    this.#openAgain = undefined
    const source = this.#source
    this.#source = undefined
    this.#slot = undefined
    this.#isListening = false
    void source?.close()
  }

  #broke(error: unknown): void {
    if (mayPass(error)) this.#openLater()
    else this.#options.onFailure(error)
  }

  #openLater(): void {
    this.#close()
    this.#openAgain = setTimeout(() => {
      this.#openAgain = undefined
      if (!this.isEmpty) this.#open()
      this.#options.onBatch()
    }, OPEN_AGAIN_MS)
  }
}

/** It is closed, never aborted. */
const NEVER = new AbortController().signal

function mayPass(error: unknown): boolean {
  if (!(error instanceof SpoolError)) return false
  return TOPIC_GONE.has(error.code) || isWorthRetrying(error)
}

function rangeOf({ partition, suppliedTo }: HeldPartition) {
  return { partition, offset: suppliedTo, until: Number.POSITIVE_INFINITY }
}
