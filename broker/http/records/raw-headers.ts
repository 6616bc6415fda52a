/**
 * A record's key and headers as HTTP headers, both ways: `spool-key`, `spool-header-<name>`, their values
 * in percent-encoded UTF-8; a byte that came unencoded is taken as that byte. Out, what does not fit is
 * left out and counted in `spool-headers-omitted`: names that are no HTTP tokens, null values, what is
 * beyond 8 KiB in all. The record's own content type is not among them: it is the reply's.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { RECORD_HEADER_BYTES_MAX } from '../../../client/api/schemas/records.ts'
import type { RecordHeader } from '../../../storage/record/record.ts'
import type { ProducedHeader } from './produced-record.ts'

export const KEY_HEADER = 'spool-key'
export const HEADER_PREFIX = 'spool-header-'
export const TIMESTAMP_HEADER = 'spool-timestamp'
export const PARTITION_HEADER = 'spool-partition'
export const OFFSET_HEADER = 'spool-offset'
export const TOMBSTONE_HEADER = 'spool-tombstone'
export const OMITTED_HEADER = 'spool-headers-omitted'

/** The record header that keeps the Content-Type a raw value came with. */
export const CONTENT_TYPE_NAME = 'content-type'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const PERCENT = 0x25

/** Percent-encodes what is not a visible ASCII character, and `%`, `"` and `\`. */
export function encodeHeaderValue(bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== PERCENT && byte !== 0x22 && byte !== 0x5c
    text += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

/** The bytes of a header value as Node gives it (a character a byte). Throws INVALID_REQUEST. */
export function decodeHeaderValue(name: string, value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (!value.includes('%')) return bytes
  let to = 0
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== PERCENT) {
      bytes[to++] = bytes[at]!
      continue
    }
    const digits = value.slice(at + 1, at + 3)
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) {
      throw new SpoolError(
        'INVALID_REQUEST',
        `the header ${name} has a % that two hex digits do not follow`,
      )
    }
    bytes[to++] = Number.parseInt(digits, 16)
    at += 2
  }
  return bytes.subarray(0, to)
}

/** The record headers among a request's, in their order; `rawHeaders` is Node's flat list. */
export function recordHeadersOf(rawHeaders: readonly string[]): ProducedHeader[] {
  const headers: ProducedHeader[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length <= HEADER_PREFIX.length) continue
    if (name.slice(0, HEADER_PREFIX.length).toLowerCase() !== HEADER_PREFIX) continue
    headers.push({
      name: Buffer.from(name.slice(HEADER_PREFIX.length), 'latin1'),
      value: decodeHeaderValue(name, rawHeaders[i + 1]!),
    })
  }
  return headers
}

/** The HTTP headers that carry a record's key and headers, by name; a name may have several values. */
export function headersOfRecord(
  key: Buffer | null,
  headers: readonly RecordHeader[],
): Map<string, string[]> {
  const sent = new Map<string, string[]>()
  let left = RECORD_HEADER_BYTES_MAX
  let omitted = 0
  const add = (name: string, value: string) => {
    const size = name.length + value.length
    if (size > left) {
      omitted++
      return
    }
    left -= size
    const values = sent.get(name)
    if (values === undefined) sent.set(name, [value])
    else values.push(value)
  }
  if (key !== null) add(KEY_HEADER, encodeHeaderValue(key))
  for (const { name, value } of headers) {
    // HTTP does not tell names by case.
    const text = name.toString('latin1').toLowerCase()
    if (value === null || !TOKEN.test(text)) omitted++
    else add(`${HEADER_PREFIX}${text}`, encodeHeaderValue(value))
  }
  if (omitted > 0) sent.set(OMITTED_HEADER, [String(omitted)])
  return sent
}
