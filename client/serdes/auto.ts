/**
 * The serdes of who says nothing: the rules of the HTTP interface, so that a record written by curl reads
 * the same here, and the other way round.
 *
 *     sent:  text → its UTF-8 · Uint8Array → as it is · null → a tombstone · anything else → its JSON text
 *     read:  a JSON object or array → parsed · other valid UTF-8 → text · the rest → Uint8Array
 */

import { SpoolError } from '../api/errors.ts'
import { copyOf } from './copies.ts'
import { jsonText } from './json.ts'
import type { Serde } from './serde.ts'
import { encodeText, textOf } from './text.ts'

const BRACE = 0x7b
const BRACKET = 0x5b

export const auto: Serde<unknown, unknown> = {
  serialize(value) {
    if (typeof value === 'string') return encodeText(value)
    if (value instanceof Uint8Array) return value
    if (value === null) return null
    return encodeText(jsonText(value))
  },
  serializeText(value) {
    if (typeof value === 'string') return value
    return value instanceof Uint8Array || value === null ? undefined : jsonText(value)
  },
  deserialize: (bytes) => autoValue(bytes, 0, bytes.length),
  deserializeRange: autoValue,
}

function autoValue(bytes: Uint8Array, start: number, end: number): unknown {
  const text = textOf(bytes, start, end)
  // A copy: the memory belongs to the batch, and what is not text is what people keep.
  if (text === undefined) return copyOf(bytes, start, end)
  const first = firstByte(bytes, start, end)
  if (first !== BRACE && first !== BRACKET) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** The first byte that is no JSON whitespace; -1 when there is none. */
function firstByte(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
  }
  return -1
}

/** Keys: text, an integer (its decimal text) or bytes; read as text where they are UTF-8. */
export const autoKey: Serde<string | number | bigint | Uint8Array | null, string | Uint8Array> = {
  serialize(key) {
    if (typeof key === 'string') return encodeText(key)
    if (key instanceof Uint8Array || key === null) return key
    const isInteger = typeof key === 'bigint' || Number.isSafeInteger(key)
    if (isInteger) return encodeText(String(key))
    throw new SpoolError(
      'SERIALIZATION_FAILED',
      `a key is text, a safe integer, bytes or null, not ${typeof key === 'number' ? key : typeof key}: give a serde for another`,
      { outcome: 'refused' },
    )
  },
  deserialize: (bytes) => autoKeyOf(bytes, 0, bytes.length),
  deserializeRange: autoKeyOf,
}

function autoKeyOf(bytes: Uint8Array, start: number, end: number): string | Uint8Array {
  return textOf(bytes, start, end) ?? copyOf(bytes, start, end)
}
