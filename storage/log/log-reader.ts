/**
 * Reading one log: by offset, as whole record batches in one positioned read, and by time. Bytes go out as
 * they lie in the file; only a look-up by time decodes a batch, and only one. How far a reader may see
 * is told by the caller (`ReadLimit`), never decided here.
 */

import { StorageError } from '../errors.ts'
import { readRecords } from '../record/batch-reader.ts'
import { type Offset, type Position, toOffset, toPosition } from '../record/offsets.ts'
import { peekBatchSize, RECORD_BATCH_HEADER_BYTES, RecordBatch } from '../record/record-batch.ts'
import { BatchScanner, corruption } from './batch-scanner.ts'
import type { Segment } from './segment.ts'
import type { SegmentList } from './segment-list.ts'

/** The first offset a reader may not see, and where the visible bytes end in the segment that grows. */
export interface ReadLimit {
  readonly offset: Offset
  /** The segment that was active when the limit was taken; it may have rolled since. */
  readonly segment: Segment
  readonly position: Position
}

export interface LogRead {
  /** Whole batches; the first one holds the offset asked for. */
  readonly bytes: Buffer
  /** Where to read on. */
  readonly nextOffset: Offset
  readonly logStartOffset: Offset
  readonly highWatermark: Offset
}

export interface BatchesRead {
  /** Whole batches; the first one holds the offset asked for, or is the next one there is. */
  readonly bytes: Buffer
  /** One past the last offset in `bytes`; the offset asked for when `bytes` is empty. */
  readonly nextOffset: Offset
}

export interface ReadWish {
  /** Whole batches up to so many bytes, but at least one batch. */
  readonly maxBytes: number
  /** A first batch larger than this is not read at all; any may be when absent. */
  readonly firstBytesMax?: number | undefined
  /**
   * Memory for at least so many bytes. Not from Node's shared pool, since reads are large and live until
   * a socket took them; a caller who knows when that is can use the same memory again.
   */
  readonly allocate?: ((bytes: number) => Buffer) | undefined
}

const NOTHING = Buffer.alloc(0)

/**
 * Batches from `from` on: as many whole ones as `wish` allows.
 * The caller has checked `from` against the log's bounds. One read of the disk in the common case; two
 * when the first batch is larger than `maxBytes`.
 */
export async function readBatches(
  segments: SegmentList,
  from: Offset,
  limit: ReadLimit,
  wish: ReadWish,
): Promise<BatchesRead> {
  let segment: Segment | undefined = segments.holding(from)
  while (segment !== undefined) {
    const reading: Segment = segment
    const end = visibleBytes(reading, limit)
    const next = segments.after(reading)
    const read = await reading.whileReading(() => readFrom(reading, from, end, limit, wish))
    if (read !== undefined) return read
    if (next !== undefined && next.baseOffset > from) throw endsTooEarly(reading, end, next)
    segment = next
  }
  return { bytes: NOTHING, nextOffset: from }
}

/** A segment reaches to the next one, also when it is compacted; a gap would be read over in silence. */
function endsTooEarly(segment: Segment, end: number, next: Segment): StorageError {
  const reason = `the file ends before offset ${next.baseOffset}, where the next segment begins`
  return corruption(segment.file.path, { position: toPosition(end), reason })
}

function visibleBytes(segment: Segment, limit: ReadLimit): number {
  if (segment === limit.segment) return limit.position
  return segment.baseOffset >= limit.offset ? 0 : segment.sizeBytes
}

async function readFrom(
  segment: Segment,
  from: Offset,
  end: number,
  limit: ReadLimit,
  {
    maxBytes,
    firstBytesMax = Number.POSITIVE_INFINITY,
    allocate = Buffer.allocUnsafeSlow,
  }: ReadWish,
): Promise<BatchesRead | undefined> {
  const position = await segment.positionOf(from, end)
  if (position >= end) return undefined
  if (end - position < RECORD_BATCH_HEADER_BYTES) {
    throw corruption(segment.file.path, { position, reason: `only ${end - position} bytes remain` })
  }
  const wanted = Math.min(Math.max(maxBytes, RECORD_BATCH_HEADER_BYTES), end - position)
  let bytes = await readExactly(segment, position, allocate(wanted).subarray(0, wanted))
  const firstBytes = peekBatchSize(bytes, 0)
  if (firstBytes < RECORD_BATCH_HEADER_BYTES || firstBytes > end - position) {
    throw corruption(segment.file.path, { position, reason: `batch length ${firstBytes}` })
  }
  if (firstBytes > firstBytesMax) return { bytes: NOTHING, nextOffset: from }
  if (firstBytes > bytes.length) {
    bytes = await readExactly(segment, position, allocate(firstBytes).subarray(0, firstBytes))
  }
  return wholeBatches(segment, bytes, position, from, limit.offset)
}

