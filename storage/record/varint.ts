/**
 * Kafka's variable-length integers: zigzag (0, -1, 1, -2 … become 0, 1, 2, 3 …), then seven bits a byte,
 * lowest first, the high bit saying "more follows". A varint holds 32 bits in at most 5 bytes, a varlong
 * 64 bits in at most 10.
 *
 * Owns writing and sizing. Reading is in `record-walk`, where it is part of the one loop that must be
 * fast; `readVarint` and `readVarlong` here are that loop's slow path, for values of more than two bytes.
 *
 * Varlongs are JavaScript numbers: every one we write is a safe integer, and one read from outside that
 * is larger comes back rounded, so that `Number.isSafeInteger` refuses it.
 */

import { StorageError } from '../errors.ts'

export const VARINT_BYTES_MAX = 5
export const VARLONG_BYTES_MAX = 10

const INT32_MIN = -0x8000_0000
const INT32_MAX = 0x7fff_ffff
const TWO_TO_27 = 0x800_0000
const TWO_TO_55 = 2 ** 55

/** Bytes `value` (an int32) takes as a varint: 1 to 5. */
export function varintSize(value: number): number {
  const bits = 32 - Math.clz32((value << 1) ^ (value >> 31))
  return bits === 0 ? 1 : Math.ceil(bits / 7)
}

/** Bytes `value` (a safe integer) takes as a varlong: 1 to 8. */
export function varlongSize(value: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return varintSize(value)
  // Zigzag takes v >= 0 to 2v and v < 0 to -2v - 1; compare halves to stay inside exact numbers.
  const half = value >= 0 ? value : -value - 1
  let size = VARINT_BYTES_MAX
  for (let limit = 2 ** (7 * size - 1); half >= limit; limit *= 128) size += 1
  return size
}

/** Writes `value` (an int32) at `at`; returns the position after it. Room is the caller's business. */
export function writeVarint(bytes: Uint8Array, value: number, at: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  let next = at
  while (rest > 0x7f) {
    bytes[next++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[next++] = rest
  return next
}

/** Writes `value` (a safe integer) at `at`; returns the position after it. */
export function writeVarlong(bytes: Uint8Array, value: number, at: number): number {
  if (value >= INT32_MIN && value <= INT32_MAX) return writeVarint(bytes, value, at)
  const negative = value < 0
  let half = negative ? -value - 1 : value
  let next = at
  // The lowest group carries the sign bit and six bits of the half, every later one seven.
  bytes[next++] = (half % 64) * 2 + (negative ? 1 : 0) + 0x80
  half = Math.floor(half / 64)
  while (half > 0x7f) {
    bytes[next++] = (half % 128) + 0x80
    half = Math.floor(half / 128)
  }
  bytes[next++] = half
  return next
}

/** Where the last `readVarint` or `readVarlong` stopped. A second result without an object to carry it. */
export let varintEnd = 0

/**
 * Reads a varint from `at`, not touching `end` or beyond; the position after it is in `varintEnd`.
 * Throws `StorageError` INVALID_RECORD when it is cut short or does not fit 32 bits.
 */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  let raw = 0
  let next = at
  for (let shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
    if (next >= end) throw cutShort(at)
    const byte = bytes[next++]!
    if (shift === 28 && byte > 0x0f) break
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) {
      varintEnd = next
      return (raw >>> 1) ^ -(raw & 1)
    }
  }
  throw new StorageError('INVALID_RECORD', `the number at byte ${at} does not fit 32 bits`)
}

/**
 * Reads a varlong from `at`, as `readVarint`. Exact for safe integers; a value outside them is returned
 * rounded. Throws `StorageError` INVALID_RECORD when it is cut short or does not fit 64 bits.
 */
export function readVarlong(bytes: Uint8Array, at: number, end: number): number {
  let low = 0 // bits 0 to 27
  let middle = 0 // bits 28 to 55
  let high = 0 // bits 56 to 63
  let next = at
  for (let index = 0; index < VARLONG_BYTES_MAX; index++) {
    if (next >= end) throw cutShort(at)
    const byte = bytes[next++]!
    if (index === VARLONG_BYTES_MAX - 1 && byte > 1) break
    const bits = byte & 0x7f
    if (index < 4) low |= bits << (7 * index)
    else if (index < 8) middle |= bits << (7 * (index - 4))
    else high |= bits << (7 * (index - 8))
    if (byte < 0x80) {
      varintEnd = next
      const half = (low >>> 1) + middle * TWO_TO_27 + high * TWO_TO_55
      return low & 1 ? -half - 1 : half
    }
  }
  throw new StorageError('INVALID_RECORD', `the number at byte ${at} does not fit 64 bits`)
}

function cutShort(at: number): StorageError {
  return new StorageError('INVALID_RECORD', `the number at byte ${at} is cut short`)
}
