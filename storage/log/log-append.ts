/**
 * What one append is asked and answered, and the checks at the door of a log. Pure but for the CRC that
 * `LogAppendTime` rewrites in the batch; offsets are given in `append-line.ts`.
 */

import { isCompacted, type LogConfig } from '../config.ts'
import { StorageError } from '../errors.ts'
import type { Offset } from '../record/offsets.ts'
import type { RecordBatch } from '../record/record-batch.ts'
import type { AppendGroup } from './append-group.ts'
import { validateProducedBatch } from './batch-validator.ts'

/** What an append was given at once; the rest of its fate is in `acknowledged`. */
export interface LogAppend {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  /** The timestamp every record got under `LogAppendTime`; -1 under `CreateTime`. */
  readonly logAppendTime: number
  /** A repeat of a batch that is already in the log: the offsets are those of its first append. */
  readonly duplicate: boolean
  /** What `acknowledged` means when it resolves. */
  readonly durability: 'written' | 'flushed'
  /** Rejects with a `StorageError` whose `outcome` is set. */
  readonly acknowledged: Promise<void>
}

export interface AppendOptions {
  /** Append only if the batch gets exactly this offset. */
  readonly expectOffset?: Offset
  readonly maxDecompressedBytes: number
}

const RESOLVED = Promise.resolve()

/** The one walk of the batch's inside; throws a `StorageError` with outcome `refused`. */
export function validatedBatch(
  buffer: Buffer,
  config: LogConfig,
  options: AppendOptions,
  nowMs: number,
): RecordBatch {
  const { batch } = validateProducedBatch(buffer, {
    maxMessageBytes: config.maxMessageBytes,
    maxDecompressedBytes: options.maxDecompressedBytes,
    timestampType: config.messageTimestampType,
    timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
    timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
    now: nowMs,
    requireKey: isCompacted(config),
  })
  if (buffer.length <= config.segmentBytes) return batch
  throw new StorageError(
    'RECORD_LIST_TOO_LARGE',
    `a batch of ${buffer.length} bytes does not fit a segment of segment.bytes ${config.segmentBytes}`,
    { outcome: 'refused', values: { sizeBytes: buffer.length } },
  )
}

/** Throws `OFFSET_MISMATCH` unless the next offset is the one expected, or none is. */
export function requireOffset(expected: Offset | undefined, nextOffset: Offset): void {
  if (expected === undefined || expected === nextOffset) return
  throw new StorageError(
    'OFFSET_MISMATCH',
    `expected offset ${expected}, but the next offset is ${nextOffset}`,
    { outcome: 'refused', values: { expectOffset: expected, logEndOffset: nextOffset } },
  )
}

/** The error of a log that takes no records until a restart. */
export function offlineLog(log: string, reason: string): StorageError {
  const message = `${log} takes no records: ${reason}`
  return new StorageError('KAFKA_STORAGE_ERROR', message, { outcome: 'refused' })
}

/** The error of a log whose broker stops or whose topic is being deleted. */
export function closedLog(log: string): StorageError {
  const message = `${log} is being closed`
  return new StorageError('NOT_LEADER_OR_FOLLOWER', message, { outcome: 'refused' })
}

/** The answer for a batch that lies at `place`; `group` is what it still waits for, if anything. */
export function appendReply(
  place: { readonly baseOffset: Offset; readonly lastOffset: Offset },
  batch: RecordBatch,
  group: AppendGroup | undefined,
  known: { readonly duplicate: boolean; readonly flushedOffset: Offset },
): LogAppend {
  const isFlushed = group?.waitsForSync ?? place.lastOffset < known.flushedOffset
  return {
    baseOffset: place.baseOffset,
    lastOffset: place.lastOffset,
    logAppendTime: batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : -1,
    duplicate: known.duplicate,
    durability: isFlushed ? 'flushed' : 'written',
    acknowledged: group?.acknowledged ?? RESOLVED,
  }
}