async function readExactly(segment: Segment, position: Position, buffer: Buffer): Promise<Buffer> {
  const read = await segment.file.read(buffer, position)
  if (read === buffer.length) return buffer
  throw corruption(segment.file.path, {
    position,
    reason: `the file ends ${buffer.length - read} bytes too early`,
  })
}

/**
 * Cuts `bytes` after the last whole batch that begins below `limitOffset`. The checksum does not cover the
 * base offset, so that is checked by continuity: what comes before a break in it is still handed out, and
 * the next read, which begins there, fails.
 */
function wholeBatches(
  segment: Segment,
  bytes: Buffer,
  position: Position,
  from: Offset,
  limitOffset: Offset,
): BatchesRead {
  let end = 0
  let nextOffset: Offset = from
  while (bytes.length - end >= RECORD_BATCH_HEADER_BYTES) {
    const sizeBytes = peekBatchSize(bytes, end)
    const isWhole = sizeBytes >= RECORD_BATCH_HEADER_BYTES && end + sizeBytes <= bytes.length
    if (!isWhole && end > 0) break
    const batch = new RecordBatch(bytes.subarray(end, isWhole ? end + sizeBytes : bytes.length))
    const holds = end === 0 ? batch.baseOffset <= from : batch.baseOffset === nextOffset
    if (end > 0 && (!holds || batch.baseOffset >= limitOffset)) break
    if (!isWhole || !holds || batch.lastOffset < from) {
      const reason = `a batch of ${sizeBytes} bytes, offsets ${batch.baseOffset} to ${batch.lastOffset}, where ${from} should be`
      throw corruption(segment.file.path, { position, reason })
    }
    nextOffset = batch.nextOffset
    end += sizeBytes
  }
  if (end > 0) segment.leaveHint(nextOffset, toPosition(position + end))
  return { bytes: bytes.subarray(0, end), nextOffset }
}

export interface TimedOffset {
  readonly offset: Offset
  readonly timestamp: number
}

/**
 * The first record at or after `timestamp` (Kafka's ListOffsets): the lowest offset, from `from` on and
 * below the limit, whose timestamp is not before it. `undefined` when there is none.
 */
export async function findByTime(
  segments: SegmentList,
  timestamp: number,
  from: Offset,
  limit: ReadLimit,
  maxDecompressedBytes: number,
): Promise<TimedOffset | undefined> {
  // By offset, not down a list: segments are deleted, and made into one, while we look.
  let segment: Segment | undefined = segments.holding(from)
  while (segment !== undefined) {
    const looked: Segment = segment
    const end = visibleBytes(looked, limit)
    const next = segments.after(looked)?.baseOffset
    const found = await looked.whileReading(async () => {
      if ((await looked.maxTimestamp()) < timestamp) return undefined
      return findInSegment(looked, timestamp, from, end, limit.offset, maxDecompressedBytes)
    })
    if (found !== undefined) return found
    segment = next === undefined || next >= limit.offset ? undefined : segments.holding(next)
  }
  return undefined
}

async function findInSegment(
  segment: Segment,
  timestamp: number,
  from: Offset,
  end: number,
  limitOffset: Offset,
  maxDecompressedBytes: number,
): Promise<TimedOffset | undefined> {
  const notBefore = Math.max(await segment.offsetBefore(timestamp), from)
  const scanner = new BatchScanner(segment.file, {
    from: await segment.positionOf(toOffset(notBefore), end),
    to: end,
    chunkBytes: 64 * 1024,
  })
  while (true) {
    const batch = scanner.take()
    if (batch === undefined) {
      if (await scanner.fill()) continue
      if (scanner.problem !== undefined) throw corruption(segment.file.path, scanner.problem)
      return undefined
    }
    if (batch.baseOffset >= limitOffset) return undefined
    if (batch.maxTimestamp < timestamp) continue
    const buffer = Buffer.allocUnsafeSlow(batch.sizeBytes)
    const bytes = await readExactly(segment, scanner.takenPosition, buffer)
    const found = findInBatch(new RecordBatch(bytes), timestamp, from, maxDecompressedBytes)
    if (found !== undefined) return found
  }
}

function findInBatch(
  batch: RecordBatch,
  timestamp: number,
  from: Offset,
  maxDecompressedBytes: number,
): TimedOffset | undefined {
  for (const record of readRecords(batch, { maxDecompressedBytes })) {
    if (record.timestamp >= timestamp && record.offset >= from) {
      return { offset: record.offset, timestamp: record.timestamp }
    }
  }
  return undefined
}

/** The error for an offset that is not, or not any more, in the log. */
export function outOfRange(
  from: number,
  logStartOffset: number,
  highWatermark: number,
): StorageError {
  return new StorageError(
    'OFFSET_OUT_OF_RANGE',
    `offset ${from} is not between logStartOffset ${logStartOffset} and highWatermark ${highWatermark}`,
    { values: { offset: from, logStartOffset, highWatermark } },
  )
}
