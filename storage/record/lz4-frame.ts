/**
 * The LZ4 frame: what stands around LZ4 blocks in a batch. The frame is ours, the blocks are decoded by
 * `lz4-napi`, whose own frame call knows no limit and forgives a missing end mark, trailing bytes and
 * legacy frames. Source: "LZ4 Frame Format Description" 1.6.
 *
 *   magic 4 | FLG 1 | BD 1 | [contentSize 8] | headerChecksum 1 | block … | endMark 4 | [contentChecksum 4]
 *   block: size 4 (high bit: stored as it is) | bytes | [blockChecksum 4]            (little-endian)
 *
 * Read: version 01, independent blocks of 64 KiB to 4 MiB, every checksum that is announced, exactly one
 * frame. Refused, as Kafka does: dependent blocks, dictionaries, legacy and skippable frames.
 * Written: independent 64 KiB blocks without checksums (the batch's CRC covers them), as Kafka's Java
 * client does.
 *
 * Memory: the sizes of all blocks are looked through first, which bounds the output (LZ4 makes at most
 * 255 bytes of one); then one buffer of that bound, capped by the caller's, takes every block.
 */

import { createRequire } from 'node:module'
import { corrupt, tooLarge } from './decode-errors.ts'
import { readUnsigned64LittleEndian } from './int64.ts'
import { release } from './native-memory.ts'
import { xxHash32 } from './xxhash32.ts'

/** A block in front of which 4 little-endian bytes say how large it may become. */
interface Lz4 {
  compressSync(bytes: Buffer): Buffer
  /** On a thread of its own; `bytes` must stay as they are until then. */
  compress(bytes: Buffer): Promise<Buffer>
  uncompressSync(sizedBlock: Buffer): Buffer
}

const MAGIC = 0x184d2204
const MAGIC_BYTES = 4
const FLAGS_AT = MAGIC_BYTES
const BLOCK_MAXIMUM_AT = FLAGS_AT + 1
const CONTENT_SIZE_AT = BLOCK_MAXIMUM_AT + 1
const CONTENT_SIZE_BYTES = 8
const HEADER_CHECKSUM_BYTES = 1
const HEADER_BYTES_MIN = CONTENT_SIZE_AT + HEADER_CHECKSUM_BYTES
const SIZE_BYTES = 4
const CHECKSUM_BYTES = 4
const END_MARK_BYTES = SIZE_BYTES

const VERSION_MASK = 0xc0
const VERSION_01 = 0x40
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const RESERVED_FLAG = 0x02
const DICTIONARY_ID = 0x01
const BLOCK_MAXIMUM_RESERVED_MASK = 0x8f
const STORED_BIT = 0x8000_0000

const WRITTEN_BLOCK_BYTES = 64 * 1024
/** Version 01, independent blocks, nothing else; 64 KiB; and the second byte of their xxHash32. */
const WRITTEN_HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])

/** A length byte in a block adds at most 255 to what it makes, and no other byte adds as much. */
const EXPANSION_MAX = 255

/**
 * A block costs a native call, however short it is: 8 MiB of blocks of one byte would hold the event loop
 * for seconds. A full block of 64 KiB takes at least 257 bytes, so honest frames, whose last block alone
 * is short, stay far below this; the allowance is for writers that flush now and then.
 */
const BLOCK_BYTES_MEAN_MIN = 128
const SHORT_BLOCKS_MAX = 64

interface FrameHeader {
  readonly bytes: number
  readonly blockBytesMax: number
  readonly hasBlockChecksums: boolean
  readonly hasContentChecksum: boolean
  readonly contentBytes: number | undefined
}

let native: Lz4 | undefined

/** `bytes` as one LZ4 frame, behind `front` bytes for the caller, in memory of `allocate`. */
export function encodeLz4Frame(bytes: Buffer, front = 0, allocate = newMemory): Buffer {
  native ??= load()
  const lz4 = native
  const blocks = blocksOf(bytes)
  const sized = blocks.map((block) => lz4.compressSync(block))
  return frameOf(blocks, sized, front, allocate)
}

/** The same frame, its blocks compressed on other threads; `bytes` must stay as they are until then. */
export async function encodeLz4FrameElsewhere(
  bytes: Buffer,
  front = 0,
  allocate = newMemory,
): Promise<Buffer> {
  native ??= load()
  const lz4 = native
  const blocks = blocksOf(bytes)
  const sized = await Promise.all(blocks.map((block) => lz4.compress(block)))
  return frameOf(blocks, sized, front, allocate)
}

