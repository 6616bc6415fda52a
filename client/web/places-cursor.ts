/**
 * The places of a stream over several partitions as the cursor that `GET /v1/topics/{topic}/records`
 * takes, and back: what a reader knows are offsets, and a cursor is the one way to say several of them.
 * The bytes are those of the broker's own codec, which says what each of them is; a test holds the two
 * together.
 */

import {
  readVarlong,
  VARLONG_BYTES_MAX,
  varintEnd,
  writeVarlong,
} from '../../storage/record/varint.ts'
import { SpoolError } from '../api/errors.ts'
import { CURSOR_CHARACTERS_MAX } from '../api/schemas/records.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'

export interface StreamPlace {
  readonly partition: number
  readonly nextOffset: number
  /** Exclusive; `Infinity` where there is none. */
  readonly endOffset: number
}

const VERSION = 1
const HAS_ENDS = 2
const IS_DENSE = 4

const TOPIC_ID_AT = 2
const TURN_AT = TOPIC_ID_AT + 16
const CHECKSUM_BYTES = 4

/**
 * The cursor of places, which stand by rising partition.
 *
 * @throws SpoolError INVALID_REQUEST where so many do not fit a cursor: several thousand partitions.
 */
export function cursorOfPlaces(topicId: string, places: readonly StreamPlace[]): string {
  const bytes = new Uint8Array(
    TURN_AT + (1 + places.length * 3) * VARLONG_BYTES_MAX + CHECKSUM_BYTES,
  )
  bytes[0] = VERSION
  bytes[1] = HAS_ENDS
  const hex = topicId.replaceAll('-', '')
  for (let i = 0; i < 16; i++) {
    bytes[TOPIC_ID_AT + i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  }
  let at = writeVarlong(bytes, 0, TURN_AT)
  let before = { partition: -1, nextOffset: 0 }
  for (const place of places) {
    const { partition, nextOffset, endOffset } = place
    at = writeVarlong(bytes, partition - before.partition - 1, at)
    at = writeVarlong(bytes, nextOffset - before.nextOffset, at)
    const left = endOffset === Number.POSITIVE_INFINITY ? -1 : Math.max(0, endOffset - nextOffset)
    at = writeVarlong(bytes, left, at)
    before = place
  }
  new DataView(bytes.buffer).setUint32(at, crc32c(bytes.subarray(0, at)))
  const text = encodeBase64(bytes.subarray(0, at + CHECKSUM_BYTES))
  const cursor = text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  if (cursor.length <= CURSOR_CHARACTERS_MAX) return cursor
  throw new SpoolError(
    'INVALID_REQUEST',
    `the places in ${places.length} partitions do not fit a cursor of ${CURSOR_CHARACTERS_MAX} characters; read fewer partitions with one reader`,
    { outcome: 'refused' },
  )
}

/** The places of a cursor the broker gave. Throws SpoolError CORRUPT_MESSAGE where it is none we know. */
export function placesOfCursor(cursor: string): StreamPlace[] {
  try {
    return readPlaces(bytesOf(cursor))
  } catch (cause) {
    throw new SpoolError(
      'CORRUPT_MESSAGE',
      `the stream has a cursor this client does not understand (${(cause as Error).message}): is this a newer broker?`,
      { cause },
    )
  }
}

function bytesOf(cursor: string): Uint8Array {
  const text = cursor.replaceAll('-', '+').replaceAll('_', '/')
  return decodeBase64(text + '='.repeat((4 - (text.length % 4)) % 4))
}

function readPlaces(bytes: Uint8Array): StreamPlace[] {
  const end = bytes.length - CHECKSUM_BYTES
  const isWhole =
    end > TURN_AT &&
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(end) === crc32c(bytes.subarray(0, end))
  if (!isWhole || bytes[0] !== VERSION) throw new RangeError('its version or checksum')
  const flags = bytes[1]!
  readVarlong(bytes, TURN_AT, end)
  let at = varintEnd
  const next = () => {
    const value = readVarlong(bytes, at, end)
    at = varintEnd
    return value
  }
  const places: StreamPlace[] = []
  let partition = -1
  let nextOffset = 0
  while (at < end) {
    partition += 1 + ((flags & IS_DENSE) === 0 ? next() : 0)
    nextOffset += next()
    const left = (flags & HAS_ENDS) === 0 ? -1 : next()
    places.push({ partition, nextOffset, endOffset: left < 0 ? Infinity : nextOffset + left })
  }
  return places
}

/** The polynomial of CRC32C, its bits reversed. */
const POLYNOMIAL = 0x82f6_3b78

/** CRC32C of a few dozen bytes: bit by bit is fast enough, and needs no table. */
function crc32c(bytes: Uint8Array): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  }
  return ~crc >>> 0
}
