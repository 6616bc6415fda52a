/** The two plainest serdes: text as its UTF-8, and bytes as they are. */

import { SpoolError } from '../api/errors.ts'
import { copyOf } from './copies.ts'
import type { Serde } from './serde.ts'
import { encodeText, requireText } from './text.ts'

/** Text as UTF-8, strict both ways. */
export const string: Serde<string> = {
  serialize(text) {
    if (typeof text === 'string') return encodeText(text)
    throw refused(`the serde string takes text, not ${nameOf(text)}`)
  },
  serializeText: (text) => (typeof text === 'string' ? text : undefined),
  deserialize: (bytes) => requireText(bytes),
  deserializeRange: requireText,
}

/**
 * Bytes as they are. What is read is a copy: it may be kept and changed. In Node small ones stand side by
 * side in one `ArrayBuffer`, as small Buffers do: take `byteOffset` into account, and do not transfer it.
 */
export const bytes: Serde<Uint8Array> = {
  serialize(given) {
    if (given instanceof Uint8Array) return given
    throw refused(`the serde bytes takes a Uint8Array, not ${nameOf(given)}`)
  },
  deserialize: (given) => copyOf(given, 0, given.length),
  deserializeRange: copyOf,
}

function nameOf(value: unknown): string {
  return typeof value === 'object' ? (value?.constructor?.name ?? 'null') : typeof value
}

function refused(detail: string): SpoolError {
  return new SpoolError('SERIALIZATION_FAILED', detail, { outcome: 'refused' })
}
