/**
 * Produces batches through `POST /v1/produce` as fast as acknowledgements come: each connection has one
 * request under way and goes round its share of the partitions. Batches are built once, in advance,
 * and get the time of their sending and a new checksum before each request.
 */

import { BatchBuilder } from '../../storage/record/batch-builder.ts'
import { writeInt64 } from '../../storage/record/int64.ts'
import { BASE_TIMESTAMP_AT, RecordBatch } from '../../storage/record/record-batch.ts'
import { taskOfThisProcess } from '../child.ts'
import { decodeEnvelope, encodeEnvelope } from './envelope.ts'
import { Latencies } from './latencies.ts'
import { payloads } from './payloads.ts'
import type { ProduceAnswer, ProduceTask } from './produce-task.ts'
import { RawConnection, requestHead } from './raw-connection.ts'

const CONTENT_TYPE = 'application/vnd.spool.batches'
/** Different batches that take turns, so that no cache anywhere sees the same bytes again at once. */
const BATCHES_BUILT = 8
const TIMEOUT_MS = 30_000

const task = taskOfThisProcess<ProduceTask>()
const batches = builtBatches()
const latencies = new Latencies()
let recordsLeft = task.records ?? Number.POSITIVE_INFINITY
let requests = 0
let records = 0
let wireBytes = 0

const startedAt = performance.now()
const endsAt = startedAt + (task.seconds ?? Number.POSITIVE_INFINITY) * 1_000
await Promise.all(Array.from({ length: task.connections }, (_, index) => produceOn(index)))
const seconds = (performance.now() - startedAt) / 1_000

const answer: ProduceAnswer = {
  seconds,
  records,
  requests,
  payloadBytes: records * task.recordBytes,
  wireBytes,
  latencyMsMedian: latencies.percentile(0.5),
  latencyMs99: latencies.percentile(0.99),
}
console.log(JSON.stringify(answer))

function builtBatches(): RecordBatch[] {
  const perBatch = Math.max(1, Math.floor(task.batchBytes / task.recordBytes))
  return Array.from({ length: BATCHES_BUILT }, (_, at) => {
    const builder = new BatchBuilder({ compression: task.compression })
    for (const value of payloads(task.payload, task.recordBytes, perBatch, at)) {
      builder.append(0, null, value)
    }
    return new RecordBatch(builder.build())
  })
}

async function produceOn(index: number): Promise<void> {
  const connection = await RawConnection.connect(task.port)
  let partition = index % task.partitions
  for (let turn = index; performance.now() < endsAt && recordsLeft > 0; turn++) {
    const batch = batches[turn % BATCHES_BUILT] as RecordBatch
    recordsLeft -= batch.recordCount
    stamp(batch, Date.now())
    const sentAt = performance.now()
    const parts = requestFor(partition, batch)
    const chunks: Buffer[] = []
    const status = await connection.request(parts, (piece) => void chunks.push(Buffer.from(piece)))
    latencies.add(performance.now() - sentAt)
    checkReply(status, Buffer.concat(chunks))
    requests++
    records += batch.recordCount
    wireBytes += batch.sizeBytes
    partition = (partition + task.connections) % task.partitions
  }
  connection.close()
}

/** All records were built with delta 0 from the base, so its time is theirs. */
function stamp(batch: RecordBatch, timestampMs: number): void {
  writeInt64(batch.buffer, timestampMs, BASE_TIMESTAMP_AT)
  batch.setMaxTimestamp(timestampMs)
}

/** The batch is copied: the socket may still hold it when another connection stamps it again. */
function requestFor(partition: number, batch: RecordBatch): Buffer[] {
  const bytes = Buffer.from(batch.buffer)
  const envelope = encodeEnvelope({
    acks: 'all',
    timeoutMs: TIMEOUT_MS,
    batches: [{ topic: task.topic, partition, bytes: bytes.length }],
  })
  const head = requestHead('POST', '/v1/produce', CONTENT_TYPE, envelope.length + bytes.length)
  return [head, envelope, bytes]
}

function checkReply(status: number, body: Buffer): void {
  const reply = status === 200 ? decodeEnvelope<{ results: { error?: object }[] }>(body) : undefined
  const error = reply?.envelope.results[0]?.error
  if (reply === undefined || error !== undefined) {
    throw new Error(`produce failed: ${status} ${JSON.stringify(error) ?? body.toString()}`)
  }
}
