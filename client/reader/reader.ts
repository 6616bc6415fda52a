/**
 * Reads a topic from any place: record after record, or batch after batch. Owns where it is and that one
 * loop at a time reads; a reader that no loop is reading holds nothing open.
 */

import { SpoolError } from '../api/errors.ts'
import type { ClientContext } from '../client-context.ts'
import { offsetsAsker } from './ask-offsets.ts'
import { beginPlaces } from './begin-places.ts'
import type { ReadBatch } from './read-batch.ts'
import { ReadLoop, type Taker } from './read-loop.ts'
import type { ReadPlaces } from './read-places.ts'
import type { ReadRecord } from './read-record.ts'
import { ReadSession } from './read-session.ts'
import { type ReaderOptions, type ReaderSettings, readerSettings } from './reader-options.ts'
import { BatchTaker, RecordTaker } from './takers.ts'

interface AnyLoop {
  end(): Promise<void>
  settle(): void
}

export class Reader<K = string | Uint8Array, V = unknown>
  implements AsyncIterable<ReadRecord<K, V>>, AsyncDisposable
{
  readonly topic: string
  readonly #context: ClientContext
  readonly #settings: ReaderSettings<K, V>
  /** Once it began. */
  #places: ReadPlaces | undefined
  /** The one that reads. */
  #loop: AnyLoop | undefined
  #isClosed = false

  /** @internal Made by `client.reader`. */
  constructor(context: ClientContext, topic: string, options: ReaderOptions<K, V>) {
    this.topic = topic
    this.#context = context
    this.#settings = readerSettings(options)
  }

  /**
   * Record after record, in order within each partition. The first of them begins the reader; every
   * further loop goes on after the last record that was given. One loop at a time.
   *
   * Waits out a broker that is away, for ever. Rejects with `SpoolError`: UNKNOWN_TOPIC_OR_PARTITION,
   * INCONSISTENT_TOPIC_ID, OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE (with `extensions` `topic`, `partition`,
   * `offset` and `nextOffset`, where a new reader can go on) and whatever the broker refuses with; or with the
   * signal's reason.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReadRecord<K, V>, void, void> {
    return this.#newLoop((session) => new RecordTaker(session))
  }

  /**
   * Batch after batch, each as the broker stored it; its records are looked at only when it is iterated,
   * which costs no promise a record. A batch counts as read once it was given.
   */
  batches(): AsyncIterableIterator<ReadBatch<K, V>, void, void> {
    return this.#newLoop((session) => new BatchTaker(session))
  }

  /**
   * The next offset to read of each partition, by number, after what was given; usable as `from`. Empty
   * before it began.
   */
  position(): Record<number, number> {
    this.#loop?.settle()
    return this.#places?.position() ?? {}
  }

  /** Ends a loop that reads; it comes to its end, without an error. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#context.forget(this)
    await this.#loop?.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #newLoop<T>(takerOf: (session: ReadSession<K, V>) => Taker<T>): ReadLoop<T> {
    const loop = new ReadLoop<T>({
      signal: this.#settings.signal,
      open: async (signal) => {
        this.#begin(loop)
        return takerOf(await this.#session(signal))
      },
      onEnd: () => {
        if (this.#loop === loop) this.#loop = undefined
      },
    })
    return loop
  }

  #begin(loop: AnyLoop): void {
    if (this.#isClosed) throw refused('CLIENT_CLOSED', 'the reader was closed')
    if (this.#loop !== undefined) {
      throw refused(
        'INVALID_REQUEST',
        `a loop reads ${this.topic} with this reader already: end it first (break, return()), or make another reader`,
      )
    }
    this.#loop = loop
  }

  async #session(signal: AbortSignal): Promise<ReadSession<K, V>> {
    const context = this.#context
    const { topic } = this
    const settings = this.#settings
    const timeoutMs = context.settings.requestTimeoutMs
    this.#places ??= await beginPlaces(
      offsetsAsker(context, topic, { timeoutMs, signal }),
      { ...settings, topic },
      Date.now(),
    )
    return new ReadSession({ context, topic, settings, places: this.#places, signal })
  }
}

function refused(code: 'CLIENT_CLOSED' | 'INVALID_REQUEST', detail: string): SpoolError {
  return new SpoolError(code, detail, { outcome: 'refused' })
}
