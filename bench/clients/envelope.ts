/** The front of a binary request: four bytes of length, then the envelope in plain msgpack. */

import { Packr, unpack } from 'msgpackr'

const LENGTH_BYTES = 4
const packr = new Packr({ useRecords: false, variableMapSize: true })

export function encodeEnvelope(envelope: object): Buffer {
  const packed = packr.pack(envelope)
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + packed.length)
  bytes.writeUInt32BE(packed.length)
  packed.copy(bytes, LENGTH_BYTES)
  return bytes
}

/** The envelope at the front of a reply and where the bytes after it begin, once it is complete. */
export function decodeEnvelope<Envelope>(
  bytes: Buffer,
): { envelope: Envelope; endAt: number } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined
  const endAt = LENGTH_BYTES + bytes.readUInt32BE()
  if (bytes.length < endAt) return undefined
  return { envelope: unpack(bytes.subarray(LENGTH_BYTES, endAt)) as Envelope, endAt }
}
