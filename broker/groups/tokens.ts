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
 *     checksum      4 bytes   see `../sealed-text.ts`
 *
 * and all of it in base64url. The checksum keeps nobody from making a token up, who could as well commit by
 * offset.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { TOPIC_ID_BYTES, topicIdFromBytes } from '../../storage/file/topic-id.ts'
import {
  readVarlong,
  VARLONG_BYTES_MAX,
  varintEnd,
  writeVarlong,
} from '../../storage/record/varint.ts'
import { CHECKSUM_BYTES, sealedText, unsealed } from '../sealed-text.ts'
import type { CommitToken } from './group-event.ts'
import { ID_CHARACTERS_MAX } from './group-limits.ts'

const VERSION = 1
const TOPIC_ID_AT = 1
const NUMBERS_AT = TOPIC_ID_AT + TOPIC_ID_BYTES
const NUMBERS = 3
const UTF8_BYTES_MAX = 3
const BYTES_MAX =
  NUMBERS_AT + NUMBERS * VARLONG_BYTES_MAX + ID_CHARACTERS_MAX * UTF8_BYTES_MAX + CHECKSUM_BYTES

/** Of the text. */
export const TOKEN_CHARACTERS_MAX = Math.ceil((BYTES_MAX * 4) / 3)

const INT32_MAX = 2 ** 31 - 1

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
  return sealedText(bytes, at, groupId)
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
  const bytes = unsealed(text, { what: 'token', groupId, bytesMin: NUMBERS_AT })
  const end = bytes.length
  if (bytes[0] !== VERSION) {
    throw new RangeError('it is none of a record (that of a poll goes as commit of the next poll)')
  }
  const topicId = topicIdFromBytes(bytes.subarray(TOPIC_ID_AT, NUMBERS_AT))
  const partition = checkInteger(readVarlong(bytes, NUMBERS_AT, end), INT32_MAX)
  const offset = checkInteger(readVarlong(bytes, varintEnd, end), Number.MAX_SAFE_INTEGER)
  const memberEpoch = checkInteger(readVarlong(bytes, varintEnd, end), INT32_MAX)
  const memberId = bytes.toString('utf8', varintEnd, end)
  return { topicId, partition, offset, memberId, memberEpoch }
}

function checkInteger(value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError('a number in it is out of bounds')
}
