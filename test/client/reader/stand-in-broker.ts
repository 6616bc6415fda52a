/**
 * A server that answers a reader's questions with whatever a test makes it say: the offsets of a topic of
 * one partition as a broker would, and fetches or streams from a script.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { frameEnvelope, readFrame } from '../../../client/api/batch-frame.ts'
import { BATCHES_TYPE } from '../../../client/api/media-types.ts'
import type { FetchEnvelope } from '../../../client/api/schemas/envelopes.ts'
import { BatchBuilder } from '../../../storage/record/batch-builder.ts'
import type { CompressionName } from '../../../storage/record/compression.ts'
import type { Offset } from '../../../storage/record/offsets.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'

export const TOPIC = 'scripted'
const TOPIC_ID = '6a5e8a3e-2f4a-4d1b-9f43-0c5b4ba7c0de'

/** Answers one fetch; what it does not answer stays open. */
export type Script = (
  asked: FetchEnvelope['partitions'][number],
  response: ServerResponse,
  envelope: FetchEnvelope,
) => void

/** Answers one stream from `offset` on. */
export type StreamScript = (offset: number, response: ServerResponse) => void

export class StandInBroker implements AsyncDisposable {
  /** Offsets that were asked for, in order. */
  readonly asked: number[] = []
  highWatermark = 10
  /** What it says of its offsets, where a test wants something else. */
  offsetsDocument: unknown
  readonly #server: Server
  readonly #script: Script
  readonly #streamScript: StreamScript | undefined

  private constructor(script: Script, streamScript: StreamScript | undefined) {
    this.#script = script
    this.#streamScript = streamScript
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static start(script: Script): Promise<StandInBroker> {
    return StandInBroker.#listening(new StandInBroker(script, undefined))
  }

  static startStreams(script: StreamScript): Promise<StandInBroker> {
    return StandInBroker.#listening(new StandInBroker(() => {}, script))
  }

  static async #listening(broker: StandInBroker): Promise<StandInBroker> {
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    return broker
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Open connections, also those of plain requests. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url)
    if (pathname.endsWith('/offsets')) {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(this.offsetsDocument ?? this.#offsets()))
      return
    }
    if (this.#streamScript !== undefined) {
      const offset = Number(searchParams.get('from'))
      this.asked.push(offset)
      this.#streamScript(offset, response)
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const envelope = readFrame(Buffer.concat(chunks)).envelope as FetchEnvelope
    this.asked.push(envelope.partitions[0]!.offset)
    this.#script(envelope.partitions[0]!, response, envelope)
  }

  #offsets() {
    const { highWatermark } = this
    const partitions = [{ partition: 0, offset: highWatermark, logStartOffset: 0, highWatermark }]
    return { topic: TOPIC, topicId: TOPIC_ID, partitions }
  }
}

/** What a broker answers to a fetch of one partition. */
export function fetchAnswer(batches: Uint8Array, result: object = {}): Buffer {
  const place = { topic: TOPIC, partition: 0, highWatermark: 10, logStartOffset: 0 }
  const head = frameEnvelope({ partitions: [{ ...place, bytes: batches.length, ...result }] })
  return Buffer.concat([head, batches])
}

export function send(response: ServerResponse, body: Uint8Array): void {
  response.writeHead(200, { 'content-type': BATCHES_TYPE, 'content-length': body.length }).end(body)
}

/** A batch of `count` records `value <offset>`, or of the values given. */
export function batchOf(
  baseOffset: number,
  values: number | readonly string[],
  compression: CompressionName = 'none',
): Buffer {
  const builder = new BatchBuilder({ compression })
  const texts =
    typeof values === 'number'
      ? Array.from({ length: values }, (_, at) => `value ${baseOffset + at}`)
      : values
  for (const text of texts) builder.append(1_000, null, Buffer.from(text), [])
  const bytes = Buffer.from(builder.build())
  new RecordBatch(bytes).assign(baseOffset as Offset, 0)
  return bytes
}

/** The same batch with its bytes changed and, where they are to be believed, its checksum renewed. */
export function changed(
  batch: Buffer,
  change: (bytes: Buffer) => void,
  { isBelieved = false } = {},
): Buffer {
  const bytes = Buffer.from(batch)
  change(bytes)
  const view = new RecordBatch(bytes)
  if (isBelieved) bytes.writeUInt32BE(view.computeCrc(), 17)
  return bytes
}
