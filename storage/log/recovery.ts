/**
 * Opening one log after a stop, clean or not. Below the recovery point every byte was synced: a bad one
 * is corruption, and the log is refused. Above it lies the tail of the last group that was being written:
 * it is kept as far as it is whole, and cut from the first bad byte on.
 *
 *     active segment  │ headers only         │ whole batches, CRCs   │ torn
 *                     0                      recovery point          p = first bad byte      end of file
 *                                            └─ rewritten in place ──┘ └─ cut ─────────────────────────┘
 *
 * Rewritten, because the page cache lies: after a failed sync it shows good bytes that the disk never got,
 * so only a fresh write and a sync prove them. And if a valid batch begins further behind p than one
 * group can reach, then p had been synced once: that is corruption too, not a torn tail.
 */

import type { RecoveryPoint, RecoveryPointFile } from '../file/recovery-point.ts'
import { type Offset, type Position, toPosition } from '../record/offsets.ts'
import type { RecordBatch } from '../record/record-batch.ts'
import { BatchScanner, corruption, SCAN_CHUNK_BYTES, type ScanProblem } from './batch-scanner.ts'
import type { ProducerState } from './producer-state.ts'
import type { Segment } from './segment.ts'
import { emptyIndexes, type LogFiles } from './segment-files.ts'
import { findBatchAfter } from './tail-search.ts'

export interface RecoveryRules {
  readonly indexIntervalBytes: number
  /** A torn group reaches at most this far behind its first bad byte. */
  readonly groupBytesMax: number
}

/** What the walk over the active segment is asked and told. */
interface Walk {
  readonly segment: Segment
  /** Bytes of the file as found. */
  readonly fileBytes: number
  /** Everything below it was synced, and a batch ends there. */
  readonly bound: Position
  /** The offset after that batch. */
  readonly boundOffset: Offset
  /** Relaxed flush: many groups may be unsynced, so only the bound protects. */
  readonly isRelaxed: boolean
  /** Producers' batches from here on are noted; earlier ones are in the snapshot. */
  readonly producersFrom: Offset
  readonly leaderEpoch: number
}

export interface Recovered {
  readonly endOffset: Offset
  readonly sizeBytes: number
  /** Bytes cut off the end; 0 when the last write was whole. */
  readonly cutBytes: number
}

/**
 * Brings the active segment of an uncleanly stopped log to its end: indexes rebuilt, tail rewritten,
 * synced and cut, producers noted. Nothing of it is exposed before this returns. Throws
 * `KAFKA_STORAGE_ERROR` naming file and position where the log is corrupt.
 */
export async function recoverActiveSegment(
  files: LogFiles,
  walk: Walk,
  producers: ProducerState,
  rules: RecoveryRules,
  nowMs: number,
): Promise<Recovered> {
  const { segment, fileBytes, bound } = walk
  if (fileBytes < bound) {
    throw corruption(segment.file.path, {
      position: toPosition(fileBytes),
      reason: `the file ends here, but bytes up to ${bound} were synced`,
    })
  }
  segment.activate(emptyIndexes(segment.baseOffset), undefined)
  const { endOffset, problem } = await walkBatches(walk, producers, rules, nowMs)
  const end = segment.sizeBytes
  if (problem !== undefined) await refuseIfSynced(walk, problem, endOffset, rules)
  await rewrite(segment, bound, end)
  if (end < fileBytes) await segment.file.truncate(end)
  await segment.file.sync()
  await files.fileSystem.syncDirectory(files.directory)
  return { endOffset, sizeBytes: end, cutBytes: fileBytes - end }
}

async function walkBatches(
  walk: Walk,
  producers: ProducerState,
  rules: RecoveryRules,
  nowMs: number,
): Promise<{ endOffset: Offset; problem: ScanProblem | undefined }> {
  const { segment } = walk
  const scanner = new BatchScanner(segment.file, {
    from: toPosition(0),
    to: walk.fileBytes,
    wholeFrom: walk.bound,
  })
  let endOffset = segment.baseOffset
  let epoch = -1
  while (true) {
    const batch = scanner.take()
    if (batch === undefined) {
      if (await scanner.fill()) continue
      return { endOffset, problem: scanner.problem }
    }
    const reason =
      breakInOrder(batch, endOffset, epoch, walk.leaderEpoch) ?? missedBound(walk, scanner, batch)
    if (reason !== undefined) {
      return { endOffset, problem: { position: scanner.takenPosition, reason } }
    }
    segment.noteAppended(batch, rules.indexIntervalBytes, segment.lastAppendMs)
    noteProducer(producers, batch, walk.producersFrom, nowMs)
    endOffset = batch.nextOffset
    epoch = batch.leaderEpoch
  }
}

