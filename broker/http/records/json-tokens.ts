/**
 * Where the small tokens of JSON (RFC 8259) end: white space, numbers, escapes, words. Pure functions
 * over bytes; -1 means that there is no such token. What it means is `json-reader.ts`'s to say.
 */

const BACKSLASH = 0x5c
const QUOTE = 0x22

/** The first byte at or after `from` that is not white space. */
export function space(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end) {
    const byte = bytes[at]!
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break
    at++
  }
  return at
}

/** The end of the number at `from`, which begins with a digit or a minus. */
export function numberEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  if (bytes[at] === 0x2d) at++
  if (at < end && bytes[at] === 0x30) at++
  else at = digitsEnd(bytes, at, end)
  if (at >= 0 && at < end && bytes[at] === 0x2e) at = digitsEnd(bytes, at + 1, end)
  if (at >= 0 && at < end && (bytes[at]! | 0x20) === 0x65) {
    at++
    if (at < end && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++
    at = digitsEnd(bytes, at, end)
  }
  return at
}

/** The end of one or more digits. */
function digitsEnd(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && isDigit(bytes[at]!)) at++
  return at === from ? -1 : at
}

/** The end of the escape whose backslash is at `at`. */
export function escapeEnd(bytes: Buffer, at: number, end: number): number {
  const byte = at + 1 < end ? bytes[at + 1]! : -1
  if (byte !== 0x75) return isShortEscape(byte) ? at + 2 : -1
  if (at + 6 > end) return -1
  for (let i = at + 2; i < at + 6; i++) {
    if (!isHexDigit(bytes[i]!)) return -1
  }
  return at + 6
}

/** One of " \\ / b f n r t. */
function isShortEscape(byte: number): boolean {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true
    default:
      return false
  }
}

/** The end of `word` at `at`. */
export function wordEnd(bytes: Buffer, at: number, end: number, word: Buffer): number {
  if (at + word.length > end) return -1
  for (let i = 0; i < word.length; i++) {
    if (bytes[at + i] !== word[i]) return -1
  }
  return at + word.length
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  return isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}
