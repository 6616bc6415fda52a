/**
 * Reads one closed segment piece by piece, for somebody who uses each up to its last whole batch, and makes
 * sure that it was all there: from its first offset to that of the next segment.
 */

import { MESSAGE_BYTES_MAX } from '../config.ts'
import { StorageError } from '../errors.ts'
import { corruption } from '../log/batch-scanner.ts'
import type { Segment } from '../log/segment.ts'
import { type Offset, type Position, toPosition } from '../record/offsets.ts'
import { RECORD_BATCH_HEADER_BYTES } from '../record/record-batch.ts'
import type { Piece, PieceProblem, PieceUsed } from './compaction-work.ts'
import type { Pace } from './pace.ts'
import type { LogPlace } from './whole-batches.ts'

export interface SegmentRange {
  /** Where a batch begins; absent: the first one. */
  readonly from?: Position
  /** Where the next segment begins. */
  readonly endOffset: Offset
}

export interface ReadLimits {
  readonly bufferBytes: number
  readonly maxDecompressedBytes: number
  readonly pace: Pace
}

/** `use` may return `isFull` to read no further. Returns the bytes that were used. */
export async function readPieces(
  segment: Segment,
  { from = toPosition(0), endOffset }: SegmentRange,
  { bufferBytes, maxDecompressedBytes, pace }: ReadLimits,
  use: (piece: Piece) => Promise<PieceUsed & { readonly isFull?: boolean }>,
): Promise<number> {
  // No CRC was looked at when memory is taken for a batch: a length that went bad must not take the segment's.
  const batchBytesMax =
    RECORD_BATCH_HEADER_BYTES + Math.max(MESSAGE_BYTES_MAX, maxDecompressedBytes)
  let position: number = from
  let place: LogPlace = { nextOffset: from === 0 ? segment.baseOffset : -1, leaderEpoch: -1 }
  let neededBytes = RECORD_BATCH_HEADER_BYTES
  let memory = new Uint8Array(0)
  while (position < segment.sizeBytes) {
    const leftBytes = segment.sizeBytes - position
    if (neededBytes > leftBytes) {
      throw unsound(segment, position, `a batch needs ${neededBytes} bytes, ${leftBytes} remain`)
    }
    if (neededBytes > batchBytesMax) {
      throw unsound(segment, position, `a batch needs ${neededBytes} bytes, and none has as many`)
    }
    const wantedBytes = Math.min(Math.max(bufferBytes, neededBytes), leftBytes)
    if (memory.length < wantedBytes)
      memory = new Uint8Array(Buffer.allocUnsafeSlow(wantedBytes).buffer)
    const bytes = memory.subarray(0, wantedBytes)
    if ((await segment.file.read(bytes, position)) < wantedBytes) {
      throw unsound(segment, position, `the file ends within ${wantedBytes} bytes`)
    }
    await pace.moved(wantedBytes)
    const used = await use({ ...place, bytes })
    if (used.problem !== undefined) throw problemIn(segment, position, used.problem)
    position += used.usedBytes
    if (used.isFull === true) return position - from
    place = used
    neededBytes = used.neededBytes
    memory = new Uint8Array(used.bytes.buffer)
  }
  if (place.nextOffset !== endOffset) {
    const reason = `it ends before offset ${place.nextOffset}, the next segment begins at ${endOffset}`
    throw unsound(segment, position, reason)
  }
  return position - from
}

function unsound(segment: Segment, position: number, reason: string): StorageError {
  return corruption(segment.file.path, { position: toPosition(position), reason })
}

function problemIn(segment: Segment, pieceAt: number, problem: PieceProblem): StorageError {
  const position = toPosition(pieceAt + problem.at)
  const { reason } = problem
  if (problem.isCorruption) return corruption(segment.file.path, { position, reason })
  return new StorageError(
    'KAFKA_STORAGE_ERROR',
    `the batch at byte ${position} of the segment at ${segment.baseOffset} cannot be compacted: ${reason}`,
  )
}
