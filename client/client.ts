/**
 * One client of one broker: makes producers, readers and consumers, lends them what they share (connections,
 * metadata), and closes them all. Knows the `Transport` only, so it is the same in Node and elsewhere.
 */

import { Admin } from './admin/admin.ts'
import { SpoolError } from './api/errors.ts'
import { ROUTES } from './api/routes.ts'
import type { ClientContext } from './client-context.ts'
import type { ConnectSettings } from './connect-options.ts'
import { Consumer } from './consumer/consumer.ts'
import type { ConsumerOptions } from './consumer/consumer-options.ts'
import { Metadata } from './metadata.ts'
import { pathOf } from './paths.ts'
import { Producer } from './producer/producer.ts'
import type { ProducerOptions } from './producer/producer-options.ts'
import { Reader } from './reader/reader.ts'
import type { ReaderOptions } from './reader/reader-options.ts'
import { retried } from './retry.ts'
import type { Transport } from './transport.ts'

export interface ReadyOptions {
  /** How long to wait; 30 s when absent. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const READY_TIMEOUT_MS = 30_000
/** One question among several must not take the whole time. */
const READY_REQUEST_MS_MAX = 5_000

export class Client implements AsyncDisposable {
  /** Topics, offsets, groups, the cluster. */
  readonly admin: Admin
  readonly #context: ClientContext
  readonly #open = new Set<AsyncDisposable>()
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(transport: Transport, settings: ConnectSettings) {
    this.#context = {
      transport,
      metadata: new Metadata(transport, settings),
      settings,
      closed: this.#closing.signal,
      forget: (closable) => this.#open.delete(closable),
    }
    this.admin = new Admin(this.#context)
  }

  /** Such as `http://localhost:7766`. */
  get url(): string {
    return this.#context.transport.url
  }

  /**
   * Writes records; nothing is asked of the broker before the first of them.
   *
   * @throws SpoolError INVALID_CONFIG for options that are not right.
   */
  producer<K = string | number | bigint | Uint8Array, V = unknown>(
    options: ProducerOptions<K, V> = {},
  ): Producer<K, V> {
    this.#checkOpen()
    const producer = new Producer(this.#context, options)
    this.#open.add(producer)
    return producer
  }

  /**
   * Reads a topic; nothing is asked of the broker before the first record is.
   *
   * @throws SpoolError INVALID_CONFIG, INVALID_REQUEST for options that are not right.
   */
  reader<K = string | Uint8Array, V = unknown>(
    topic: string,
    options: ReaderOptions<K, V> = {},
  ): Reader<K, V> {
    this.#checkOpen()
    const reader = new Reader(this.#context, topic, options)
    this.#open.add(reader)
    return reader
  }

  /**
   * Reads topics together with the other consumers of a group; it joins when the first record is asked for.
   *
   * @throws SpoolError INVALID_CONFIG, INVALID_REQUEST for options that are not right.
   */
  consumer<K = string | Uint8Array, V = unknown>(options: ConsumerOptions<K, V>): Consumer<K, V> {
    this.#checkOpen()
    const consumer = new Consumer(this.#context, options)
    this.#open.add(consumer)
    return consumer
  }

  /**
   * Resolves once the broker serves: it may still be starting, or recovering its logs.
   *
   * @throws SpoolError what was wrong at the last attempt, when the time is up.
   */
  async ready({ timeoutMs = READY_TIMEOUT_MS, signal }: ReadyOptions = {}): Promise<void> {
    const { transport, settings } = this.#context
    const ask = () =>
      transport.request({
        method: 'GET',
        path: pathOf(ROUTES.ready, {}),
        timeoutMs: Math.min(timeoutMs, READY_REQUEST_MS_MAX),
        signal,
      })
    await retried(ask, { backoff: settings, timeoutMs, signal })
  }

  /** Flushes and closes producers, ends readers and consumers, closes connections. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const closing = [...this.#open].map((closable) => closable[Symbol.asyncDispose]())
    const closed = await Promise.allSettled(closing)
    this.#closing.abort(new SpoolError('CLIENT_CLOSED', 'the client was closed'))
    await this.#context.transport.close()
    const failed = closed.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) {
      throw new SpoolError('CLIENT_CLOSED', 'the client was closed', { outcome: 'refused' })
    }
  }
}
