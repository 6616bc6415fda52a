/**
 * One line among many: the record in a line of NDJSON, and what is said of a line that can not be taken.
 * The same for an upload and for the command line that reads a file itself.
 */

import { isUtf8 } from 'node:buffer'
import type { ErrorCode } from '../../../client/api/errors.ts'
import { JsonError } from './json-reader.ts'
import type { JsonRecords } from './json-record.ts'
import { type ProducedRecord, RecordRefusal } from './produced-record.ts'

/** Why a line was not taken. */
export interface LineRefusal {
  readonly code: ErrorCode
  readonly detail: string
}

/**
 * The record that is the line at [start, end); `undefined` for a blank line between records. Throws
 * `JsonError` or `RecordRefusal`.
 */
export function readJsonLine(
  records: JsonRecords,
  bytes: Buffer,
  start: number,
  end: number,
): ProducedRecord | undefined {
  if (isBlank(bytes, start, end)) return undefined
  if (!isUtf8(bytes.subarray(start, end))) throw new JsonError('bytes that are not UTF-8', 0)
  return records.readOne(bytes, start, end)
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09 && bytes[at] !== 0x0d) return false
  }
  return true
}

/** What was thrown over a line, as its refusal; `undefined` for anything that is not about the line. */
export function refusalOf(error: unknown): LineRefusal | undefined {
  if (error instanceof JsonError) {
    return { code: 'INVALID_REQUEST', detail: `not JSON: ${error.message}` }
  }
  if (error instanceof RecordRefusal) return { code: error.code, detail: error.message }
  return undefined
}

export function lineTooLong(bytesMax: number): RecordRefusal {
  return new RecordRefusal('MESSAGE_TOO_LARGE', `the line exceeds max.message.bytes ${bytesMax}`)
}
