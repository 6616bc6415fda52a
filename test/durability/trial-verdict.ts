/** Reads a whole topic back and says how it differs from what its producers were promised. */

import { decodeEnvelope, encodeEnvelope } from '../../bench/clients/envelope.ts'
import { readRecords } from '../../storage/record/batch-reader.ts'
import { peekBatchSize, RecordBatch } from '../../storage/record/record-batch.ts'
import type { TrialProducer } from './trial-producers.ts'

export interface Verdict {
  readonly sent: number
  readonly acknowledged: number
  readonly found: number
  readonly lost: number
  readonly duplicated: number
  /** Every broken promise in one sentence each; empty when all were kept. */
  readonly problems: readonly string[]
}

interface FetchReply {
  readonly partitions: readonly { readonly highWatermark?: number | bigint }[]
}

const PROBLEMS_SHOWN_MAX = 20
const FETCH_BYTES_MAX = 8 * 1024 * 1024

export async function compareLogs(
  url: string,
  topic: string,
  partitions: number,
  producers: readonly TrialProducer[],
): Promise<Verdict> {
  const problems: string[] = []
  let found = 0
  let lost = 0
  let duplicated = 0
  for (let partition = 0; partition < partitions; partition++) {
    const log = await readPartition(url, topic, partition, problems)
    found += log.length
    const offsetsOf = new Map<string, number[]>()
    for (const { value, offset } of log) {
      offsetsOf.set(value, [...(offsetsOf.get(value) ?? []), offset])
    }
    const writers = producers.filter((producer) => producer.partition === partition)
    for (const [value, offsets] of offsetsOf) {
      if (!writers.some((writer) => writer.sent.has(value))) {
        problems.push(`unexpected: ${brief(value)} at ${partition}/${offsets[0]} was never sent`)
      }
      if (offsets.length > 1) {
        duplicated++
        problems.push(`duplicated: ${brief(value)} is at ${partition}/${offsets.join(' and ')}`)
      }
    }
    for (const writer of writers) {
      for (const [value, offset] of writer.acknowledged) {
        if (offsetsOf.get(value)?.includes(offset) === true) continue
        lost++
        const where = offsetsOf.get(value)?.join() ?? 'nowhere'
        problems.push(`lost: ${brief(value)}, acknowledged at ${partition}/${offset}, is ${where}`)
      }
      problems.push(...disorder(writer, log))
    }
  }
  const acknowledged = producers.reduce((sum, producer) => sum + producer.acknowledged.size, 0)
  const sent = producers.reduce((sum, producer) => sum + producer.sent.size, 0)
  if (acknowledged === 0) problems.push('nothing was acknowledged: the trial proves nothing')
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX)
  return { sent, acknowledged, found, lost, duplicated, problems: shown }
}

/** Every record of a partition, through the binary route: the stored batches as they are. */
export async function readPartition(
  url: string,
  topic: string,
  partition: number,
  problems: string[],
): Promise<{ offset: number; value: string }[]> {
  const log: { offset: number; value: string }[] = []
  while (true) {
    const { highWatermark, batches } = await fetchBatches(url, topic, partition, log.length)
    for (const batch of batches) {
      for (const record of readRecords(batch, { maxDecompressedBytes: FETCH_BYTES_MAX })) {
        if (record.offset < log.length) continue // the batch that holds the offset asked for
        if (record.offset > log.length) {
          problems.push(`gap: ${partition}/${record.offset} follows ${partition}/${log.length - 1}`)
        }
        log.push({ offset: record.offset, value: String(record.value) })
      }
    }
    if (log.length >= highWatermark || batches.length === 0) return log
  }
}

/** The batches from `offset` on that one request gives. */
export async function fetchBatches(url: string, topic: string, partition: number, offset: number) {
  const maxBytes = FETCH_BYTES_MAX
  const envelope = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes,
    partitions: [{ topic, partition, offset, maxBytes }],
  }
  const response = await fetch(`${url}/v1/fetch`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.spool.batches' },
    body: Uint8Array.from(encodeEnvelope(envelope)),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const reply = response.status === 200 ? decodeEnvelope<FetchReply>(bytes) : undefined
  const [found] = reply?.envelope.partitions ?? []
  if (reply === undefined || found?.highWatermark === undefined) {
    throw new Error(`partition ${partition}: ${response.status} ${JSON.stringify(found) ?? bytes}`)
  }
  const batches: RecordBatch[] = []
  for (let at = reply.endAt; at < bytes.length; ) {
    const end = at + peekBatchSize(bytes, at)
    batches.push(new RecordBatch(bytes.subarray(at, end)))
    at = end
  }
  return { highWatermark: Number(found.highWatermark), batches }
}

/** One producer's values stand in the order it sent them; an idempotent one's without a gap. */
function disorder(writer: TrialProducer, log: readonly { value: string }[]): string[] {
  const prefix = `p${writer.index}:`
  const numbers = log
    .filter(({ value }) => value.startsWith(prefix))
    .map(({ value }) => Number(value.split(':')[1]))
  for (const [at, number] of numbers.entries()) {
    const before = numbers[at - 1] ?? -1
    if (writer.isIdempotent && number !== before + 1) {
      return [`disorder: producer ${writer.index} has ${number} after ${before}`]
    }
    if (number < before) return [`disorder: producer ${writer.index} has ${number} after ${before}`]
  }
  return []
}

function brief(value: string): string {
  return value.length <= 24 ? value : `${value.slice(0, 24)}…`
}
