/**
 * How stored bytes look in JSON, in the contract's words:
 *
 * - `as=auto`, a view for eyes: an object or array is embedded as stored, other valid UTF-8 (numbers and
 *   booleans too) is a string, the rest `{"base64": "…"}`; so is a stored object whose only name is
 *   `base64`, or it would be taken for bytes;
 * - `as=json` inverts `as=json` of produce: every value is its JSON text;
 * - `as=base64`: every value is `{"base64": "…"}`;
 * - keys and header values are a string or `{"base64": "…"}` whatever `as` says; headers are
 *   `[name, value]` pairs in stored order; an absent key and a tombstone are `null`.
 *
 * Text that JSON readers would not agree about (a name twice, too deep: `json-reader.ts`) is not embedded.
 */

import { isUtf8 } from 'node:buffer'
import { ApiError } from '../../../client/api/errors.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import { JsonError, JsonReader } from './json-reader.ts'

export type View = 'auto' | 'json' | 'base64'

const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const BASE64 = Buffer.from('base64')

/** Writes records as JSON objects. Hold one; not for use across an `await`. */
export class RecordView {
  readonly #as: View
  readonly #isOneLine: boolean
  readonly #reader = new JsonReader()

  /** `isOneLine`: no line break may stand in a record, as in NDJSON. */
  constructor(as: View, isOneLine: boolean) {
    this.#as = as
    this.#isOneLine = isOneLine
  }

  /**
   * Writes the cursor's record: `{"partition":…,"offset":…,"timestamp":…,"key":…,"value":…,"headers":…}`.
   * Throws ApiError INVALID_RECORD where `as=json` meets a value that is not JSON, having written a part.
   */
  write(writer: ByteWriter, partition: number, cursor: RecordCursor): void {
    writer.ascii('{"partition":')
    writer.integer(partition)
    writer.ascii(',"offset":')
    writer.integer(cursor.offset)
    writer.ascii(',"timestamp":')
    writer.integer(cursor.timestamp)
    writer.ascii(',"key":')
    if (cursor.keyStart < 0) writer.ascii('null')
    else writeText(writer, cursor.bytes, cursor.keyStart, cursor.keyEnd)
    writer.ascii(',"value":')
    this.#writeValue(writer, cursor)
    writer.ascii(',"headers":[')
    if (cursor.headerCount > 0) writeHeaders(writer, cursor)
    writer.ascii(']}')
  }

  #writeValue(writer: ByteWriter, cursor: RecordCursor): void {
    const { bytes, valueStart, valueEnd } = cursor
    if (valueStart < 0) writer.ascii('null')
    else if (this.#as === 'base64') writer.base64(bytes, valueStart, valueEnd)
    else if (this.#as === 'json') {
      if (this.#kindOf(bytes, valueStart, valueEnd) === 'other') throw notJson(cursor.offset)
      this.#embed(writer, bytes, valueStart, valueEnd)
    } else this.#writeForEyes(writer, bytes, valueStart, valueEnd)
  }

  #writeForEyes(writer: ByteWriter, bytes: Buffer, start: number, end: number): void {
    const first = firstByte(bytes, start, end)
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      const kind = this.#kindOf(bytes, start, end)
      if (kind === 'base64') writer.base64(bytes, start, end)
      else if (kind === 'json') this.#embed(writer, bytes, start, end)
      else writeText(writer, bytes, start, end)
    } else writeText(writer, bytes, start, end)
  }

  /** `base64`: an object whose only name is that. */
  #kindOf(bytes: Buffer, start: number, end: number): 'json' | 'base64' | 'other' {
    if (!isText(bytes, start, end)) return 'other'
    const reader = this.#reader
    try {
      reader.open(bytes, start, end)
      if (reader.peek() !== OPEN_OBJECT) {
        reader.skip()
        reader.finish()
        return 'json'
      }
      reader.beginObject()
      let names = 0
      let hasBase64 = false
      for (; reader.nextMember(); names++) {
        hasBase64 ||= reader.nameIs(BASE64)
        reader.skip()
      }
      reader.finish()
      return names === 1 && hasBase64 ? 'base64' : 'json'
    } catch (error) {
      if (error instanceof JsonError) return 'other'
      throw error
    }
  }

  #embed(writer: ByteWriter, bytes: Buffer, start: number, end: number): void {
    if (this.#isOneLine) writer.rawOnOneLine(bytes, start, end)
    else writer.raw(bytes, start, end)
  }
}

function writeHeaders(writer: ByteWriter, cursor: RecordCursor): void {
  let isFirst = true
  for (const { name, value } of cursor.headers()) {
    writer.ascii(isFirst ? '[' : ',[')
    isFirst = false
    writeText(writer, name, 0, name.length)
    writer.ascii(',')
    if (value === null) writer.ascii('null')
    else writeText(writer, value, 0, value.length)
    writer.ascii(']')
  }
}

/** A string, or `{"base64": "…"}` where the bytes are not UTF-8. */
function writeText(writer: ByteWriter, bytes: Buffer, start: number, end: number): void {
  if (isText(bytes, start, end)) writer.string(bytes, start, end)
  else writer.base64(bytes, start, end)
}

/** True for valid UTF-8; the native check is asked only where a byte is not ASCII. */
function isText(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at]! >= 0x80) return isUtf8(bytes.subarray(at, end))
  }
  return true
}

function firstByte(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (
    at < end &&
    (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)
  )
    at++
  return at < end ? bytes[at]! : -1
}

function notJson(offset: number): ApiError {
  return new ApiError(
    'INVALID_RECORD',
    `the value at offset ${offset} is not JSON: read it with as=auto or as=base64, or go on from ${offset + 1}`,
    { extensions: { offset } },
  )
}
