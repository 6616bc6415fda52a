/**
 * Finds a whole, valid batch anywhere in a stretch of bytes: the sign that bytes before it had once been
 * synced. Used only after a crash, on the little that lies above the recovery point. Its work is bounded:
 * a candidate must look like a header before its CRC is computed, and the CRCs together may not read more
 * than a fixed multiple of the stretch.
 */

import type { StorageFile } from '../file/file-system.ts'
import {
  headerProblem,
  MAGIC,
  MAGIC_AT,
  peekBatchSize,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatch,
} from '../record/record-batch.ts'

/** Bytes that may be read for CRCs, for each byte searched: crafted contents must not make it quadratic. */
const CRC_WORK_FACTOR = 8
const WINDOW_BYTES = 1024 * 1024

export interface TailSearch {
  readonly from: number
  readonly to: number
  /** Offsets rise and epochs do not fall: a batch of an older life of these blocks does not count. */
  readonly minBaseOffset: number
  readonly maxLeaderEpoch: number
}

/** The position of the first valid batch in `[from, to)`, or `undefined`. */
export async function findBatchAfter(
  file: StorageFile,
  search: TailSearch,
): Promise<number | undefined> {
  let crcBytesLeft = (search.to - search.from) * CRC_WORK_FACTOR
  const window = Buffer.allocUnsafe(WINDOW_BYTES + RECORD_BATCH_HEADER_BYTES)
  for (let windowAt = search.from; windowAt < search.to; windowAt += WINDOW_BYTES) {
    const wanted = Math.min(window.length, search.to - windowAt)
    const bytes = window.subarray(0, await file.read(window.subarray(0, wanted), windowAt))
    for (let at = nextMagic(bytes, 0); at >= 0; at = nextMagic(bytes, at + 1)) {
      if (at >= WINDOW_BYTES) break
      const sizeBytes = candidateBytes(bytes, at, search, windowAt)
      if (sizeBytes === undefined || sizeBytes > crcBytesLeft) continue
      crcBytesLeft -= sizeBytes
      if (await hasValidCrc(file, windowAt + at, sizeBytes)) return windowAt + at
    }
  }
  return undefined
}

/** Where the next header could begin, judged by its magic byte; -1 when none fits into `bytes`. */
function nextMagic(bytes: Buffer, from: number): number {
  const magicAt = bytes.indexOf(MAGIC, from + MAGIC_AT)
  if (magicAt < 0) return -1
  const at = magicAt - MAGIC_AT
  return at + RECORD_BATCH_HEADER_BYTES <= bytes.length ? at : -1
}

function candidateBytes(
  bytes: Buffer,
  at: number,
  search: TailSearch,
  windowAt: number,
): number | undefined {
  const sizeBytes = peekBatchSize(bytes, at)
  if (sizeBytes < RECORD_BATCH_HEADER_BYTES || windowAt + at + sizeBytes > search.to)
    return undefined
  const batch = new RecordBatch(bytes.subarray(at, at + RECORD_BATCH_HEADER_BYTES))
  if (headerProblem(batch) !== undefined) return undefined
  if (batch.baseOffset < search.minBaseOffset) return undefined
  if (batch.leaderEpoch < 0 || batch.leaderEpoch > search.maxLeaderEpoch) return undefined
  return sizeBytes
}

async function hasValidCrc(
  file: StorageFile,
  position: number,
  sizeBytes: number,
): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(sizeBytes)
  if ((await file.read(bytes, position)) < sizeBytes) return false
  return new RecordBatch(bytes).hasValidCrc()
}
