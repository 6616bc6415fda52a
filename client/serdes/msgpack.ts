/**
 * MessagePack, plain: no extensions, so that any language reads it, and validated by a Standard Schema
 * where one is given. The bytes of a record come from strangers: they are walked over (extensions,
 * depth, counts, UTF-8) before the library sees them.
 */

import { SpoolError } from '../api/errors.ts'
import { type MsgpackCodec, newMsgpackCodec } from '../api/msgpack.ts'
import { checkMsgpack } from '../api/msgpack-check.ts'
import type { Serde } from './serde.ts'
import { type StandardSchema, validated } from './standard-schema.ts'

let codec: MsgpackCodec | undefined

/** Values as MessagePack; a schema is used as `json` uses it. */
export function msgpack<Input, Output>(schema: StandardSchema<Input, Output>): Serde<Input, Output>
export function msgpack<T = unknown>(): Serde<T>
export function msgpack(schema?: StandardSchema): Serde<unknown> {
  const check = schema && ((value: unknown) => validated(schema, value))
  return {
    serialize(value) {
      check?.(value)
      codec ??= newMsgpackCodec()
      return codec.pack(value)
    },
    deserialize(bytes) {
      codec ??= newMsgpackCodec()
      const value = unpacked(codec, bytes)
      return check === undefined ? value : check(value)
    },
  }
}

function unpacked(library: MsgpackCodec, bytes: Uint8Array): unknown {
  try {
    checkMsgpack(bytes)
    return library.unpack(bytes)
  } catch (cause) {
    throw new SpoolError(
      'SERIALIZATION_FAILED',
      `not plain MessagePack: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}
