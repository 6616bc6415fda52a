/**
 * The answer to a produce request from the fates of its batches: offsets in the order of the records, or
 * the first failure with an outcome that holds for all of them.
 */

import { type FailureOutcome, SpoolError } from '../../../client/api/errors.ts'
import { JSON_TYPE } from '../../../client/api/media-types.ts'
import type { AppendedRecord, ProduceReply } from '../../../client/api/schemas/records.ts'
import type { Durability } from '../../partition/durability.ts'
import type { PartitionAppend } from '../../partition/partition.ts'
import type { Answer } from '../add-route.ts'
import { type AppendedBatch, type BatchFate, type FailedBatch, weaker } from './append-batches.ts'
import type { RequestBatches } from './request-batches.ts'

/** Answers a request whose every batch has its fate; throws SpoolError when one of them failed. */
export function produceAnswer(
  topic: string,
  fates: readonly BatchFate[],
  records: RequestBatches,
  isPretty: boolean,
): Answer {
  const failed = fates.filter((fate) => fate.error !== undefined)
  if (failed.length > 0) throw failure(fates, failed, records)
  const appended = fates as readonly AppendedBatch[]
  if (appended[0]!.inSyncReplicas < 0) return { status: 202 }
  if (records.recordCount === 1 && !isPretty)
    return oneRecord(topic, appended[0]!, records.timestampOf[0]!)
  const { durability, inSyncReplicas } = reached(appended)
  const reply: ProduceReply = {
    topic,
    durability,
    inSyncReplicas,
    offsets: recordFates(fates, records),
  }
  return {
    document: appended.some(({ append }) => append.duplicate)
      ? { ...reply, duplicate: true }
      : reply,
  }
}

/** The most frequent answer by far, written without a document in between. */
function oneRecord(topic: string, batch: AppendedBatch, timestamp: number): Answer {
  const { append, durability, inSyncReplicas, partition } = batch
  const stored = storedTimestamp(append, timestamp)
  const time = stored === undefined ? '' : `,"timestamp":${stored}`
  const record = `{"partition":${partition},"offset":${append.baseOffset}${time}}`
  const duplicate = append.duplicate ? ',"duplicate":true' : ''
  return {
    contentType: JSON_TYPE,
    // As bytes: to a text Fastify would add a charset, which JSON types do not have.
    payload: Buffer.from(
      `{"topic":"${topic}","durability":"${durability}","inSyncReplicas":${inSyncReplicas},"offsets":[${record}]${duplicate}}\n`,
    ),
  }
}

/** The time a record is stored with; of a repeat nobody knows: that of the first request stays. */
function storedTimestamp(append: PartitionAppend, timestamp: number): number | undefined {
  if (append.duplicate) return undefined
  return append.logAppendTime < 0 ? timestamp : append.logAppendTime
}

/** What holds for all of them: the weakest durability, the fewest replicas. */
function reached(batches: readonly AppendedBatch[]): {
  durability: Durability
  inSyncReplicas: number
} {
  let durability = batches[0]!.durability
  let inSyncReplicas = batches[0]!.inSyncReplicas
  for (const batch of batches) {
    durability = weaker(durability, batch.durability)
    inSyncReplicas = Math.min(inSyncReplicas, batch.inSyncReplicas)
  }
  return { durability, inSyncReplicas }
}

/** One entry a record, in the order of the records. */
function recordFates(fates: readonly BatchFate[], records: RequestBatches): AppendedRecord[] {
  const { batchOf, placeOf, timestampOf } = records
  return batchOf.map((index, i) => {
    const fate = fates[index]!
    const { partition } = fate
    if (fate.error !== undefined) {
      return { partition, error: { code: fate.error.code, detail: fate.error.detail } }
    }
    const offset = fate.append.baseOffset + placeOf[i]!
    const timestamp = storedTimestamp(fate.append, timestampOf[i]!)
    return { partition, offset, ...(timestamp === undefined ? {} : { timestamp }) }
  })
}

function failure(
  fates: readonly BatchFate[],
  failed: readonly FailedBatch[],
  records: RequestBatches,
): SpoolError {
  const first = failed[0]!.error
  const outcomes = new Set<FailureOutcome | undefined>(fates.map((fate) => fate.error?.outcome))
  if (outcomes.size === 1) return first
  return new SpoolError(first.code, first.detail, {
    outcome: 'partial',
    extensions: { ...first.extensions, offsets: recordFates(fates, records) },
    ...(first.retryAfterS === undefined ? {} : { retryAfterS: first.retryAfterS }),
    cause: first,
  })
}
