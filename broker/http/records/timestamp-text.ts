/**
 * A record's timestamp from the bytes of a text: RFC 3339 with a zone (`2025-01-01T00:00:00.250+02:00`),
 * as `timestampFrom` finds it in log lines. Reads digits straight from the bytes, some 20 times faster
 * than a pattern and `Date.parse`; what is finer than a millisecond is cut off. (Positions, where a time
 * means "at or after" and a `+` may be lost on the way, have their own reading in `client/api`.)
 */

import { safeInteger } from './json-string.ts'

const MINUTE_MS = 60_000
const ZERO = 0x30
const QUOTE = 0x22

/** The timestamp that the JSON value at [start, end) is: RFC 3339 text, or milliseconds since 1970. */
export function readTimestamp(bytes: Buffer, start: number, end: number): number | undefined {
  if (bytes[start] !== QUOTE) return safeInteger(bytes, start, end)
  return timestampOfText(bytes, start + 1, end - 1)
}

/** Milliseconds since 1970 (negative: before) of the text at [start, end), or `undefined`: no such time. */
export function timestampOfText(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start < 20) return undefined
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2)
  const month = twoDigits(bytes, start + 5)
  const day = twoDigits(bytes, start + 8)
  const hour = twoDigits(bytes, start + 11)
  const minute = twoDigits(bytes, start + 14)
  const second = twoDigits(bytes, start + 17)
  // One sum: a part that is not made of digits is NaN and makes all of it NaN.
  if (Number.isNaN(year + month + day + hour + minute + second)) return undefined
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return undefined
  if ((bytes[start + 10]! | 0x20) !== 0x74) return undefined
  if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return undefined
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined
  // RFC 3339 knows the leap second :60; like everywhere in Unix time it counts as the next second.
  if (hour > 23 || minute > 59 || second > 60) return undefined
  let at = start + 19
  let fractionMs = 0
  if (bytes[at] === 0x2e) {
    let unit = 100
    const first = ++at
    while (at < end && isDigit(bytes[at]!)) {
      fractionMs += (bytes[at]! - ZERO) * unit
      unit = unit === 1 ? 0 : unit / 10
      at++
    }
    if (at === first) return undefined
  }
  const zoneMs = zone(bytes, at, end)
  if (zoneMs === undefined) return undefined
  if (year < 100) return -1
  return Date.UTC(year, month - 1, day, hour, minute, second, fractionMs) - zoneMs
}

function zone(bytes: Buffer, at: number, end: number): number | undefined {
  const byte = bytes[at]
  if ((byte === 0x5a || byte === 0x7a) && at + 1 === end) return 0
  if (byte !== 0x2b && byte !== 0x2d) return undefined
  if (at + 6 !== end || bytes[at + 3] !== 0x3a) return undefined
  const hours = twoDigits(bytes, at + 1)
  const minutes = twoDigits(bytes, at + 4)
  if (!(hours <= 23 && minutes <= 59)) return undefined
  return (byte === 0x2d ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS
}

/** Two digits as a number, or NaN. */
function twoDigits(bytes: Buffer, at: number): number {
  const high = bytes[at]!
  const low = bytes[at + 1]!
  return isDigit(high) && isDigit(low) ? (high - ZERO) * 10 + low - ZERO : Number.NaN
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
