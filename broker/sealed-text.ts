/**
 * What the broker gives away as opaque text and takes back: bytes in base64url with a checksum at their end,
 * the CRC32C of all before and of the id of the group it is for, where it is for one, big-endian. That finds
 * what was cut or mistyped, and what was given to another group. It keeps nobody from making a text up. What
 * the bytes say is `http/records/cursor.ts`, `groups/tokens.ts` (of a record) and `http/groups/poll-token.ts` (of
 * a page).
 */

import { crc32c } from '../storage/record/crc32c.ts'

export const CHECKSUM_BYTES = 4

const BASE64URL = /^[A-Za-z0-9_-]+$/

export interface Seal {
  /** What the text is called, where it is none. */
  readonly what: 'cursor' | 'token'
  readonly groupId?: string
  /** It says more than so many bytes. */
  readonly bytesMin: number
}

/** The text of the first `end` bytes; there is room for the checksum behind them. */
export function sealedText(bytes: Buffer, end: number, groupId?: string): string {
  const sealedEnd = bytes.writeUInt32BE(checksum(bytes.subarray(0, end), groupId), end)
  return bytes.toString('base64url', 0, sealedEnd)
}

/** The bytes before the checksum. @throws RangeError: why it is no such text. */
export function unsealed(text: string, { what, groupId, bytesMin }: Seal): Buffer {
  if (!BASE64URL.test(text)) throw new RangeError(`it has characters that no ${what} has`)
  const sealed = Buffer.from(text, 'base64url')
  const end = sealed.length - CHECKSUM_BYTES
  const bytes = sealed.subarray(0, Math.max(0, end))
  const isWhole = end > bytesMin && sealed.readUInt32BE(end) === checksum(bytes, groupId)
  // The same bytes have one text: bits beyond the last byte are zero.
  if (isWhole && sealed.toString('base64url') === text) return bytes
  throw new RangeError(
    `it was cut or changed${groupId === undefined ? '' : ', or another group gave it'}`,
  )
}

function checksum(bytes: Buffer, groupId = ''): number {
  return crc32c(Buffer.from(groupId, 'utf8'), crc32c(bytes))
}
