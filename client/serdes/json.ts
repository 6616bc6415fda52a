/** JSON text, validated by a Standard Schema where one is given. */

import { SpoolError } from '../api/errors.ts'
import type { Serde } from './serde.ts'
import { type StandardSchema, validated } from './standard-schema.ts'
import { encodeText, requireText } from './text.ts'

/**
 * Values as JSON text. With a schema what is sent is validated, and stored as given; what is read is what
 * the schema makes of it, so defaults and transformations happen when reading.
 */
export function json<Input, Output>(schema: StandardSchema<Input, Output>): Serde<Input, Output>
export function json<T = unknown>(): Serde<T>
export function json(schema?: StandardSchema): Serde<unknown> {
  const check = schema && ((value: unknown) => validated(schema, value))
  const read = (bytes: Uint8Array, start: number, end: number): unknown => {
    const value = parsed(requireText(bytes, start, end))
    return check === undefined ? value : check(value)
  }
  const write = (value: unknown): string => {
    check?.(value)
    return jsonText(value)
  }
  return {
    serialize: (value) => encodeText(write(value)),
    serializeText: write,
    deserialize: (bytes) => read(bytes, 0, bytes.length),
    deserializeRange: read,
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SpoolError('SERIALIZATION_FAILED', `not JSON: ${(cause as Error).message}`, { cause })
  }
}

/**
 * The JSON text of a value.
 *
 * @throws SpoolError SERIALIZATION_FAILED for what JSON can not hold (`undefined`, a function, a bigint, a
 * circle) and for bytes, whose JSON text nobody means.
 */
export function jsonText(value: unknown): string {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw refused(`${value.constructor.name} is no JSON value: give bytes as a Uint8Array`)
  }
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw refused(`not to be written as JSON: ${(cause as Error).message}`, cause)
  }
  if (text === undefined) throw refused(`${typeof value} is no JSON value`)
  return text
}

function refused(detail: string, cause?: unknown): SpoolError {
  return new SpoolError('SERIALIZATION_FAILED', detail, { outcome: 'refused', cause })
}
