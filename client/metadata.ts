/**
 * Topics as the client knows them: id, number of partitions, what a producer must respect. Asked for on
 * first use, kept for a while, asked for again when somebody found them out of date. Concurrent questions
 * for one topic are one request.
 */

import { SpoolError } from './api/errors.ts'
import { ROUTES } from './api/routes.ts'
import type { TopicDescription } from './api/schemas/topics.ts'
import type { ConnectSettings } from './connect-options.ts'
import { pathOf } from './paths.ts'
import { retried } from './retry.ts'
import type { Transport } from './transport.ts'

export interface TopicMetadata {
  readonly name: string
  readonly topicId: string
  readonly partitions: number
  /** How keys choose partitions: all producers of a topic must agree. */
  readonly partitioner: 'xxhash64' | 'murmur2'
  /** `max.message.bytes`: a batch larger than this is refused. */
  readonly messageBytesMax: number
}

interface Known {
  readonly topic: TopicMetadata
  readonly atMs: number
}

/** A client that writes to more topics than this asks again now and then. */
const TOPICS_KEPT_MAX = 10_000

export class Metadata {
  readonly #transport: Transport
  readonly #settings: ConnectSettings
  readonly #known = new Map<string, Known>()
  readonly #asking = new Map<string, Promise<TopicMetadata>>()

  constructor(transport: Transport, settings: ConnectSettings) {
    this.#transport = transport
    this.#settings = settings
  }

  /** What is known and still fresh, without asking: for the path that must not wait. */
  peek(name: string): TopicMetadata | undefined {
    const known = this.#known.get(name)
    if (known === undefined) return undefined
    const ageMs = performance.now() - known.atMs
    return ageMs < this.#settings.metadataMaxAgeMs ? known.topic : undefined
  }

  /**
   * The topic; the broker is asked where it is not known, and again and again for retriable errors until
   * `requestTimeoutMs` is up.
   *
   * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION at once when there is no such topic.
   */
  async topic(name: string, signal?: AbortSignal): Promise<TopicMetadata> {
    return this.peek(name) ?? abortable(this.#ask(name), signal)
  }

  /** As `topic`, but never from memory, nor from a question that was asked before this call. */
  refresh(name: string, signal?: AbortSignal): Promise<TopicMetadata> {
    this.forget(name)
    return abortable(this.#ask(name), signal)
  }

  /** What is known of the topic was found to be wrong, and what is being answered now may be as well. */
  forget(name: string): void {
    this.#known.delete(name)
    this.#asking.delete(name)
  }

  #ask(name: string): Promise<TopicMetadata> {
    const asking = this.#asking.get(name)
    if (asking !== undefined) return asking
    const asked = this.#describe(name)
    this.#asking.set(name, asked)
    const isNewest = () => this.#asking.get(name) === asked
    asked.then(
      (topic) => {
        if (isNewest()) this.#learn(name, topic)
      },
      () => {
        if (isNewest()) this.#asking.delete(name)
      },
    )
    return asked
  }

  #learn(name: string, topic: TopicMetadata): void {
    this.#asking.delete(name)
    if (this.#known.size >= TOPICS_KEPT_MAX) this.#known.clear()
    this.#known.set(name, { topic, atMs: performance.now() })
  }

  async #describe(name: string): Promise<TopicMetadata> {
    const path = pathOf(ROUTES.describeTopic, { topic: name })
    const { document } = await retried(() => this.#transport.request({ method: 'GET', path }), {
      backoff: this.#settings,
      timeoutMs: this.#settings.requestTimeoutMs,
    })
    return topicMetadata(document)
  }
}

function topicMetadata(document: unknown): TopicMetadata {
  const { name, topicId, partitions, config } = (document ?? {}) as Partial<TopicDescription>
  const partitioner = config?.['spool.partitioner']?.value
  const messageBytesMax = config?.['max.message.bytes']?.value
  const isKnown =
    typeof name === 'string' &&
    typeof topicId === 'string' &&
    Array.isArray(partitions) &&
    partitions.length > 0 &&
    (partitioner === 'xxhash64' || partitioner === 'murmur2') &&
    typeof messageBytesMax === 'number'
  if (isKnown) return { name, topicId, partitions: partitions.length, partitioner, messageBytesMax }
  throw new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'the description of the topic is not one this client understands: is this a Spool broker, and not a newer one?',
  )
}

/** The promise, or the signal's reason if that comes first; the request behind it goes on for others. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
