/**
 * The records of a request whose body was read whole, put into batches, or the refusal of all of them:
 * one record that can not be taken means that none is appended. Which batches then go where is not
 * decided here.
 */

import { isUtf8 } from 'node:buffer'
import { SpoolError } from '../../../client/api/errors.ts'
import { MsgpackError } from '../../../client/api/msgpack-check.ts'
import { JsonError } from './json-reader.ts'
import { JsonRecords } from './json-record.ts'
import { LineRecords } from './line-record.ts'
import { readMsgpackBody } from './msgpack-record.ts'
import type { ProducePlan } from './produce-plan.ts'
import {
  type ProducedRecord,
  REFUSALS_LISTED_MAX,
  REQUEST_RECORDS_MAX,
  RecordRefusal,
} from './produced-record.ts'
import type { RequestBatches } from './request-batches.ts'

/** Shared by all requests: a body is read without pause, and nothing of it is kept. */
const readers = { auto: new JsonRecords('auto'), json: new JsonRecords('json') }

/** Reads the body into `batches`. Throws SpoolError: 400 for a body that is none, 422 with `errors`. */
export function readRecords(plan: ProducePlan, body: Buffer, batches: RequestBatches): void {
  const refusals: { index: number; code: string; detail: string }[] = []
  let first: RecordRefusal | undefined
  let count = 0
  let refused = 0
  // Also of records that are none: a body of 32 MiB holds ten million, and each takes its time.
  const checkCount = () => {
    if (count >= REQUEST_RECORDS_MAX) throw tooMany()
  }
  const refuse = (refusal: RecordRefusal) => {
    checkCount()
    const index = count++
    refused++
    first ??= refusal
    if (refusals.length >= REFUSALS_LISTED_MAX) return
    refusals.push({ index, code: refusal.code, detail: refusal.message })
  }
  const take = (record: ProducedRecord) => {
    checkCount()
    try {
      batches.add(record)
      count++
    } catch (error) {
      if (!(error instanceof RecordRefusal)) throw error
      refuse(error)
    }
  }
  readBody(plan, body, take, refuse)
  if (first !== undefined) {
    throw new SpoolError(first.code, `${describe(refused, count)}: ${first.message}`, {
      outcome: 'refused',
      extensions: { errors: refusals },
    })
  }
  if (count === 0) throw invalid('"records" is empty: there is nothing to append')
  if (batches.batches.length > 1 && (plan.producer ?? plan.expectOffset) !== undefined) {
    throw invalid(
      'the body does not fit into one batch: a sequence or expectOffset is of one batch',
    )
  }
}

function readBody(
  plan: ProducePlan,
  body: Buffer,
  take: (record: ProducedRecord) => void,
  refuse: (refusal: RecordRefusal) => void,
): void {
  try {
    if (plan.kind === 'msgpack') {
      readMsgpackBody(body, plan.as, take, refuse)
    } else if (plan.kind === 'json') {
      if (!isUtf8(body)) throw invalid('the body is not UTF-8')
      const reader = readers[plan.as]
      try {
        reader.readBody(body, take, refuse)
      } finally {
        reader.release()
      }
    } else {
      take(rawRecord(plan, body))
    }
  } catch (error) {
    if (error instanceof RecordRefusal) refuse(error)
    else if (error instanceof JsonError)
      throw invalid(`the body is not JSON we read: ${error.message}`)
    else if (error instanceof MsgpackError) {
      throw invalid(`the body is not MessagePack we read: ${error.message}`)
    } else throw error
  }
}

/** The one record of a raw body. */
function rawRecord(plan: ProducePlan, body: Buffer): ProducedRecord {
  const value = plan.isTombstone ? null : body
  const { headers, timestamp } = plan
  if (plan.keyFrom === undefined && plan.timestampFrom === undefined) {
    return { key: null, value, headers, partition: -1, timestamp }
  }
  const line = new LineRecords(plan).read(body, 0, body.length)
  return {
    ...line,
    headers,
    timestamp: plan.timestampFrom === undefined ? timestamp : line.timestamp,
  }
}

function describe(refused: number, count: number): string {
  return count === 1
    ? 'the record is refused'
    : `${refused} of ${count} records are refused, nothing is appended; the first`
}

function tooMany(): SpoolError {
  return new SpoolError(
    'REQUEST_TOO_LARGE',
    `the body holds more than ${REQUEST_RECORDS_MAX} records; send them as application/x-ndjson, which has no such limit`,
    { outcome: 'refused' },
  )
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail, { outcome: 'refused' })
}
