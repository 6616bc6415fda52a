/**
 * A topic on a real broker as the tests of records use it: requests as a client sends them, and a look at
 * the stored records that goes past every view.
 */

import { randomUUID } from 'node:crypto'
import { request } from 'undici'
import type { TestBroker } from '../../../../broker/testing.ts'
import { readRecords } from '../../../../storage/record/batch-reader.ts'
import { peekBatchSize, RecordBatch } from '../../../../storage/record/record-batch.ts'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string
  /** The document, where it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into documents of many shapes
  readonly json: any
}

export interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string | string[]>
  readonly body?: string | Buffer
}

export interface Stored {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
}

/** Sends one request. */
export async function send(broker: TestBroker, path: string, sent: Sent = {}): Promise<Reply> {
  const { statusCode, headers, body } = await request(`${broker.url}${path}`, {
    method: (sent.method ?? 'GET') as 'GET',
    headers: sent.headers ?? {},
    ...(sent.body === undefined ? {} : { body: sent.body }),
  })
  const bytes = Buffer.from(await body.arrayBuffer())
  const text = bytes.toString()
  const isJson = /[/+]json/.test(String(headers['content-type'])) && text !== ''
  return { status: statusCode, headers, bytes, text, json: isJson ? JSON.parse(text) : undefined }
}

export class TestTopic {
  readonly broker: TestBroker
  readonly name: string

  private constructor(broker: TestBroker, name: string) {
    this.broker = broker
    this.name = name
  }

  static async create(
    broker: TestBroker,
    options: { partitions?: number; config?: Record<string, number | string> } = {},
  ): Promise<TestTopic> {
    const name = `topic-${randomUUID()}`
    await broker.context.topics.create({ name, ...options })
    return new TestTopic(broker, name)
  }

  get path(): string {
    return `/v1/topics/${this.name}/records`
  }

  /** POSTs JSON. */
  produce(document: unknown, query = ''): Promise<Reply> {
    return this.post(typeof document === 'string' ? document : JSON.stringify(document), query)
  }

  post(
    body: string | Buffer,
    query = '',
    headers: Record<string, string | string[]> = { 'content-type': 'application/json' },
  ): Promise<Reply> {
    return send(this.broker, `${this.path}${query}`, { method: 'POST', headers, body })
  }

  /** A page of a partition. */
  read(query = '', { partition = 0, headers = {} } = {}): Promise<Reply> {
    const path = `/v1/topics/${this.name}/partitions/${partition}/records${query}`
    return send(this.broker, path, { headers })
  }

  /** Every record of a partition as it is stored, texts as latin1 so that bytes can be told. */
  async stored(partition = 0): Promise<Stored[]> {
    const found: Stored[] = []
    const served = this.broker.context.replicas.partition(this.name, partition)
    for (let offset: number = served.logStartOffset; offset < served.highWatermark; ) {
      const { bytes, nextOffset } = await served.read(offset, { maxBytes: 1 << 20 })
      for (let at = 0; at < bytes.length; ) {
        const size = peekBatchSize(bytes, at)
        const batch = new RecordBatch(bytes.subarray(at, at + size))
        for (const record of readRecords(batch, { maxDecompressedBytes: 1 << 26 })) {
          found.push({
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key?.toString('latin1') ?? null,
            value: record.value?.toString('latin1') ?? null,
            headers: record.headers.map(({ name, value }) => [
              name.toString('latin1'),
              value?.toString('latin1') ?? null,
            ]),
          })
        }
        at += size
      }
      offset = nextOffset
    }
    return found
  }

  /** How many records there are in all partitions. */
  count(): number {
    const { partitions } = this.broker.context.topics.require(this.name)
    let count = 0
    for (let i = 0; i < partitions; i++) {
      count += this.broker.context.replicas.partition(this.name, i).highWatermark
    }
    return count
  }
}
