/**
 * The lines of a reader's stream, parsed and checked as far as anybody relies on them: records, and the
 * control lines between them. Pure.
 */

import { SpoolError } from '../api/errors.ts'
import type { JsonRecord } from './json-records.ts'

export type StreamLine =
  | { readonly record: JsonRecord }
  | { readonly checkpoint: string }
  | { readonly end: { readonly cursor: string } }
  | { readonly problem: Readonly<Record<string, unknown>> }

/**
 * `undefined` for a control line of a kind this client does not know: it is none of ours.
 *
 * @throws SpoolError UNKNOWN_SERVER_ERROR for what is no line of a broker's.
 */
export function parseLine(text: string): StreamLine | undefined {
  const line = parsed(text)
  if ('offset' in line) {
    if (isRecord(line)) return { record: line }
  } else if ('checkpoint' in line) {
    if (typeof line.checkpoint === 'string') return { checkpoint: line.checkpoint }
  } else if ('end' in line) {
    const { end } = line
    if (isObject(end) && typeof end.cursor === 'string') return { end: { cursor: end.cursor } }
  } else if ('problem' in line) {
    if (isObject(line.problem)) return { problem: line.problem }
  } else {
    return undefined
  }
  throw strange('a line that is none a broker writes')
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch (cause) {
    throw strange('a line that is no JSON', cause)
  }
  if (isObject(line)) return line
  throw strange('a line that is no JSON object')
}

function isRecord(line: object): line is JsonRecord {
  const { partition, offset, timestamp, key, value, headers } = line as Partial<JsonRecord>
  return (
    isCount(partition) &&
    isCount(offset) &&
    Number.isSafeInteger(timestamp) &&
    isBytes(key) &&
    isBytes(value) &&
    Array.isArray(headers) &&
    headers.every(isHeader)
  )
}

function isHeader(header: unknown): boolean {
  return Array.isArray(header) && header[0] !== null && isBytes(header[0]) && isBytes(header[1])
}

/** A string, `{"base64": …}` or null. */
function isBytes(value: unknown): boolean {
  if (typeof value === 'string' || value === null) return true
  return isObject(value) && typeof value.base64 === 'string'
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function strange(what: string, cause?: unknown): SpoolError {
  return new SpoolError('UNKNOWN_SERVER_ERROR', `the stream has ${what}: is this a Spool broker?`, {
    cause,
  })
}
