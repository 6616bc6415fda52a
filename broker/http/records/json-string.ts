/**
 * The scalars of JSON as the bytes that are stored: a string becomes its UTF-8, an integer its decimal
 * text. Works on ranges that `JsonReader` has already checked. Never renders a value again.
 */

const BACKSLASH = 0x5c

/** A string that can not become UTF-8: half of a surrogate pair stands alone in it. */
export class LoneSurrogateError extends Error {
  constructor() {
    super('a string holds half of a surrogate pair, which UTF-8 can not hold')
    this.name = 'LoneSurrogateError'
  }
}

/**
 * The UTF-8 of the string whose content (without its quotes) stands at [start, end); a view of `bytes`
 * where the string has no escapes. Throws `LoneSurrogateError`.
 */
export function stringBytes(bytes: Buffer, start: number, end: number): Buffer {
  for (let at = start; at < end; at++) {
    if (bytes[at] === BACKSLASH) return Buffer.from(stringText(bytes, start, end))
  }
  return bytes.subarray(start, end)
}

/** As `stringBytes`, for a string that is wanted as one. */
export function stringText(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start, end)
  if (!raw.includes('\\')) return raw
  const text = JSON.parse(`"${raw}"`) as string
  if (!text.isWellFormed()) throw new LoneSurrogateError()
  return text
}

/** True when the number at [start, end) is written as an integer: no fraction, no exponent. */
export function isIntegerText(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte === 0x2d && at === start && end > start + 1) continue
    if (byte < 0x30 || byte > 0x39) return false
  }
  return end > start
}

/** The integer at [start, end), or `undefined` when it is none or is beyond 2^53 - 1. */
export function safeInteger(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start > 17 || !isIntegerText(bytes, start, end)) return undefined
  const value = Number(bytes.toString('latin1', start, end))
  return Number.isSafeInteger(value) ? value : undefined
}
