/**
 * Text and UTF-8, strictly: a lone surrogate is refused, never replaced, and bytes that are no UTF-8 are
 * no text. Works on what every platform has; the Node door puts faster ways of its own in their place.
 */

import { SpoolError } from '../api/errors.ts'

export interface TextCodec {
  /** The UTF-8 of a well-formed text. */
  encode(text: string): Uint8Array
  /** The text of `bytes` from `start` to `end`; `undefined` when they are no UTF-8. */
  decode(bytes: Uint8Array, start: number, end: number): string | undefined
}

const encoder = new TextEncoder()
// A byte order mark is part of the text, as any other character.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

let codec: TextCodec = {
  encode: (text) => encoder.encode(text),
  decode(bytes, start, end) {
    try {
      return decoder.decode(bytes.subarray(start, end))
    } catch {
      return undefined
    }
  },
}

/** Another way of doing the same, for all texts from now on. */
export function useTextCodec(other: TextCodec): void {
  codec = other
}

/** @throws SpoolError SERIALIZATION_FAILED for a lone surrogate: it has no UTF-8. */
export function encodeText(text: string): Uint8Array {
  requireWellFormed(text)
  return codec.encode(text)
}

/** @throws SpoolError SERIALIZATION_FAILED for a lone surrogate. */
export function requireWellFormed(text: string): void {
  if (text.isWellFormed()) return
  const at = text.search(LONE_SURROGATE)
  throw new SpoolError(
    'SERIALIZATION_FAILED',
    `the text has a lone surrogate at index ${at}, which UTF-8 can not hold`,
    { outcome: 'refused' },
  )
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** The text; `undefined` when the bytes are no UTF-8. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string | undefined {
  return codec.decode(bytes, start, end)
}

/** @throws SpoolError SERIALIZATION_FAILED when the bytes are no UTF-8. */
export function requireText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const text = codec.decode(bytes, start, end)
  if (text !== undefined) return text
  throw new SpoolError(
    'SERIALIZATION_FAILED',
    `the ${end - start} bytes are not valid UTF-8: read them with the serde bytes`,
  )
}