/** Gives memory that nobody else uses. */
export type Allocate = (bytes: number) => Buffer

export const newMemory: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes)

/** Each block as it is, or as the library compressed it. */
function frameOf(
  blocks: readonly Buffer[],
  sized: readonly Buffer[],
  front: number,
  allocate: Allocate,
): Buffer {
  const stored = sized.reduce(
    (sum, { length }, at) => sum + Math.min(length - SIZE_BYTES, blocks[at]!.length),
    0,
  )
  const output = allocate(front + stored + frameOverhead(blocks.length))
  let at = front + WRITTEN_HEADER.copy(output, front)
  for (const [index, block] of blocks.entries()) {
    at = writeBlock(block, sized[index]!, output, at)
  }
  output.writeUInt32LE(0, at)
  return output
}

/** What stands around the blocks. */
function frameOverhead(blockCount: number): number {
  return WRITTEN_HEADER.length + blockCount * SIZE_BYTES + END_MARK_BYTES
}

function blocksOf(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let start = 0; start < bytes.length; start += WRITTEN_BLOCK_BYTES) {
    blocks.push(bytes.subarray(start, start + WRITTEN_BLOCK_BYTES))
  }
  return blocks
}

/**
 * The content of the one frame in `frame`, at most `maxBytes`. Throws `StorageError` MESSAGE_TOO_LARGE
 * beyond that, CORRUPT_MESSAGE for anything that is not such a frame from first to last byte. Where the
 * content is sure to fit `scratch`, it is put there instead of into new memory.
 */
export function decodeLz4Frame(frame: Buffer, maxBytes: number, scratch?: Buffer): Buffer {
  const header = readHeader(frame)
  if (header.contentBytes !== undefined && header.contentBytes > maxBytes) {
    throw tooLarge('lz4', maxBytes)
  }
  const room = Math.min(contentBound(frame, header), maxBytes)
  const output =
    scratch !== undefined && room <= scratch.length
      ? scratch.subarray(0, room)
      : Buffer.allocUnsafeSlow(room)
  const content = output.subarray(0, decodeBlocks(frame, header, output, maxBytes))
  if (header.contentBytes !== undefined && header.contentBytes !== content.length) {
    throw corrupt(
      `lz4: content size is ${header.contentBytes}, content has ${content.length} bytes`,
    )
  }
  if (header.hasContentChecksum) {
    checkHash('content', content, frame.readUInt32LE(frame.length - CHECKSUM_BYTES))
  }
  return content
}

function readHeader(frame: Buffer): FrameHeader {
  if (frame.length < HEADER_BYTES_MIN) throw corrupt('lz4: the frame header is cut short')
  if (frame.readUInt32LE(0) !== MAGIC) throw corrupt('lz4: no frame magic at the front')
  const flags = frame.readUInt8(FLAGS_AT)
  if ((flags & VERSION_MASK) !== VERSION_01) throw corrupt('lz4: the frame version is not 01')
  if ((flags & RESERVED_FLAG) !== 0) throw corrupt('lz4: a reserved flag is set')
  if ((flags & INDEPENDENT_BLOCKS) === 0) throw corrupt('lz4: dependent blocks are not supported')
  if ((flags & DICTIONARY_ID) !== 0) throw corrupt('lz4: dictionaries are not supported')
  const hasContentSize = (flags & CONTENT_SIZE) !== 0
  const checksumAt = CONTENT_SIZE_AT + (hasContentSize ? CONTENT_SIZE_BYTES : 0)
  if (frame.length < checksumAt + HEADER_CHECKSUM_BYTES) {
    throw corrupt('lz4: the frame header is cut short')
  }
  const hash = (xxHash32(frame.subarray(FLAGS_AT, checksumAt)) >>> 8) & 0xff
  if (hash !== frame.readUInt8(checksumAt)) throw corrupt('lz4: the header checksum does not match')
  return {
    bytes: checksumAt + HEADER_CHECKSUM_BYTES,
    blockBytesMax: readBlockMaximum(frame.readUInt8(BLOCK_MAXIMUM_AT)),
    hasBlockChecksums: (flags & BLOCK_CHECKSUMS) !== 0,
    hasContentChecksum: (flags & CONTENT_CHECKSUM) !== 0,
    contentBytes: hasContentSize ? readUnsigned64LittleEndian(frame, CONTENT_SIZE_AT) : undefined,
  }
}

