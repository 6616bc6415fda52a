/**
 * The answer to `POST /v1/fetch`, taken apart and checked as far as it must be before anybody relies on
 * it: every partition asked for is there, every batch is whole, offsets go on where they should. Nothing
 * is copied, and no record looked at: that is `RecordCursor`'s, when a batch is read.
 */

import {
  headerProblem,
  peekBatchSize,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatch,
} from '../../storage/record/record-batch.ts'
import { readFrame } from '../api/batch-frame.ts'
import { isErrorCode, SpoolError } from '../api/errors.ts'
import type { FetchResults } from '../api/schemas/envelopes.ts'
import type { ReadRange } from '../transport.ts'

/** What was asked of one partition. */
export interface FetchPlace {
  readonly partition: number
  readonly offset: number
  /** What it is part of. */
  readonly range: ReadRange
}

export interface FetchedPlace extends FetchPlace {
  /** -1 where the broker did not say. */
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly batches: readonly RecordBatch[]
  readonly error: SpoolError | undefined
}

/** A broker's sentence is far shorter; whoever poses as one is not to fill a log. */
const DETAIL_CHARACTERS_MAX = 4_096

type Result = FetchResults['partitions'][number]

/**
 * One per place, in their order.
 *
 * @throws SpoolError UNKNOWN_SERVER_ERROR for what is no answer to this question; CORRUPT_MESSAGE for
 * batches that are none.
 */
export function readFetchReply(
  body: Buffer,
  topic: string,
  places: readonly FetchPlace[],
): FetchedPlace[] {
  const { results, batches } = frameOf(body)
  if (results.length !== places.length) {
    throw strange(`it is about ${results.length} partitions, asked were ${places.length}`)
  }
  let at = 0
  const fetched = results.map((result, index) => {
    const place = places[index]!
    if (result?.topic !== topic || result.partition !== place.partition) {
      throw strange(`result ${index} is not of ${topic}, partition ${place.partition}`)
    }
    const { bytes } = result
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes > batches.length - at) {
      throw strange(
        `partition ${place.partition} has ${bytes} bytes, ${batches.length - at} are there`,
      )
    }
    const slice = batches.subarray(at, at + bytes)
    at += bytes
    return {
      partition: place.partition,
      offset: place.offset,
      range: place.range,
      highWatermark: offsetOr(result.highWatermark),
      logStartOffset: offsetOr(result.logStartOffset),
      batches: batchesOf(slice, place),
      error: errorOf(result),
    }
  })
  if (at === batches.length) return fetched
  throw strange(`${batches.length - at} bytes follow the last batch`)
}

function frameOf(body: Buffer): { results: readonly (Result | undefined)[]; batches: Buffer } {
  try {
    const { envelope, batches } = readFrame(body)
    const { partitions } = (envelope ?? {}) as Partial<FetchResults>
    if (Array.isArray(partitions)) return { results: partitions, batches }
  } catch (cause) {
    throw strange((cause as Error).message, cause)
  }
  throw strange('it is about no partitions')
}

function offsetOr(offset: unknown): number {
  return Number.isSafeInteger(offset) && (offset as number) >= 0 ? (offset as number) : -1
}

function batchesOf(bytes: Buffer, { partition, offset }: FetchPlace): RecordBatch[] {
  const batches: RecordBatch[] = []
  let next = offset
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at
    const size = left < RECORD_BATCH_HEADER_BYTES ? 0 : peekBatchSize(bytes, at)
    if (size < RECORD_BATCH_HEADER_BYTES || size > left) {
      throw corrupt(partition, next, `it measures ${size} bytes, ${left} are there`)
    }
    const batch = new RecordBatch(bytes.subarray(at, at + size))
    const problem = headerProblem(batch)
    if (problem !== undefined) throw corrupt(partition, next, problem)
    // The first may begin before the offset asked for; all end after it, and none overlaps another.
    const isInPlace = batches.length === 0 ? batch.nextOffset > next : batch.baseOffset >= next
    if (!isInPlace) {
      throw corrupt(partition, next, `it holds ${batch.baseOffset} to ${batch.lastOffset}`)
    }
    batches.push(batch)
    next = batch.nextOffset
    at += size
  }
  return batches
}

function errorOf({ error, partition, highWatermark, logStartOffset }: Result) {
  if (error === undefined) return undefined
  if (typeof error !== 'object' || error === null) throw strange('an error of it is no object')
  const { code, detail } = error
  return new SpoolError(
    isErrorCode(code) ? code : 'UNKNOWN_SERVER_ERROR',
    `partition ${partition}: ${String(detail ?? code).slice(0, DETAIL_CHARACTERS_MAX)}`,
    { extensions: { partition, highWatermark, logStartOffset } },
  )
}

function corrupt(partition: number, offset: number, why: string): SpoolError {
  return new SpoolError(
    'CORRUPT_MESSAGE',
    `partition ${partition}: what came for offset ${offset} is no record batch: ${why}`,
    { extensions: { partition, offset } },
  )
}

function strange(why: string, cause?: unknown): SpoolError {
  return new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    `the answer is not one a broker gives to a fetch: ${why}`,
    { cause },
  )
}
