/**
 * The parts of a record in JSON that are read the same way wherever they stand: a key, a header's value,
 * the `{"base64": "…"}` object, the headers. Ranges have been checked by a `JsonReader` before; `inner`
 * is another one, free to be opened on a part. Throws `RecordRefusal`, or `LoneSurrogateError` for a
 * string that has no UTF-8.
 */

import { decodeBase64 } from './base64.ts'
import type { JsonReader } from './json-reader.ts'
import { isIntegerText, stringBytes } from './json-string.ts'
import { type ProducedHeader, RecordRefusal } from './produced-record.ts'

const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const NULL_FIRST = 0x6e
const BASE64 = Buffer.from('base64')

/** A key: a string, an integer (its decimal text), `{"base64": "…"}` or null. */
export function keyBytes(
  bytes: Buffer,
  start: number,
  end: number,
  inner: JsonReader,
): Buffer | null {
  const first = bytes[start]!
  if (first === QUOTE) return stringBytes(bytes, start + 1, end - 1)
  if (first === NULL_FIRST) return null
  if (first === OPEN_OBJECT) {
    const decoded = base64Object(bytes, start, end, inner, 'key')
    if (decoded !== undefined) return decoded
  } else if (isIntegerText(bytes, start, end)) {
    return bytes.subarray(start, end)
  }
  const text = excerpt(bytes, start, end)
  throw refused(`key is ${text}, not a string, an integer, {"base64": "…"} or null`)
}

/** The bytes of an object whose only name is `base64`; `undefined` for any other object. */
export function base64Object(
  bytes: Buffer,
  start: number,
  end: number,
  inner: JsonReader,
  part: string,
): Buffer | undefined {
  inner.open(bytes, start, end)
  inner.peek()
  inner.beginObject()
  if (!inner.nextMember() || !inner.nameIs(BASE64)) return undefined
  const first = inner.peek()
  inner.skip()
  const from = inner.valueStart
  const to = inner.valueEnd
  if (inner.nextMember()) return undefined
  const decoded = first === QUOTE ? decodeBase64(stringBytes(bytes, from + 1, to - 1)) : undefined
  if (decoded === undefined) {
    throw refused(
      `${part}: what stands under "base64" is not base64 (RFC 4648: A-Z a-z 0-9 + /, padded with =)`,
    )
  }
  return decoded
}

/** Headers: an object, or an array of `[name, value]`; a value is a string, `{"base64": "…"}` or null. */
export function readHeaders(
  bytes: Buffer,
  start: number,
  end: number,
  inner: JsonReader,
): readonly ProducedHeader[] {
  const ranges = findHeaders(bytes, start, end, inner)
  const headers: ProducedHeader[] = []
  for (let i = 0; i < ranges.length; i += 4) {
    const name = stringBytes(bytes, ranges[i]!, ranges[i + 1]!)
    headers.push({ name, value: headerValue(bytes, ranges[i + 2]!, ranges[i + 3]!, inner) })
  }
  return headers
}

/** Four numbers a header: where the content of its name and where its value stand. */
function findHeaders(bytes: Buffer, start: number, end: number, inner: JsonReader): number[] {
  const ranges: number[] = []
  inner.open(bytes, start, end)
  const first = inner.peek()
  if (first === OPEN_OBJECT) {
    inner.beginObject()
    while (inner.nextMember()) {
      const { nameStart, nameEnd } = inner
      inner.skip()
      ranges.push(nameStart, nameEnd, inner.valueStart, inner.valueEnd)
    }
    return ranges
  }
  if (first !== OPEN_ARRAY) throw notHeaders(bytes, start, end)
  inner.beginArray()
  while (inner.nextElement()) {
    if (inner.peek() !== OPEN_ARRAY) throw notHeaders(bytes, start, end)
    inner.beginArray()
    let parts = 0
    while (inner.nextElement()) {
      const isName = parts === 0
      if (isName && inner.peek() !== QUOTE) throw notHeaders(bytes, start, end)
      inner.skip()
      const inset = isName ? 1 : 0
      ranges.push(inner.valueStart + inset, inner.valueEnd - inset)
      parts++
    }
    if (parts !== 2) throw notHeaders(bytes, start, end)
  }
  return ranges
}

function headerValue(bytes: Buffer, start: number, end: number, inner: JsonReader): Buffer | null {
  const first = bytes[start]!
  if (first === QUOTE) return stringBytes(bytes, start + 1, end - 1)
  if (first === NULL_FIRST) return null
  if (first === OPEN_OBJECT) {
    const decoded = base64Object(bytes, start, end, inner, 'header value')
    if (decoded !== undefined) return decoded
  }
  const text = excerpt(bytes, start, end)
  throw refused(`the value of a header is ${text}, not a string, {"base64": "…"} or null`)
}

function notHeaders(bytes: Buffer, start: number, end: number): RecordRefusal {
  const text = excerpt(bytes, start, end)
  return refused(`headers are ${text}, not an object or an array of [name, value]`)
}

function refused(detail: string): RecordRefusal {
  return new RecordRefusal('INVALID_RECORD', detail)
}

/** The beginning of a client's text, quoted where it must be, for an error. */
export function excerpt(bytes: Buffer, start: number, end: number): string {
  const cut = end - start > 60
  return `${bytes.toString('utf8', start, cut ? start + 60 : end)}${cut ? '…' : ''}`
}
