/**
 * Strict base64 (RFC 4648, section 4): the standard alphabet, padded, no white space, no stray bits.
 * Node's own decoder passes over anything it does not know, which would store other bytes than were meant.
 */

/** Value of a character, or 255. */
const SEXTETS = new Uint8Array(256).fill(255)
for (let i = 0; i < 64; i++) {
  SEXTETS['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(i)] = i
}
const PAD = 0x3d

/** The bytes that the base64 text at [start, end) stands for, or `undefined` when it is not base64. */
export function decodeBase64(text: Buffer, start = 0, end = text.length): Buffer | undefined {
  const length = end - start
  if (length % 4 !== 0) return undefined
  if (length === 0) return Buffer.alloc(0)
  const padding = text[end - 1] !== PAD ? 0 : text[end - 2] !== PAD ? 1 : 2
  const dataEnd = end - padding
  for (let at = start; at < dataEnd; at++) {
    if (SEXTETS[text[at]!] === 255) return undefined
  }
  // The bits of the last character that no byte uses must be zero, or two texts would mean the same.
  const unusedBits = padding === 0 ? 0 : padding === 1 ? 0b11 : 0b1111
  if ((SEXTETS[text[dataEnd - 1]!]! & unusedBits) !== 0) return undefined
  return Buffer.from(text.toString('latin1', start, end), 'base64')
}
