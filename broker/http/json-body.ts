/**
 * Reads a request body as JSON, strictly: valid UTF-8, no byte order mark, bounded depth, no name twice
 * in one object. Two readers of a text that breaks these would not agree about it, and `JSON.parse`
 * alone would not notice. Checking the value against a schema is `validation.ts`.
 */

import { isUtf8 } from 'node:buffer'
import { SpoolError } from '../../client/api/errors.ts'
import { JsonError, JsonReader } from './records/json-reader.ts'

const reader = new JsonReader()

/** The value of the body. Throws INVALID_REQUEST naming what is wrong and at which byte. */
export function parseStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new SpoolError('INVALID_REQUEST', 'the body is not UTF-8')
  try {
    reader.open(bytes)
    reader.skip()
    reader.finish()
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new SpoolError('INVALID_REQUEST', `the body is not JSON we read: ${error.message}`)
  }
  return JSON.parse(bytes.toString('utf8'))
}
