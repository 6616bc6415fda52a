/**
 * A reader's supply over `POST /v1/fetch`: one connection, one request under way, asked again as soon as
 * it is answered while there is room, so that the broker works on the next answer while this one is read.
 *
 *     ask ──► take apart ──► [ batches that lie ready, up to prefetchBytes ] ──► next()
 *      ▲                                     │
 *      └── as soon as there is room ◄────────┘
 *
 * Owns asking, asking again, and the bound. Which offset comes next is `fetch-places`, how much is asked
 * for `fetch-size`; what an answer must be is `fetch-reply`.
 */

import { Client } from 'undici'
import { frameEnvelope } from '../api/batch-frame.ts'
import { SpoolError } from '../api/errors.ts'
import { BATCHES_TYPE, mediaTypeOf, PROBLEM_TYPE } from '../api/media-types.ts'
import { ROUTES } from '../api/routes.ts'
import type { ConnectSettings } from '../connect-options.ts'
import { isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { ReadRange, RecordSource, SourceBatch, SourceCall } from '../transport.ts'
import { answerErrorOf } from './answer.ts'
import { FetchPlaces } from './fetch-places.ts'
import { type FetchedPlace, type FetchPlace, readFetchReply } from './fetch-reply.ts'
import { FetchSize } from './fetch-size.ts'
import { FetchedBatch } from './fetched-batch.ts'
import { exchange } from './http-exchange.ts'
import { ReadyBatches } from './ready-batches.ts'

/** Of one partition in an answer, where there are several: others are not to wait for one. */
const PARTITION_BYTES_MAX = 1024 * 1024
/** Batches that arrive broken so often in a row are not the network's fault. */
const CORRUPT_ANSWERS_MAX = 3

/** Why a request was given up that is to be asked otherwise. */
const ASKED_OTHERWISE = Symbol('asked otherwise')

export class FetchSource implements RecordSource {
  readonly #call: SourceCall
  readonly #settings: ConnectSettings
  readonly #headers: Readonly<Record<string, string>>
  readonly #client: Client
  readonly #places: FetchPlaces
  readonly #ready: ReadyBatches
  readonly #size = new FetchSize()
  /** Ends the request or the wait under way. */
  #asking = new AbortController()
  #isStopped = false
  /** Failed or hasty requests in a row. */
  #failures = 0
  /** Answers in a row that held broken batches. */
  #corruptAnswers = 0

  constructor(
    call: SourceCall,
    settings: ConnectSettings,
    headers: Readonly<Record<string, string>>,
  ) {
    this.#call = call
    this.#settings = settings
    this.#headers = { ...headers, accept: ACCEPTED_TYPES, 'content-type': BATCHES_TYPE }
    this.#client = new Client(settings.url, {
      connect: { timeout: settings.connectTimeoutMs },
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.#places = new FetchPlaces(call.partitions, call.outOfRange, settings)
    this.#ready = new ReadyBatches(call.prefetchBytes)
    call.signal.addEventListener('abort', this.#aborted, { once: true })
    if (call.signal.aborted) this.#aborted()
    else void this.#run()
  }

  poll(): SourceBatch | undefined {
    return this.#ready.poll()
  }

  next(): Promise<SourceBatch | undefined> {
    return this.#ready.next()
  }

  add(partitions: readonly ReadRange[]): void {
    this.#places.add(partitions)
    this.#askOtherwise()
  }

  remove(partitions: readonly number[]): void {
    this.#places.remove(partitions)
    this.#ready.drop(new Set(partitions))
    if (this.#places.isDone) this.#askOtherwise()
  }

  endAt(partition: number, until: number): void {
    this.#places.endAt(partition, until)
    if (this.#places.isDone) this.#askOtherwise()
  }

  async close(): Promise<void> {
    this.#ready.end()
    this.#ready.clear()
    await this.#stop()
  }

  readonly #aborted = (): void => {
    this.#ready.fail(this.#call.signal.reason)
    this.#ready.clear()
    void this.#stop()
  }

  async #stop(): Promise<void> {
    this.#isStopped = true
    this.#call.signal.removeEventListener('abort', this.#aborted)
    this.#asking.abort(ASKED_OTHERWISE)
    await this.#client.destroy()
  }

  /** The request under way may wait long for what is not the question any more. */
  #askOtherwise(): void {
    this.#asking.abort(ASKED_OTHERWISE)
    this.#asking = new AbortController()
  }

  async #run(): Promise<void> {
    try {
      while (!this.#places.isDone && !this.#isStopped) {
        await this.#ready.room()
        if (!this.#places.isDone && !this.#isStopped) await this.#step()
      }
      this.#ready.end()
    } catch (error) {
      this.#ready.fail(error)
    }
    await this.#stop()
  }

  /** One question and its answer, and a wait where the next is not to be asked at once. */
  async #step(): Promise<void> {
    const { signal } = this.#asking
    try {
      const delayMs = await this.#ask(signal)
      if (delayMs > 0) await pause(delayMs, signal)
    } catch (error) {
      if (error !== ASKED_OTHERWISE) throw error
    }
  }

  /** How long to wait before the next question. */
  async #ask(signal: AbortSignal): Promise<number> {
    const askedAtMs = performance.now()
    const asked = this.#places.toAsk(askedAtMs)
    if (asked.length === 0) return this.#places.askAgainAtMs - askedAtMs
    try {
      const fetched = await this.#fetch(asked, signal)
      const isHasty = !this.#take(fetched) && this.#isSooner(performance.now() - askedAtMs)
      this.#size.answered()
      this.#corruptAnswers = 0
      this.#failures = isHasty ? this.#failures + 1 : 0
      return isHasty ? this.#delayMs() : 0
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error
      if (this.#size.refused(error)) return 0
      this.#size.failed()
      if (!this.#isPassing(error)) throw error
      this.#failures += 1
      return this.#delayMs(error)
    }
  }

  #isPassing(error: SpoolError): boolean {
    if (error.code !== 'CORRUPT_MESSAGE') return isWorthRetrying(error)
    this.#corruptAnswers += 1
    return this.#corruptAnswers < CORRUPT_ANSWERS_MAX
  }

  /** True for an empty answer that did not wait as it was told: asking again at once would never stop. */
  #isSooner(tookMs: number): boolean {
    return tookMs < this.#call.maxWaitMs / 2 || this.#call.maxWaitMs === 0
  }

  #delayMs(error?: SpoolError): number {
    return retryDelayMs(this.#failures, this.#settings, Math.random(), error)
  }

  /** Queues what came; false when nothing did. */
  #take(fetched: readonly FetchedPlace[]): boolean {
    const nowMs = performance.now()
    let isAny = false
    const batches: SourceBatch[] = []
    for (const place of fetched) {
      if (place.batches.length > 0 || place.error !== undefined) isAny = true
      if (!this.#places.wants(place)) continue
      for (const batch of place.batches) {
        // Transaction markers are not records; what compaction left empty has none.
        if (batch.isControl || batch.recordCount === 0) continue
        batches.push(new FetchedBatch(batch, place, this.#settings.decompressedBytesMax))
      }
    }
    // Before a place can fail for good: what came is good.
    this.#ready.push(batches)
    for (const place of fetched) this.#places.take(place, nowMs, Math.random())
    return isAny
  }

  async #fetch(asked: readonly FetchPlace[], signal: AbortSignal): Promise<FetchedPlace[]> {
    const { topic, topicId, maxWaitMs } = this.#call
    const { url, responseBytesMax, requestTimeoutMs } = this.#settings
    const bytes = this.#size.within(this.#ready.roomBytes)
    const partitionBytes = asked.length === 1 ? bytes : Math.min(bytes, PARTITION_BYTES_MAX)
    const envelope = frameEnvelope({
      maxWaitMs,
      minBytes: 1,
      maxBytes: bytes,
      partitions: asked.map(({ partition, offset }) => ({
        topic,
        topicId,
        partition,
        offset,
        maxBytes: partitionBytes,
      })),
    })
    const answer = await exchange(this.#client, {
      method: ROUTES.fetchBatches.method,
      path: ROUTES.fetchBatches.path,
      headers: this.#headers,
      body: envelope,
      isWrite: false,
      bytesMax: responseBytesMax,
      timeoutMs: maxWaitMs + requestTimeoutMs,
      signal,
      url,
    })
    if (answer.status !== 200) throw answerErrorOf(answer, false)
    const contentType = answer.headers['content-type']
    if (mediaTypeOf(contentType) !== BATCHES_TYPE) {
      throw new SpoolError(
        'UNKNOWN_SERVER_ERROR',
        `this is no Spool broker: it answers a fetch with ${contentType ?? 'no type'}`,
      )
    }
    return readFetchReply(answer.body, topic, asked)
  }
}

const ACCEPTED_TYPES = `${BATCHES_TYPE}, ${PROBLEM_TYPE}`
