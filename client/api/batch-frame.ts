/**
 * The framing of the binary routes: a 4-byte big-endian length, an envelope in plain MessagePack, then
 * record batches as raw bytes in the envelope's order. Batch bytes are sliced, never packed or copied.
 *
 * Plain means: no extensions and no library's record types (a walk over the markers refuses them before
 * anything is unpacked), offsets, times and ids as integers of 64 bits, absent fields left out.
 */

import { isUtf8 } from 'node:buffer'
import { createRequire } from 'node:module'
import { SpoolError } from './errors.ts'
import type { MsgpackCodec } from './msgpack.ts'
import { checkMsgpack, MsgpackError } from './msgpack-check.ts'

const LENGTH_BYTES = 4
/** Ten thousand partitions with the longest names come to some 4 MiB. */
export const ENVELOPE_BYTES_MAX = 8 * 1024 * 1024
/** Up to here the library packs a number as an integer, beyond as a float. */
const PACKED_AS_INTEGER_MAX = 2 ** 32 - 1
const PACKED_AS_INTEGER_MIN = -(2 ** 31)

let codec: MsgpackCodec | undefined

/** The library, loaded by the first request that needs it. */
function loadCodec(): MsgpackCodec {
  if (codec === undefined) {
    const door = import.meta.url.endsWith('.ts') ? './msgpack.ts' : './msgpack.js'
    const { newMsgpackCodec } = createRequire(import.meta.url)(
      door,
    ) as typeof import('./msgpack.ts')
    codec = newMsgpackCodec()
  }
  return codec
}

/** Packs a document; integers of any size stay integers, `undefined` members are left out. */
export function packMsgpack(document: unknown): Buffer {
  return Buffer.from(loadCodec().pack(withExactIntegers(document)))
}

function withExactIntegers(value: unknown): unknown {
  if (typeof value === 'number') {
    const isSmall = value <= PACKED_AS_INTEGER_MAX && value >= PACKED_AS_INTEGER_MIN
    return isSmall || !Number.isSafeInteger(value) ? value : BigInt(value)
  }
  if (Array.isArray(value)) return value.map(withExactIntegers)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, withExactIntegers(member)]))
}

/** The beginning of a framed body: length and envelope. */
export function frameEnvelope(document: unknown): Buffer {
  const envelope = packMsgpack(document)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(envelope.length)
  return Buffer.concat([length, envelope])
}

export interface Frame {
  /** Unpacked, and not yet checked against any schema. */
  readonly envelope: unknown
  /** Everything after the envelope, a view of the body. */
  readonly batches: Buffer
}

/** Takes a body apart. Throws INVALID_REQUEST or REQUEST_TOO_LARGE. */
export function readFrame(body: Buffer): Frame {
  if (body.length < LENGTH_BYTES) {
    throw invalid(
      `a body begins with the 4 bytes of the envelope's length, this one has ${body.length}`,
    )
  }
  const length = body.readUInt32BE(0)
  if (length > ENVELOPE_BYTES_MAX) {
    throw new SpoolError(
      'REQUEST_TOO_LARGE',
      `the envelope says it has ${length} bytes, which is more than ${ENVELOPE_BYTES_MAX}`,
      { outcome: 'refused' },
    )
  }
  if (length > body.length - LENGTH_BYTES) {
    throw invalid(
      `the envelope says it has ${length} bytes, ${body.length - LENGTH_BYTES} are there`,
    )
  }
  const envelope = body.subarray(LENGTH_BYTES, LENGTH_BYTES + length)
  return { envelope: unpacked(envelope), batches: body.subarray(LENGTH_BYTES + length) }
}

function unpacked(envelope: Buffer): unknown {
  let names: number
  try {
    names = checkMsgpack(envelope, isUtf8)
  } catch (error) {
    if (!(error instanceof MsgpackError)) throw error
    throw invalid(`the envelope is not MessagePack we read: ${error.message}`)
  }
  const document: unknown = loadCodec().unpack(envelope)
  // The library keeps the last of two: another reader of the same bytes may keep the first.
  if (countNames(document) !== names) throw invalid('the envelope has a name a second time')
  return document
}

/** Names of objects at every depth; `checkMsgpack` has bounded it. */
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  const inside: unknown[] = Array.isArray(value) ? value : Object.values(value)
  let count = Array.isArray(value) ? 0 : inside.length
  for (const each of inside) count += countNames(each)
  return count
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail, { outcome: 'refused' })
}
