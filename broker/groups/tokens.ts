/**
 * A commit token: "I have done everything of this partition before that offset", as opaque text that came
 * with a record and goes back to commit it. It is stored nowhere and works on any broker. Owns the bytes;
 * whether a token may still commit is decided by the group.
 *
 *     version       1 byte    1: 2 is that of a poll's token
 *     topic id     16 bytes
 *     partition     varlong
 *     next offset   varlong
 *     member epoch  varlong
 *     member id     UTF-8, the rest
 *     checksum      4 bytes   CRC32C of all before and the group's id, big-endian
 *
 * and all of it in base64url. The checksum finds what was cut or mistyped, and a token given to another
 * group. It keeps nobody from making a token up, who could as well commit by offset.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { crc32c } from '../../storage/record/crc32c.ts'
import {
  readVarlong,
  VARLONG_BYTES_MAX,
  varintEnd,
  writeVarlong,
} from '../../storage/record/varint.ts'
import type { CommitToken } from './group-event.ts'
import { ID_CHARACTERS_MAX } from './group-limits.ts'

const VERSION = 1
const TOPIC_ID_AT = 1
const TOPIC_ID_BYTES = 16
const NUMBERS_AT = TOPIC_ID_AT + TOPIC_ID_BYTES
const NUMBERS = 3
const CHECKSUM_BYTES = 4
const UTF8_BYTES_MAX = 3
const BYTES_MAX =
  NUMBERS_AT + NUMBERS * VARLONG_BYTES_MAX + ID_CHARACTERS_MAX * UTF8_BYTES_MAX + CHECKSUM_BYTES

/** Of the text. */
export const TOKEN_CHARACTERS_MAX = Math.ceil((BYTES_MAX * 4) / 3)

const INT32_MAX = 2 ** 31 - 1
const BASE64URL = /^[A-Za-z0-9_-]+$/

export function encodeToken(groupId: string, token: CommitToken): string {
  const idBytes = Buffer.from(token.memberId, 'utf8')
  const bytes = Buffer.allocUnsafe(
    NUMBERS_AT + NUMBERS * VARLONG_BYTES_MAX + idBytes.length + CHECKSUM_BYTES,
  )
  bytes[0] = VERSION
  bytes.write(token.topicId.replaceAll('-', ''), TOPIC_ID_AT, 'hex')
  let at = writeVarlong(bytes, token.partition, NUMBERS_AT)
  at = writeVarlong(bytes, token.offset, at)
  at = writeVarlong(bytes, token.memberEpoch, at)
  at += idBytes.copy(bytes, at)
  at = bytes.writeUInt32BE(checksum(bytes.subarray(0, at), groupId), at)
  return bytes.toString('base64url', 0, at)
}

/**
 * The token of a text; `field` is the one it came in, for the error. Throws SpoolError
 * INVALID_REQUEST for what no broker gave for this group.
 */
export function decodeToken(groupId: string, text: string, field = 'token'): CommitToken {
  try {
    return tokenOf(groupId, text)
  } catch (error) {
    throw new SpoolError(
      'INVALID_REQUEST',
      `field ${field} is no token of group ${groupId}: ${(error as Error).message}; give the text that came with the record as it is`,
      { outcome: 'refused', extensions: { field } },
    )
  }
}

function tokenOf(groupId: string, text: string): CommitToken {
  if (text.length > TOKEN_CHARACTERS_MAX) {
    throw new RangeError(`it has ${text.length} characters, more than ${TOKEN_CHARACTERS_MAX}`)
  }
  if (!BASE64URL.test(text)) throw new RangeError('it has characters that no token has')
  const bytes = Buffer.from(text, 'base64url')
  const end = bytes.length - CHECKSUM_BYTES
  const isWhole =
    end > NUMBERS_AT && bytes.readUInt32BE(end) === checksum(bytes.subarray(0, end), groupId)
  // The same bytes have one text: bits beyond the last byte are zero.
  if (!isWhole || bytes.toString('base64url') !== text) {
    throw new RangeError('it was cut or changed, or another group gave it')
  }
  if (bytes[0] !== VERSION) {
    throw new RangeError('it is none of a record (that of a poll goes as commit of the next poll)')
  }
  const hex = bytes.toString('hex', TOPIC_ID_AT, NUMBERS_AT)
  const topicId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const partition = checkInteger(readVarlong(bytes, NUMBERS_AT, end), INT32_MAX)
  const offset = checkInteger(readVarlong(bytes, varintEnd, end), Number.MAX_SAFE_INTEGER)
  const memberEpoch = checkInteger(readVarlong(bytes, varintEnd, end), INT32_MAX)
  const memberId = bytes.toString('utf8', varintEnd, end)
  return { topicId, partition, offset, memberId, memberEpoch }
}

function checksum(bytes: Buffer, groupId: string): number {
  return crc32c(Buffer.from(groupId, 'utf8'), crc32c(bytes))
}

function checkInteger(value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError('a number in it is out of bounds')
}
