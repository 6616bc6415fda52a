/**
 * The client's connection to a broker over `fetch` alone: for browsers, Bun, Deno, and anything else that
 * has it. Records go out as JSON, a batch a request, and come in as lines of JSON; both carry bytes
 * exactly. Requests of `fetch` may overtake each other, so only one batch of a partition is under way at
 * a time. A batch goes by the topic's name, not its id: the route has none.
 */

import { SpoolError } from '../api/errors.ts'
import { JSON_TYPE } from '../api/media-types.ts'
import { ROUTES } from '../api/routes.ts'
import type { ProduceReply } from '../api/schemas/records.ts'
import type { ConnectSettings } from '../connect-options.ts'
import { pathOf, withQuery } from '../paths.ts'
import type {
  Answer,
  BatchFate,
  BatchToProduce,
  OpenBatch,
  OpenBatchOptions,
  ProduceCall,
  RecordSource,
  RequestOptions,
  SourceCall,
  Transport,
} from '../transport.ts'
import { FetchExchanges } from './fetch-exchange.ts'
import { type JsonBatch, OpenJsonBatch } from './json-batch.ts'
import { StreamSource } from './stream-source.ts'

/** What an exchange gets beyond the time the broker may take. */
const EXTRA_MS = 5_000

export class FetchTransport implements Transport {
  readonly url: string
  readonly inFlightPerPartitionMax = 1
  readonly #settings: ConnectSettings
  readonly #exchanges: FetchExchanges
  readonly #closing = new AbortController()

  constructor(settings: ConnectSettings) {
    this.url = settings.url
    this.#settings = settings
    this.#exchanges = new FetchExchanges(settings, this.#closing.signal)
  }

  async request(options: RequestOptions): Promise<Answer> {
    const { method, path, query, document, signal, timeoutMs } = options
    const hasBody = document !== undefined
    const { status, headers, text } = await this.#exchanges.whole({
      method,
      path: withQuery(path, query),
      headers: { ...options.headers, ...(hasBody ? { 'content-type': JSON_TYPE } : {}) },
      body: hasBody ? JSON.stringify(document) : undefined,
      signal,
      timeoutMs: timeoutMs ?? this.#settings.requestTimeoutMs,
    })
    return {
      status,
      header: (name) => headers.get(name) ?? undefined,
      document: text === '' ? undefined : parsed(text),
    }
  }

  newBatch(options: OpenBatchOptions): OpenBatch {
    return new OpenJsonBatch(options)
  }

  produce(call: ProduceCall): Promise<readonly BatchFate[]> {
    return Promise.all(call.batches.map((batch) => this.#produceOne(batch, call)))
  }

  async #produceOne(batch: BatchToProduce, call: ProduceCall): Promise<BatchFate> {
    const sealed = batch.batch as JsonBatch
    const { producer } = sealed
    const path = pathOf(ROUTES.produceRecords, { topic: batch.topic })
    try {
      const { status, text } = await this.#exchanges.whole({
        method: 'POST',
        path: withQuery(path, {
          partition: batch.partition,
          acks: call.acks,
          timeoutMs: call.timeoutMs,
        }),
        headers: {
          'content-type': JSON_TYPE,
          ...(producer === undefined
            ? {}
            : {
                'spool-producer-id': String(producer.producerId),
                'spool-producer-epoch': String(producer.producerEpoch),
                'spool-sequence': String(producer.baseSequence),
              }),
        },
        body: sealed.body,
        signal: call.signal,
        timeoutMs: call.timeoutMs + EXTRA_MS,
      })
      return status === 202 ? NOT_AWAITED : fateOf(parsed(text) as ProduceReply, sealed)
    } catch (error) {
      if (error instanceof SpoolError) return { error }
      throw error
    }
  }

  openSource(call: SourceCall): RecordSource {
    const { requestTimeoutMs } = this.#settings
    const connection = {
      transport: this,
      exchanges: this.#exchanges,
      headTimeoutMs: requestTimeoutMs,
    }
    return new StreamSource(call, connection, this.#settings)
  }

  close(): Promise<void> {
    this.#closing.abort(new SpoolError('CLIENT_CLOSED', 'the client was closed'))
    return Promise.resolve()
  }
}

const NOT_AWAITED: BatchFate = {
  baseOffset: -1,
  lastOffset: -1,
  timestamp: -1,
  durability: 'written',
  duplicate: false,
}

function fateOf({ offsets, durability, duplicate }: ProduceReply, sealed: JsonBatch): BatchFate {
  const first = offsets[0]
  const last = offsets[sealed.recordCount - 1]
  if (first?.offset === undefined || last?.offset === undefined) throw notUnderstood('unknown')
  // The broker says each record's stored time: another than we sent is the topic's LogAppendTime.
  const { timestamps } = sealed
  const stamped = offsets.find(
    (it, index) => (it.timestamp ?? timestamps[index]) !== timestamps[index],
  )
  return {
    baseOffset: first.offset,
    lastOffset: last.offset,
    timestamp: stamped?.timestamp ?? -1,
    durability,
    duplicate: duplicate === true,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notUnderstood()
  }
}

function notUnderstood(outcome?: 'unknown'): SpoolError {
  return new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'the answer is not one this client understands: is this a Spool broker, and not a newer one?',
    outcome === undefined ? {} : { outcome },
  )
}
