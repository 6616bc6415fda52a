/** Reads a partition of `__consumer_offsets` from its start to its end, record by record. Changes nothing. */

import type { Clock } from '../../storage/clock.ts'
import { RecordCursor } from '../../storage/record/batch-reader.ts'
import { peekBatchSize, RecordBatch } from '../../storage/record/record-batch.ts'
import type { Partition } from '../partition/partition.ts'
import type { GroupRecord } from './records/group-record.ts'
import { decodeGroupRecord } from './records/record-codec.ts'

export interface LoadedRecord {
  readonly record: GroupRecord
  readonly timestampMs: number
}

/** Stored bytes read at once. */
const PIECE_BYTES = 1024 * 1024
/** The most that one batch of ours, or one that Kafka's tools put there, may become. */
const DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
/** How long the last batches of a log may take to become durable, or to be taken back, before we look again. */
const LOOK_AGAIN_MS = 50

/**
 * Gives every record that this version knows to `take`, in order. Waits until what was appended before is
 * either durable or taken back, so that what it gives is what the log keeps.
 */
export async function loadRecords(
  partition: Partition,
  clock: Clock,
  take: (loaded: LoadedRecord) => void,
): Promise<{ readonly nextOffset: number; readonly records: number; readonly skipped: number }> {
  let nextOffset: number = partition.logStartOffset
  let records = 0
  let skipped = 0
  for (;;) {
    const read = await partition.read(nextOffset, { maxBytes: PIECE_BYTES })
    for (const { key, value, timestampMs } of recordsIn(read.bytes)) {
      const record = key === null ? undefined : decodeGroupRecord(key, value)
      if (record === undefined) skipped++
      else take({ record, timestampMs })
      records++
    }
    nextOffset = Math.max(nextOffset, read.nextOffset)
    if (nextOffset < partition.highWatermark) continue
    if (partition.logEndOffset === nextOffset) return { nextOffset, records, skipped }
    await somethingHappened(partition, clock)
  }
}

/** Not the purgatory's wait: that is for clients, has room for so many of them, and none while the broker stops. */
function somethingHappened(partition: Partition, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      unsubscribe()
      timer.cancel()
      resolve()
    }
    const unsubscribe = partition.subscribe(over)
    const timer = clock.after(LOOK_AGAIN_MS, over)
  })
}

function* recordsIn(bytes: Buffer) {
  for (let at = 0; at < bytes.length; ) {
    const size = peekBatchSize(bytes, at)
    const batch = new RecordBatch(bytes.subarray(at, at + size))
    at += size
    if (batch.isControl || batch.recordCount === 0) continue
    const cursor = new RecordCursor(batch, { maxDecompressedBytes: DECOMPRESSED_BYTES_MAX })
    while (cursor.next()) {
      yield { key: cursor.key(), value: cursor.value(), timestampMs: cursor.timestamp }
    }
  }
}
