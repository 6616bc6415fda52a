/** What a partition needs of its log: the part of the engine's `Log` that the broker uses, and a test can stand in for. */

import type { LogConfig } from '../../storage/config.ts'
import type { LogAppend } from '../../storage/log/log-append.ts'
import type { LogRead, ReadWish } from '../../storage/log/log-reader.ts'
import type { Offset } from '../../storage/record/offsets.ts'

export interface PartitionLog {
  readonly topicId: string
  readonly config: LogConfig
  readonly logStartOffset: Offset
  readonly logEndOffset: Offset
  /** Everything below it is in the segment files. */
  readonly writtenOffset: Offset
  readonly flushedOffset: Offset
  /** The engine's own: of one replica, whatever others do. */
  readonly highWatermark: Offset
  readonly leaderEpoch: number
  readonly sizeBytes: number
  readonly isOffline: boolean
  readonly offlineReason: string | undefined
  /** How much was not compacted when last looked at, and why the last compaction failed. */
  readonly compaction: { readonly dirtyRatio: number; readonly failure: string | undefined }
  /** Where flushing becomes stricter, resolves once all that was written before is flushed. */
  setConfig(config: LogConfig): Promise<void>
  append(batch: Buffer, options: { maxDecompressedBytes: number; expectOffset?: Offset }): LogAppend
  read(from: Offset, options: ReadWish & { upTo?: Offset }): Promise<LogRead>
  offsetForTime(timestampMs: number): Promise<{ offset: Offset; timestamp: number } | undefined>
  deletePrefix(before: Offset): Promise<Offset>
  /** Called after the high watermark moved or the log went offline or was closed. */
  onHighWatermark(listener: () => void): () => void
}