/** Codes 4 to 7 stand for 64 KiB, 256 KiB, 1 MiB and 4 MiB. */
function readBlockMaximum(descriptor: number): number {
  const code = descriptor >> 4
  if ((descriptor & BLOCK_MAXIMUM_RESERVED_MASK) !== 0 || code < 4) {
    throw corrupt(`lz4: block descriptor 0x${descriptor.toString(16)} is not one of four sizes`)
  }
  return 2 ** (8 + 2 * code)
}

/** Walks the block sizes to the end mark and the frame's last byte; returns the most they can become. */
function contentBound(frame: Buffer, header: FrameHeader): number {
  let bound = 0
  let at = header.bytes
  let blocksLeft = SHORT_BLOCKS_MAX + frame.length / BLOCK_BYTES_MEAN_MIN
  for (;;) {
    if (at + SIZE_BYTES > frame.length) throw corrupt('lz4: the end mark is missing')
    const word = frame.readUInt32LE(at)
    if (word === 0) break
    blocksLeft -= 1
    if (blocksLeft < 0) throw corrupt(`lz4: too many short blocks in ${frame.length} bytes`)
    const size = word % STORED_BIT
    if (size === 0 || size > header.blockBytesMax) {
      throw corrupt(`lz4: block of ${size} bytes, allowed are 1 to ${header.blockBytesMax}`)
    }
    const expanded = Math.min(size * EXPANSION_MAX, header.blockBytesMax)
    bound += word >= STORED_BIT ? size : expanded
    at += SIZE_BYTES + size + (header.hasBlockChecksums ? CHECKSUM_BYTES : 0)
  }
  const end = at + END_MARK_BYTES + (header.hasContentChecksum ? CHECKSUM_BYTES : 0)
  if (end > frame.length) throw corrupt('lz4: the content checksum is missing')
  if (end < frame.length) throw corrupt(`lz4: ${frame.length - end} bytes follow the frame`)
  return bound
}

/** Decodes every block, whose sizes `contentBound` has checked, into `output`; returns the bytes made. */
function decodeBlocks(
  frame: Buffer,
  header: FrameHeader,
  output: Buffer,
  maxBytes: number,
): number {
  let made = 0
  let at = header.bytes
  for (let word = frame.readUInt32LE(at); word !== 0; word = frame.readUInt32LE(at)) {
    const size = word % STORED_BIT
    const start = at + SIZE_BYTES
    const stored = frame.subarray(start, start + size)
    at = start + size
    if (header.hasBlockChecksums) {
      checkHash('block', stored, frame.readUInt32LE(at))
      at += CHECKSUM_BYTES
    }
    const room = output.length - made
    if (word >= STORED_BIT) {
      if (size > room) throw tooLarge('lz4', maxBytes)
      made += stored.copy(output, made)
    } else {
      const block = decodeBlock(stored, header, room, maxBytes)
      made += block.copy(output, made)
      release(block)
    }
  }
  return made
}

/** One block, into at most `room` bytes: less than it may need only where `maxBytes` cut the output. */
function decodeBlock(block: Buffer, header: FrameHeader, room: number, maxBytes: number): Buffer {
  const expanded = Math.min(block.length * EXPANSION_MAX, header.blockBytesMax)
  const sized = Buffer.allocUnsafe(SIZE_BYTES + block.length)
  sized.writeUInt32LE(Math.min(expanded, room), 0)
  block.copy(sized, SIZE_BYTES)
  try {
    native ??= load()
    return native.uncompressSync(sized)
  } catch (cause) {
    const message = (cause as Error).message
    if (room < expanded && message.includes('too small')) throw tooLarge('lz4', maxBytes)
    throw corrupt(`lz4: ${message}`, cause)
  }
}

/**
 * One block at `at`, as `sized` (the library's: 4 bytes of its size, then itself), or its bytes as they
 * are when compressing gains nothing; returns where it ends.
 */
function writeBlock(bytes: Buffer, sized: Buffer, output: Buffer, at: number): number {
  const size = sized.length - SIZE_BYTES
  const gains = size < bytes.length
  output.writeUInt32LE(gains ? size : STORED_BIT + bytes.length, at)
  const start = at + SIZE_BYTES
  const end = start + (gains ? sized.copy(output, start, SIZE_BYTES) : bytes.copy(output, start))
  release(sized)
  return end
}

function checkHash(what: string, bytes: Buffer, expected: number): void {
  const actual = xxHash32(bytes)
  if (actual !== expected) throw corrupt(`lz4: the ${what} checksum does not match`)
}

function load(): Lz4 {
  return createRequire(import.meta.url)('lz4-napi') as Lz4
}