/** The CRC does not cover base offset and leader epoch: those are checked by their order. */
function breakInOrder(
  batch: RecordBatch,
  endOffset: Offset,
  epoch: number,
  leaderEpoch: number,
): string | undefined {
  if (batch.baseOffset < endOffset) return `offset ${batch.baseOffset} after ${endOffset - 1}`
  if (batch.leaderEpoch < epoch) return `leader epoch ${batch.leaderEpoch} after ${epoch}`
  if (batch.leaderEpoch > leaderEpoch) {
    return `leader epoch ${batch.leaderEpoch}, but the partition's last was ${leaderEpoch}`
  }
  return undefined
}

/**
 * The CRCs below the bound are not computed: a length or an offset gone bad shows where the walk meets the
 * bound. Were it to jump over it, acknowledged batches behind it would pass for a torn tail.
 */
function missedBound(walk: Walk, scanner: BatchScanner, batch: RecordBatch): string | undefined {
  const { bound, boundOffset } = walk
  if (scanner.takenPosition >= bound || scanner.position < bound) return undefined
  if (scanner.position > bound) {
    return `the batch reaches to byte ${scanner.position}, but one ended at byte ${bound}`
  }
  if (batch.nextOffset === boundOffset) return undefined
  return `the batch ends before offset ${batch.nextOffset}, but ${boundOffset} followed it`
}

/** Takes note of an idempotent producer's batch found in the log, unless a snapshot already did. */
export function noteProducer(
  producers: ProducerState,
  batch: RecordBatch,
  from: Offset,
  nowMs: number,
): void {
  if (batch.producerId < 0 || batch.baseOffset < from) return
  producers.update(batch, batch.lastOffset, nowMs, batch.nextOffset)
}

async function refuseIfSynced(
  walk: Walk,
  problem: ScanProblem,
  endOffset: Offset,
  rules: RecoveryRules,
): Promise<void> {
  const { segment, bound, fileBytes } = walk
  if (problem.position < bound) throw corruption(segment.file.path, problem)
  if (walk.isRelaxed) return
  const later = await findBatchAfter(segment.file, {
    from: problem.position + rules.groupBytesMax,
    to: fileBytes,
    minBaseOffset: endOffset,
    maxLeaderEpoch: walk.leaderEpoch,
  })
  if (later === undefined) return
  throw corruption(segment.file.path, {
    position: problem.position,
    reason: `${problem.reason}, with a whole batch behind it at byte ${later}: it had been synced`,
  })
}

async function rewrite(segment: Segment, from: Position, to: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(SCAN_CHUNK_BYTES, Math.max(to - from, 0)))
  for (let at: number = from; at < to; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, to - at))
    await segment.file.read(part, at)
    await segment.file.write([part], at)
  }
}

/**
 * Where the synced part of the active segment ends. A segment is created only after its predecessor is
 * wholly synced, so a point that names an older segment means: nothing of this one is known to be synced.
 */
export function syncedBound(
  point: RecoveryPoint,
  active: Segment,
): { bound: Position; boundOffset: Offset } {
  if (point.segmentBaseOffset > active.baseOffset) {
    throw corruption(active.file.path, {
      position: toPosition(active.sizeBytes),
      reason: `the segment ${point.segmentBaseOffset} after it was in use and is missing`,
    })
  }
  return point.segmentBaseOffset === active.baseOffset
    ? { bound: point.position, boundOffset: point.flushedOffset }
    : { bound: toPosition(0), boundOffset: active.baseOffset }
}

/** Makes the recovered end the new recovery point, durably. */
export async function recordRecovered(
  file: RecoveryPointFile,
  segment: Segment,
  recovered: Recovered,
  logStartOffset: Offset,
): Promise<void> {
  await file.record({
    segmentBaseOffset: segment.baseOffset,
    position: toPosition(recovered.sizeBytes),
    flushedOffset: recovered.endOffset,
    logStartOffset,
    lastAppendMs: segment.lastAppendMs,
    isRelaxed: false,
  })
  await file.sync()
}
