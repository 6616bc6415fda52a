/**
 * A server that answers a producer with whatever a test makes it say: what it says of its topic, which
 * producer ids it gives, what becomes of batches. By itself it is a good broker whose log nobody can read.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { frameEnvelope, readFrame } from '../../../client/api/batch-frame.ts'
import { BATCHES_TYPE, JSON_TYPE } from '../../../client/api/media-types.ts'
import type { ProduceEnvelope } from '../../../client/api/schemas/envelopes.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'

export const TOPIC = 'scripted'
export const TOPIC_ID = '6a5e8a3e-2f4a-4d1b-9f43-0c5b4ba7c0de'

/** What came of one batch. */
export interface Received {
  readonly topicId: string | undefined
  readonly partition: number
  readonly values: readonly string[]
  /** `headers` are their names. */
  readonly records: readonly {
    readonly key: string | null
    readonly value: string | null
    readonly headers: readonly string[]
    readonly timestamp: number
  }[]
  readonly batch: RecordBatch
}

/** Each answers one request; what it does not answer stays open. Absent: as a good broker. */
export interface Scripts {
  describe?: (response: ServerResponse) => void
  producers?: (response: ServerResponse) => void
  produce?: (received: readonly Received[], response: ServerResponse) => void
}

export class StandInBroker implements AsyncDisposable {
  readonly scripts: Scripts
  /** Paths of requests, in the order they came. */
  readonly asked: string[] = []
  /** Batches it was sent, whatever it answered. */
  readonly received: Received[] = []
  readonly #server: Server
  readonly #ends: number[] = []
  #producers = 0

  private constructor(scripts: Scripts) {
    this.scripts = scripts
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(scripts: Scripts = {}): Promise<StandInBroker> {
    const broker = new StandInBroker(scripts)
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    return broker
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What a good broker would answer to these. */
  appended(received: readonly Received[]): object[] {
    return received.map(({ partition, batch: { recordCount } }) => {
      const baseOffset = this.#ends[partition] ?? 0
      this.#ends[partition] = baseOffset + recordCount
      const lastOffset = baseOffset + recordCount - 1
      return { topic: TOPIC, partition, baseOffset, lastOffset, durability: 'flushed' }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', 'http://any')
    this.asked.push(pathname)
    const body = await bodyOf(request)
    if (pathname === '/v1/produce') {
      const received = batchesIn(body)
      this.received.push(...received)
      if (this.scripts.produce === undefined) sendResults(response, this.appended(received))
      else this.scripts.produce(received, response)
    } else if (pathname === '/v1/producers') {
      if (this.scripts.producers !== undefined) this.scripts.producers(response)
      else sendJson(response, { producerId: this.#producers++, producerEpoch: 0 }, 201)
    } else if (this.scripts.describe === undefined) sendJson(response, description(1))
    else this.scripts.describe(response)
  }
}

/** What a broker says of the topic. */
export function description(partitions: number, over: object = {}): object {
  return {
    name: TOPIC,
    topicId: TOPIC_ID,
    partitions: Array.from({ length: partitions }, (_, partition) => ({ partition })),
    config: {
      'spool.partitioner': { value: 'xxhash64' },
      'max.message.bytes': { value: 1_000_000 },
    },
    ...over,
  }
}

export function sendJson(response: ServerResponse, document: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': JSON_TYPE }).end(JSON.stringify(document))
}

export function sendResults(response: ServerResponse, results: unknown): void {
  sendBytes(response, frameEnvelope({ results }))
}

export function sendBytes(response: ServerResponse, body: Uint8Array | string): void {
  response.writeHead(200, { 'content-type': BATCHES_TYPE }).end(body)
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function batchesIn(body: Buffer): Received[] {
  const { envelope, batches } = readFrame(body)
  let at = 0
  return (envelope as ProduceEnvelope).batches.map(({ topicId, partition, bytes }) => {
    const batch = new RecordBatch(batches.subarray(at, at + bytes))
    at += bytes
    const stored = [...readRecords(batch, { maxDecompressedBytes: 64 * 1024 * 1024 })]
    const records = stored.map(({ key, value, headers, timestamp }) => ({
      key: key && String(key),
      value: value && String(value),
      headers: headers.map(({ name }) => String(name)),
      timestamp,
    }))
    return { topicId, partition, values: records.map(({ value }) => `${value}`), records, batch }
  })
}
