/**
 * Snappy as Kafka clients write it, which is two ways: one raw snappy block (librdkafka, and we), or the
 * framing of the Java library "snappy-java" ("xerial"): an 8-byte magic, two version numbers, then
 * blocks of {length, raw snappy block}. Both are read, raw is written.
 *
 * A raw block opens with its decompressed length, which the native library believes and allocates. So
 * that length is read here first and held against the caller's bound and against what snappy can reach
 * at all; the frame's blocks are measured together before any is decoded.
 */

import { createRequire } from 'node:module'
import { corrupt, tooLarge } from './decode-errors.ts'
import { release } from './native-memory.ts'

interface Snappy {
  compressSync(bytes: Buffer, options: { copyOutputData: true }): Buffer
  uncompressSync(bytes: Buffer, options: { asBuffer: true; copyOutputData: true }): Buffer
}

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]) // "\x82SNAPPY\0"
const XERIAL_VERSIONS_BYTES = 8 // version and lowest compatible version, int32 each; nobody looks at them
const XERIAL_HEADER_BYTES = XERIAL_MAGIC.length + XERIAL_VERSIONS_BYTES
const BLOCK_LENGTH_BYTES = 4

/** Snappy's densest element makes 64 bytes of 3; a block that claims more than this is lying. */
const EXPANSION_MAX = 64 / 3
const LENGTH_VARINT_BYTES_MAX = 5

/** As in `lz4-frame`: a native call a block, so blocks are not to be tiny. Java's hold 32 KiB of content. */
const BLOCK_BYTES_MEAN_MIN = 128
const SHORT_BLOCKS_MAX = 64

let native: Snappy | undefined

/** One raw snappy block. */
export function encodeSnappy(bytes: Buffer): Buffer {
  return snappy().compressSync(bytes, { copyOutputData: true })
}

/**
 * Decodes a raw block or a xerial stream into at most `maxBytes`. Throws `StorageError`
 * MESSAGE_TOO_LARGE or CORRUPT_MESSAGE.
 */
export function decodeSnappy(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length >= XERIAL_HEADER_BYTES && startsWithMagic(bytes)) {
    return decodeXerial(bytes, maxBytes)
  }
  if (claimedBytes(bytes) > maxBytes) throw tooLarge('snappy', maxBytes)
  return decodeBlock(bytes)
}

function decodeXerial(bytes: Buffer, maxBytes: number): Buffer {
  let total = 0
  forEachBlock(bytes, (block) => {
    total += claimedBytes(block)
    if (total > maxBytes) throw tooLarge('snappy', maxBytes)
  })
  const output = Buffer.allocUnsafeSlow(total)
  let at = 0
  forEachBlock(bytes, (block) => {
    const content = decodeBlock(block)
    at += content.copy(output, at)
    release(content)
  })
  return output
}

function forEachBlock(bytes: Buffer, visit: (block: Buffer) => void): void {
  let at = XERIAL_HEADER_BYTES
  let blocksLeft = SHORT_BLOCKS_MAX + bytes.length / BLOCK_BYTES_MEAN_MIN
  while (at < bytes.length) {
    blocksLeft -= 1
    if (blocksLeft < 0) throw corrupt(`snappy: too many short blocks in ${bytes.length} bytes`)
    if (at + BLOCK_LENGTH_BYTES > bytes.length) throw corrupt('snappy: a block length is cut short')
    const length = bytes.readInt32BE(at)
    const start = at + BLOCK_LENGTH_BYTES
    if (length <= 0 || length > bytes.length - start) {
      throw corrupt(`snappy: block of ${length} bytes where ${bytes.length - start} are left`)
    }
    visit(bytes.subarray(start, start + length))
    at = start + length
  }
}

/** The decompressed length at the front of a raw block: an unsigned varint, checked for sense. */
function claimedBytes(block: Buffer): number {
  let claimed = 0
  for (let index = 0; index < LENGTH_VARINT_BYTES_MAX && index < block.length; index++) {
    const byte = block[index]!
    claimed += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) {
      if (claimed > block.length * EXPANSION_MAX) {
        throw corrupt(`snappy: ${block.length} bytes claim to become ${claimed}`)
      }
      return claimed
    }
  }
  throw corrupt('snappy: no decompressed length at the front')
}

/** The native library checks that the block makes exactly the length it claims. */
function decodeBlock(block: Buffer): Buffer {
  try {
    return snappy().uncompressSync(block, { asBuffer: true, copyOutputData: true })
  } catch (cause) {
    throw corrupt((cause as Error).message, cause)
  }
}

function startsWithMagic(bytes: Buffer): boolean {
  return bytes.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, 0, XERIAL_MAGIC.length) === 0
}

function snappy(): Snappy {
  native ??= createRequire(import.meta.url)('snappy') as Snappy
  return native
}
