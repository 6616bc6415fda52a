/**
 * A cursor: the places of a reader in one topic, as opaque text. It is stored nowhere and does not expire;
 * whoever brings it back goes on there, on any broker. Owns the bytes; what the places mean for a request
 * is `read-places.ts`.
 *
 *     version      1 byte    1
 *     flags        1 byte    1: the end of a stream · 2: places have ends · 4: the partitions are 0, 1, 2 …
 *     topic id    16 bytes
 *     turn        varlong    the partition to begin with
 *     then for each place, by partition:
 *       partition varlong    minus the one before, minus 1; left out with flag 4
 *       next      varlong    the next offset, minus the one of the place before
 *       end       varlong    with flag 2: the end minus the next offset, -1 where there is none
 *     checksum     4 bytes   see `../../sealed-text.ts`
 *
 * and all of it in base64url. Varlongs are Kafka's (zigzag). With next offsets up to 2^41 a thousand
 * partitions fit, and several thousand whose offsets are not far apart. Topics whose places do not fit
 * can only be read partition by partition.
 *
 * The checksum finds what was cut or mistyped. It does not keep anybody from making a cursor up, which
 * says no more than `from=` can: no field is believed before it is checked.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { CURSOR_CHARACTERS_MAX } from '../../../client/api/schemas/records.ts'
import { TOPIC_ID_BYTES, topicIdFromBytes } from '../../../storage/file/topic-id.ts'
import {
  readVarlong,
  VARLONG_BYTES_MAX,
  varintEnd,
  writeVarlong,
} from '../../../storage/record/varint.ts'
import { CHECKSUM_BYTES, sealedText, unsealed } from '../../sealed-text.ts'

export interface CursorPlace {
  readonly partition: number
  /** Every record before it was looked at. */
  readonly nextOffset: number
  /** Where the reading ends (exclusive), as it was found when it began; absent where that lay ahead. */
  readonly endOffset?: number
}

export interface Cursor {
  /** A UUID in lower case. */
  readonly topicId: string
  /** By rising partition. */
  readonly places: readonly CursorPlace[]
  /** True: the stream that gave it had come to its end. */
  readonly isEnd: boolean
  /** The partition whose turn is next in a page; 0 when absent. */
  readonly turn?: number
}

const VERSION = 1
const IS_END = 1
const HAS_ENDS = 2
const IS_DENSE = 4
const FLAGS_MAX = IS_END | HAS_ENDS | IS_DENSE

const TOPIC_ID_AT = 2
const TURN_AT = TOPIC_ID_AT + TOPIC_ID_BYTES
const NUMBERS_OF_PLACE = 3

const BYTES_MAX = Math.floor(CURSOR_CHARACTERS_MAX / 4) * 3
const PARTITION_MAX = 2 ** 31 - 1

/** The text of a cursor. Throws SpoolError INVALID_REQUEST where the places of so many partitions do not fit. */
export function encodeCursor(cursor: Cursor): string {
  const { topicId, places, isEnd, turn = 0 } = cursor
  const hasEnds = places.some(({ endOffset }) => endOffset !== undefined)
  const isDense = places.every(({ partition }, index) => partition === index)
  const bytesMax =
    TURN_AT + (1 + places.length * NUMBERS_OF_PLACE) * VARLONG_BYTES_MAX + CHECKSUM_BYTES
  const bytes = Buffer.allocUnsafe(bytesMax)
  bytes[0] = VERSION
  bytes[1] = (isEnd ? IS_END : 0) | (hasEnds ? HAS_ENDS : 0) | (isDense ? IS_DENSE : 0)
  bytes.write(topicId.replaceAll('-', ''), TOPIC_ID_AT, 'hex')
  let at = writeVarlong(bytes, turn, TURN_AT)
  let before = { partition: -1, nextOffset: 0 }
  for (const place of places) {
    const { nextOffset, endOffset } = place
    if (!isDense) at = writeVarlong(bytes, place.partition - before.partition - 1, at)
    at = writeVarlong(bytes, nextOffset - before.nextOffset, at)
    if (hasEnds) at = writeVarlong(bytes, endOffset === undefined ? -1 : endOffset - nextOffset, at)
    before = place
  }
  if (at + CHECKSUM_BYTES > BYTES_MAX) throw tooLarge(places.length)
  return sealedText(bytes, at)
}

/**
 * The cursor of a text; `name` is where the text came from, for the error. Throws SpoolError
 * INVALID_REQUEST for what no broker gave.
 */
export function decodeCursor(text: string, name = 'query parameter cursor'): Cursor {
  try {
    return cursorOf(text)
  } catch (error) {
    throw new SpoolError(
      'INVALID_REQUEST',
      `${name} is no cursor: ${(error as Error).message}; give the text of a page or a stream as it is, or from=`,
    )
  }
}

function cursorOf(text: string): Cursor {
  if (text.length > CURSOR_CHARACTERS_MAX) throw new RangeError('it is too long')
  const bytes = unsealed(text, { what: 'cursor', bytesMin: TURN_AT })
  const end = bytes.length
  const flags = bytes[1]!
  if (bytes[0] !== VERSION || flags > FLAGS_MAX) throw new RangeError('its version is not known')
  const turn = readVarlong(bytes, TURN_AT, end)
  checkInteger(turn, PARTITION_MAX)
  const places = placesOf(bytes, varintEnd, end, flags)
  return {
    topicId: topicIdFromBytes(bytes.subarray(TOPIC_ID_AT, TURN_AT)),
    places,
    isEnd: (flags & IS_END) !== 0,
    turn,
  }
}

function placesOf(bytes: Buffer, start: number, end: number, flags: number): CursorPlace[] {
  const places: CursorPlace[] = []
  let partition = -1
  let nextOffset = 0
  let at = start
  const next = () => {
    const value = readVarlong(bytes, at, end)
    at = varintEnd
    return value
  }
  while (at < end) {
    partition += 1 + ((flags & IS_DENSE) === 0 ? checkInteger(next(), PARTITION_MAX) : 0)
    checkInteger(partition, PARTITION_MAX)
    nextOffset = checkInteger(nextOffset + next())
    const left = (flags & HAS_ENDS) === 0 ? -1 : next()
    if (left === -1) places.push({ partition, nextOffset })
    else places.push({ partition, nextOffset, endOffset: endOf(nextOffset, left) })
  }
  return places
}

function endOf(nextOffset: number, left: number): number {
  return checkInteger(nextOffset + checkInteger(left))
}

function checkInteger(value: number, max = Number.MAX_SAFE_INTEGER): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError('a number in it is out of bounds')
}

function tooLarge(partitions: number): SpoolError {
  return new SpoolError(
    'INVALID_REQUEST',
    `the places in ${partitions} partitions do not fit a cursor of ${CURSOR_CHARACTERS_MAX} characters; read the partitions one by one, at …/partitions/{p}/records`,
  )
}
