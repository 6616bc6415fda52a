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
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import { isText, jsonKind, structuredJsonKind } from './value-kind.ts'

export type View = 'auto' | 'json' | 'base64'

/** Writes records as JSON objects. */
export class RecordView {
  readonly #as: View
  readonly #isOneLine: boolean

  /** `isOneLine`: no line break may stand in a record, as in NDJSON. */
  constructor(as: View, isOneLine: boolean) {
    this.#as = as
    this.#isOneLine = isOneLine
  }

  /**
   * Writes the cursor's record: `{"partition":…,"offset":…,"timestamp":…,"key":…,"value":…,"headers":…}`,
   * with `heading` first: members of its own, such as `"topic":"orders",`.
   * Throws SpoolError INVALID_RECORD where `as=json` meets a value that is not JSON; nothing is written.
   */
  write(writer: ByteWriter, partition: number, cursor: RecordCursor, heading = ''): void {
    if (this.#as === 'json') checkJson(cursor)
    writer.ascii(heading === '' ? '{"partition":' : `{${heading}"partition":`)
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

  #writeValue(writer: ByteWriter, { bytes, valueStart, valueEnd }: RecordCursor): void {
    if (valueStart < 0) writer.ascii('null')
    else if (this.#as === 'base64') writer.base64(bytes, valueStart, valueEnd)
    else if (this.#as === 'json') this.#embed(writer, bytes, valueStart, valueEnd)
    else this.#writeForEyes(writer, bytes, valueStart, valueEnd)
  }

  #writeForEyes(writer: ByteWriter, bytes: Buffer, start: number, end: number): void {
    const kind = structuredJsonKind(bytes, start, end)
    if (kind === 'base64Object') writer.base64(bytes, start, end)
    else if (kind === 'json') this.#embed(writer, bytes, start, end)
    else writeText(writer, bytes, start, end)
  }

  #embed(writer: ByteWriter, bytes: Buffer, start: number, end: number): void {
    if (this.#isOneLine) writer.rawOnOneLine(bytes, start, end)
    else writer.raw(bytes, start, end)
  }
}

function checkJson({ bytes, offset, valueStart, valueEnd }: RecordCursor): void {
  if (valueStart < 0 || jsonKind(bytes, valueStart, valueEnd) !== 'none') return
  throw new SpoolError(
    'INVALID_RECORD',
    `the value at offset ${offset} is not JSON: read it with as=auto or as=base64, or go on from ${offset + 1}`,
    { extensions: { offset } },
  )
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
