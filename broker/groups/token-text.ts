/**
 * What the tokens of groups have in common: bytes in base64url with a checksum at their end. The checksum is
 * the CRC32C of all before and the group's id, big-endian: it finds what was cut or mistyped, and a token given
 * to another group. What the bytes say is `tokens.ts` (of a record) and `poll-token.ts` (of a page).
 */

import { crc32c } from '../../storage/record/crc32c.ts'

export const CHECKSUM_BYTES = 4

const BASE64URL = /^[A-Za-z0-9_-]+$/

/** The text of the first `end` bytes; there is room for the checksum behind them. */
export function tokenText(groupId: string, bytes: Buffer, end: number): string {
  const sealedEnd = bytes.writeUInt32BE(checksum(groupId, bytes.subarray(0, end)), end)
  return bytes.toString('base64url', 0, sealedEnd)
}

/** The bytes before the checksum, more than `bytesMin` of them. @throws RangeError: why it is no token. */
export function tokenBytes(groupId: string, text: string, bytesMin: number): Buffer {
  if (!BASE64URL.test(text)) throw new RangeError('it has characters that no token has')
  const sealed = Buffer.from(text, 'base64url')
  const end = sealed.length - CHECKSUM_BYTES
  const bytes = sealed.subarray(0, Math.max(0, end))
  const isWhole = end > bytesMin && sealed.readUInt32BE(end) === checksum(groupId, bytes)
  // The same bytes have one text: bits beyond the last byte are zero.
  if (isWhole && sealed.toString('base64url') === text) return bytes
  throw new RangeError('it was cut or changed, or another group gave it')
}

function checksum(groupId: string, bytes: Buffer): number {
  return crc32c(Buffer.from(groupId, 'utf8'), crc32c(bytes))
}
