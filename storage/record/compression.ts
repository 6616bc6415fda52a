/**
 * The one place that compresses and decompresses, in the five ways of `compression-names.ts`. gzip and
 * zstd come with Node; snappy and LZ4 are native libraries, loaded on first use. Owns the bound: whatever
 * the bytes claim, the output never exceeds `maxBytes`, and the size is checked before it is allocated.
 * Framing of LZ4 and snappy is in `lz4-frame` and `snappy-frame`.
 */

import { promisify } from 'node:util'
import {
  gunzipSync,
  gzip,
  gzipSync,
  type ZlibOptions,
  type ZstdOptions,
  zstdCompress,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import { COMPRESSION_NAMES, type CompressionName } from './compression-names.ts'
import { corrupt, tooLarge } from './decode-errors.ts'
import {
  type Allocate,
  decodeLz4Frame,
  encodeLz4Frame,
  encodeLz4FrameElsewhere,
} from './lz4-frame.ts'
import { decodeSnappy, encodeSnappy } from './snappy-frame.ts'

export { COMPRESSION_NAMES, type CompressionName }

/** The code of `name` in a batch's attributes. */
export function compressionCode(name: CompressionName): number {
  return COMPRESSION_NAMES.indexOf(name)
}

/** Compresses the records of a batch. For `none` the same Buffer comes back. */
export function compress(name: CompressionName, bytes: Buffer): Buffer {
  switch (name) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes)
    case 'snappy':
      return encodeSnappy(bytes)
    case 'lz4':
      return encodeLz4Frame(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
  }
}

/**
 * As `compress`, into memory of `allocate` and behind `front` bytes that are left to the caller, never
 * `bytes` themselves: a batch has its header there.
 */
export function compressBehind(
  front: number,
  name: CompressionName,
  bytes: Buffer,
  allocate: Allocate,
): Buffer {
  if (name === 'lz4') return encodeLz4Frame(bytes, front, allocate)
  return copiedBehind(front, compress(name, bytes), allocate)
}

/**
 * As `compressBehind`, with the work on other threads; `bytes` must stay as they are until it resolves.
 * Worth it from a few blocks on: a call there and back costs some 20 µs.
 */
export async function compressBehindElsewhere(
  front: number,
  name: CompressionName,
  bytes: Buffer,
  allocate: Allocate,
): Promise<Buffer> {
  switch (name) {
    case 'gzip':
      return copiedBehind(front, await gzipElsewhere(bytes), allocate)
    case 'lz4':
      return encodeLz4FrameElsewhere(bytes, front, allocate)
    case 'zstd':
      return copiedBehind(front, await zstdElsewhere(bytes), allocate)
    default:
      return compressBehind(front, name, bytes, allocate)
  }
}

function copiedBehind(front: number, bytes: Buffer, allocate: Allocate): Buffer {
  const memory = allocate(front + bytes.length)
  bytes.copy(memory, front)
  return memory
}

const gzipElsewhere = promisify<Buffer, Buffer>(gzip)
const zstdElsewhere = promisify<Buffer, Buffer>(zstdCompress)

/**
 * Decompresses the records of a batch into at most `maxBytes` bytes. For `none` the same Buffer comes
 * back, unbounded: it is there already. Throws `StorageError`: MESSAGE_TOO_LARGE past `maxBytes`,
 * CORRUPT_MESSAGE when the bytes are not exactly one compressed stream, cut nowhere, followed by nothing.
 *
 * With `scratch` the result may be a view of it, good until its owner uses it again: for a caller that
 * looks and lets go. LZ4 does, and is a third faster for not touching new memory.
 */
export function decompress(
  name: CompressionName,
  bytes: Buffer,
  maxBytes: number,
  scratch?: Buffer,
): Buffer {
  switch (name) {
    case 'none':
      return bytes
    case 'gzip':
      return inflate('gzip', gunzipSync, bytes, maxBytes)
    case 'snappy':
      return decodeSnappy(bytes, maxBytes)
    case 'lz4':
      return decodeLz4Frame(bytes, maxBytes, scratch)
    case 'zstd':
      return inflate('zstd', zstdDecompressSync, bytes, maxBytes)
  }
}

/** What Node returns under `info: true`; its types only know the Buffer. */
interface InflateResult {
  readonly buffer: Buffer
  /** `bytesWritten`: how much of the input was consumed. */
  readonly engine: { readonly bytesWritten: number }
}

/** gzip and zstd: Node stops at `maxOutputLength`, and collects chunks until there, never a claimed size. */
function inflate(
  name: CompressionName,
  decode: typeof gunzipSync | typeof zstdDecompressSync,
  bytes: Buffer,
  maxBytes: number,
): Buffer {
  let result: InflateResult
  try {
    // Node wants a positive limit; a batch whose records take no byte at all is refused anyway.
    const options = { maxOutputLength: Math.max(1, maxBytes), info: true }
    result = decode(bytes, options as ZlibOptions & ZstdOptions) as unknown as InflateResult
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge(name, maxBytes)
    }
    throw corrupt(`${name}: ${(cause as Error).message}`, cause)
  }
  const consumed = result.engine.bytesWritten
  if (consumed !== bytes.length) {
    throw corrupt(`${name}: ${bytes.length - consumed} bytes follow the end of the stream`)
  }
  return result.buffer
}
