/**
 * What changes while a loop reads: partitions that come into being, and ends that are times still to
 * come. Asks the broker now and then, tells places and source what it learned, and reads no records.
 */

import { SpoolError } from '../api/errors.ts'
import type { TopicOffsets } from '../api/schemas/topics.ts'
import type { ClientContext } from '../client-context.ts'
import { pause } from '../retry.ts'
import type { RecordSource } from '../transport.ts'
import { type AskOffsets, offsetsAsker } from './ask-offsets.ts'
import type { ReadPlaces } from './read-places.ts'

/** A new partition's records wait no longer than this for a reader of the topic. */
const PARTITIONS_ASKED_EVERY_MS = 10_000
/** A timer can not be set for longer than 24 days. */
const WAIT_MS_MAX = 86_400_000

export interface WatchOptions {
  readonly context: ClientContext
  readonly topic: string
  readonly places: ReadPlaces
  readonly source: RecordSource
  /** Ends the watch. */
  readonly signal: AbortSignal
}

export class ReadWatch {
  readonly #options: WatchOptions
  readonly #ask: AskOffsets

  constructor(options: WatchOptions) {
    const { context, topic, signal } = options
    this.#options = options
    // However long the broker is away, what is to be known will be asked.
    this.#ask = offsetsAsker(context, topic, { timeoutMs: Number.POSITIVE_INFINITY, signal })
  }

  /** Calls `onFailure` once with what makes reading on impossible. */
  start(onFailure: (reason: unknown) => void): void {
    const { signal } = this.#options
    Promise.all([this.#watchPartitions(), this.#watchEnds()]).catch((error) => {
      if (!signal.aborted) onFailure(error)
    })
  }

  async #watchPartitions(): Promise<void> {
    const { context, places, signal } = this.#options
    const everyMs = Math.min(PARTITIONS_ASKED_EVERY_MS, context.settings.metadataMaxAgeMs)
    while (places.wantsLater) {
      await pause(everyMs, signal)
      if (places.wantsLater) this.#takeIn(await this.#ask('latest'))
    }
  }

  async #watchEnds(): Promise<void> {
    const { places, source, signal } = this.#options
    for (;;) {
      const timeMs = places.endTimes()[0]
      if (timeMs === undefined) return
      const waitMs = timeMs - Date.now()
      if (waitMs > 0) {
        await pause(Math.min(waitMs, WAIT_MS_MAX), signal)
        continue
      }
      const offsets = await this.#ask(`@${timeMs}`)
      // Partitions that came into being before that time are part of it.
      this.#takeIn(offsets)
      for (const { partition, offset } of offsets.partitions) {
        if (places.endAt(partition, timeMs, offset)) source.endAt(partition, offset)
      }
    }
  }

  #takeIn({ topicId, partitions }: TopicOffsets): void {
    const { topic, places, source } = this.#options
    if (topicId !== places.topicId) {
      throw new SpoolError(
        'INCONSISTENT_TOPIC_ID',
        `topic ${topic} was created anew since the reader began: begin a new reader`,
      )
    }
    const added = places.addLater(partitions)
    if (added.length > 0) source.add(added)
  }
}
