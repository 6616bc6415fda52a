/** Reads a topic from any place. */

import type { ClientContext } from '../client-context.ts'
import type { ReadBatch } from './read-batch.ts'
import type { ReadRecord } from './read-record.ts'
import { type ReaderOptions, type ReaderSettings, readerSettings } from './reader-options.ts'

export class Reader<K = string | Uint8Array, V = unknown>
  implements AsyncIterable<ReadRecord<K, V>>, AsyncDisposable
{
  readonly topic: string
  readonly #context: ClientContext
  readonly #settings: ReaderSettings<K, V>

  constructor(context: ClientContext, topic: string, options: ReaderOptions<K, V>) {
    this.topic = topic
    this.#context = context
    this.#settings = readerSettings(options)
  }

  /** Record after record; goes on where the last iteration stopped. */
  [Symbol.asyncIterator](): AsyncIterator<ReadRecord<K, V>, void, void> {
    throw new Error(`not yet ${this.#settings.maxWaitMs}`)
  }

  /** Batch after batch, none decoded before it is iterated. */
  batches(): AsyncIterableIterator<ReadBatch<K, V>, void, void> {
    throw new Error('not yet')
  }

  /** The next offset to read of each partition, by number: usable as `from`. Empty before it began. */
  position(): Record<number, number> {
    throw new Error('not yet')
  }

  /** Ends an iteration that waits; idempotent. */
  async close(): Promise<void> {
    this.#context.forget(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
