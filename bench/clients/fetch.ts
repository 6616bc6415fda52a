/**
 * Reads a topic through `POST /v1/fetch`, one partition after another and round again, for a number of
 * seconds, with one request under way per connection. Bytes are walked (headers read, bodies skipped),
 * not decoded: what is measured is how fast the broker hands them out.
 */

import { taskOfThisProcess } from '../child.ts'
import { encodeEnvelope } from './envelope.ts'
import { FetchReplyReader } from './fetch-reply.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

export interface FetchTask {
  readonly port: number
  readonly topic: string
  readonly partitions: number
  readonly connections: number
  readonly seconds: number
  readonly maxBytes: number
}

export interface FetchAnswer {
  readonly seconds: number
  readonly records: number
  readonly bytes: number
  readonly requests: number
}

const CONTENT_TYPE = 'application/vnd.spool.batches'
const RECEIVE_BYTES = 1024 * 1024

const task = taskOfThisProcess<FetchTask>()
let bytes = 0
let requests = 0
let records = 0
const startedAt = performance.now()
const endsAt = startedAt + task.seconds * 1_000
await Promise.all(Array.from({ length: task.connections }, (_, index) => fetchOn(index)))
const seconds = (performance.now() - startedAt) / 1_000
const answer: FetchAnswer = { seconds, records, bytes, requests }
console.log(JSON.stringify(answer))

async function fetchOn(index: number): Promise<void> {
  const connection = await RawConnection.connect(task.port, RECEIVE_BYTES)
  let partition = index % task.partitions
  let offset = 0
  while (performance.now() < endsAt) {
    const reply = new FetchReplyReader()
    const status = await connection.request(requestFor(partition, offset), (piece) => {
      reply.take(piece)
    })
    if (status !== 200) throw new Error(`fetch failed: ${status} ${reply.text}`)
    requests++
    records += reply.walker.records
    bytes += reply.batchBytes
    offset = reply.walker.nextOffset
    if (reply.walker.batches === 0 || offset >= reply.highWatermark) {
      partition = (partition + task.connections) % task.partitions
      offset = 0
    }
  }
  connection.close()
}

function requestFor(partition: number, offset: number): Buffer[] {
  const { topic, maxBytes } = task
  const envelope = encodeEnvelope({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes,
    partitions: [{ topic, partition, offset, maxBytes }],
  })
  return [requestHead('POST', '/v1/fetch', CONTENT_TYPE, envelope.length), envelope]
}
