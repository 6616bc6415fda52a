/**
 * The connections of one client to one broker, in Node: a pool for plain requests, one pipelined
 * connection for producing, one for each reader. All over undici; `http-exchange` has what an exchange is.
 */

import { Pool } from 'undici'
import { SpoolError, withOutcome } from '../api/errors.ts'
import { BATCHES_TYPE, JSON_TYPE, mediaTypeOf, PROBLEM_TYPE } from '../api/media-types.ts'
import { ROUTES } from '../api/routes.ts'
import type { ConnectSettings } from '../connect-options.ts'
import { withQuery } from '../paths.ts'
import type {
  Answer,
  BatchFate,
  OpenBatch,
  OpenBatchOptions,
  ProduceCall,
  RecordSource,
  RequestOptions,
  SourceCall,
  Transport,
} from '../transport.ts'
import { answerErrorOf, headerOf, isSuccess } from './answer.ts'
import { FetchSource } from './fetch-source.ts'
import { exchange, type WholeAnswer } from './http-exchange.ts'
import { BuilderPool, NodeOpenBatch } from './open-batch.ts'
import { ProduceConnection } from './produce-connection.ts'
import { produceBody, produceFates, unconfirmedFates } from './produce-frame.ts'
import { SpareMemory } from './spare-memory.ts'

/** What the answer to a write may take beyond the time the broker itself was given. */
const PRODUCE_GRACE_MS = 5_000
const NO_CONTENT = 204
const ACCEPTED = 202

export class NodeTransport implements Transport {
  readonly url: string
  /** Kafka's own limit for an idempotent producer, which the broker keeps to. */
  readonly inFlightPerPartitionMax = 5
  readonly #settings: ConnectSettings
  readonly #headers: Readonly<Record<string, string>>
  readonly #pool: Pool
  readonly #produce: ProduceConnection
  readonly #memory = new SpareMemory()
  readonly #builders = new BuilderPool(this.#memory)
  #closed: SpoolError | undefined

  constructor(settings: ConnectSettings) {
    const { url, token, connectTimeoutMs, connectionsMax } = settings
    this.url = url
    this.#settings = settings
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.#pool = new Pool(url, {
      connections: connectionsMax,
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
      allowH2: false,
      // Every exchange has one time limit of its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.#produce = new ProduceConnection({ url, connectTimeoutMs })
  }

  async request(options: RequestOptions): Promise<Answer> {
    const { method, document } = options
    const isWrite = method !== 'GET'
    this.#checkOpen()
    const answer = await exchange(this.#pool, {
      method,
      path: withQuery(options.path, options.query),
      headers: {
        ...this.#headers,
        accept: JSON_TYPE,
        ...(document === undefined ? {} : { 'content-type': JSON_TYPE }),
        ...options.headers,
      },
      body: document === undefined ? undefined : JSON.stringify(document),
      isWrite,
      bytesMax: this.#settings.responseBytesMax,
      timeoutMs: options.timeoutMs ?? this.#settings.requestTimeoutMs,
      signal: options.signal,
      url: this.url,
    }).catch((error) => this.#failed(error))
    if (!isSuccess(answer)) throw answerErrorOf(answer, isWrite)
    return { status: answer.status, header: headerOf(answer), document: documentOf(answer) }
  }

  newBatch(options: OpenBatchOptions): OpenBatch {
    return new NodeOpenBatch(this.#builders, options)
  }

  async produce(call: ProduceCall): Promise<readonly BatchFate[]> {
    this.#checkOpen()
    const body = produceBody(call, this.#memory.take)
    const answer = await this.#produce
      .send({
        method: ROUTES.produceBatches.method,
        path: ROUTES.produceBatches.path,
        headers: { ...this.#headers, accept: ACCEPTED_TYPES, 'content-type': BATCHES_TYPE },
        body,
        isWrite: true,
        bytesMax: this.#settings.responseBytesMax,
        timeoutMs: call.timeoutMs + PRODUCE_GRACE_MS,
        signal: call.signal,
        url: this.url,
      })
      .catch((error) => this.#failed(error))
    if (!isSuccess(answer)) throw withOutcome(answerErrorOf(answer, true), 'unknown')
    const fates =
      answer.status === ACCEPTED ? unconfirmedFates(call) : produceFates(answer.body, call)
    // Who says what became of it has read it to its end. That of one batch is the batch's.
    if (call.batches.length > 1) this.#memory.giveBack(body)
    return fates
  }

  openSource(call: SourceCall): RecordSource {
    this.#checkOpen()
    return new FetchSource(call, this.#settings, this.#headers)
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return
    this.#closed = new SpoolError('CLIENT_CLOSED', 'the client was closed')
    await Promise.all([this.#produce.close(this.#closed), this.#pool.destroy(this.#closed)])
  }

  #checkOpen(): void {
    if (this.#closed === undefined) return
    throw new SpoolError('CLIENT_CLOSED', 'the client was closed', { outcome: 'refused' })
  }

  /** What failed because we closed says so. */
  #failed(error: unknown): never {
    if (this.#closed === undefined || !(error instanceof SpoolError)) throw error
    throw withOutcome(this.#closed, error.outcome ?? 'unknown')
  }
}

const ACCEPTED_TYPES = `${BATCHES_TYPE}, ${PROBLEM_TYPE}`

function documentOf(answer: WholeAnswer): unknown {
  const { status, body } = answer
  if (status === NO_CONTENT || (body.length === 0 && status === ACCEPTED)) return undefined
  const contentType = headerOf(answer)('content-type')
  if (mediaTypeOf(contentType) !== JSON_TYPE) {
    throw notABroker(`its answer is ${contentType ?? 'of no type'}, not ${JSON_TYPE}`)
  }
  try {
    return JSON.parse(body.toString())
  } catch (cause) {
    throw notABroker(`its answer is no JSON: ${(cause as Error).message}`, cause)
  }
}

function notABroker(why: string, cause?: unknown): SpoolError {
  return new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    `this is no Spool broker, or another stands between: ${why}`,
    {
      cause,
    },
  )
}
