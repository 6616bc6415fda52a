/**
 * How far a group is behind in one partition: in records, and in time, which is how old the next record to
 * read is. Looks into the log for that one record; what it finds is remembered, since a record never
 * changes its time.
 */

import { RecordCursor } from '../../storage/record/batch-reader.ts'
import { peekBatchSize, RecordBatch } from '../../storage/record/record-batch.ts'
import type { Partition } from '../partition/partition.ts'
import { placeKey } from './place-key.ts'

export interface Lag {
  /** Records from the committed offset to the end, those that compaction removed counted. */
  readonly records: number
  /** How old the next record is, by its own timestamp; 0 where there is none, `null` where it can not be read. */
  readonly ms: number | null
}

type LaggingPartition = Pick<
  Partition,
  'topicId' | 'partition' | 'logStartOffset' | 'highWatermark' | 'read'
>

/** Stored bytes looked at: a batch is read whole in any case. */
const LOOK_BYTES = 1
/** Places remembered, of all partitions. */
const REMEMBERED_MAX = 10_000

export class LagReader {
  readonly #maxDecompressedBytes: number
  readonly #times = new Map<string, number>()

  constructor(options: { readonly maxDecompressedBytes: number }) {
    this.#maxDecompressedBytes = options.maxDecompressedBytes
  }

  /** The lag of a reader that goes on at `offset`. Before the start of the log counts as the start. */
  async lagAt(partition: LaggingPartition, offset: number, nowMs: number): Promise<Lag> {
    const from = Math.max(offset, partition.logStartOffset)
    const records = Math.max(0, partition.highWatermark - from)
    if (records === 0) return { records, ms: 0 }
    try {
      const timestampMs = await this.#timeOfNext(partition, from)
      return { records, ms: timestampMs === undefined ? 0 : Math.max(0, nowMs - timestampMs) }
    } catch {
      // Its disk failed, or it was trimmed meanwhile: who asks about a hundred places is told of the others.
      return { records, ms: null }
    }
  }

  async #timeOfNext(partition: LaggingPartition, offset: number): Promise<number | undefined> {
    const key = `${placeKey(partition)}/${offset}`
    const known = this.#times.get(key)
    if (known !== undefined) return known
    const timestampMs = await this.#read(partition, offset)
    if (timestampMs === undefined) return undefined
    if (this.#times.size >= REMEMBERED_MAX) this.#times.delete(this.#times.keys().next().value!)
    this.#times.set(key, timestampMs)
    return timestampMs
  }

  async #read(partition: LaggingPartition, offset: number): Promise<number | undefined> {
    for (let at = offset; at < partition.highWatermark; ) {
      const { bytes, nextOffset } = await partition.read(at, { maxBytes: LOOK_BYTES })
      if (bytes.length === 0) return undefined
      const batch = new RecordBatch(bytes.subarray(0, peekBatchSize(bytes, 0)))
      const timestampMs = batch.isControl ? undefined : this.#timeIn(batch, at)
      if (timestampMs !== undefined) return timestampMs
      at = Math.max(nextOffset, batch.nextOffset)
    }
    return undefined
  }

  #timeIn(batch: RecordBatch, offset: number): number | undefined {
    if (batch.baseOffset >= offset) {
      const timestampMs = timeOfFirst(batch)
      if (timestampMs !== undefined) return timestampMs
    }
    const cursor = new RecordCursor(batch, { maxDecompressedBytes: this.#maxDecompressedBytes })
    while (cursor.next()) if (cursor.offset >= offset) return cursor.timestamp
    return undefined
  }
}

/**
 * The time of a batch's first record where its header says that. Of a batch that compaction took records from
 * it does not: what it begins with may be gone, and in place of its time there may be when its tombstones may go.
 */
function timeOfFirst(batch: RecordBatch): number | undefined {
  if (batch.recordCount === 0) return undefined
  if (batch.timestampType === 'LogAppendTime') return batch.maxTimestamp
  const isWhole = batch.recordCount === batch.lastOffsetDelta + 1
  const isTime = batch.deleteHorizonMs === undefined && batch.baseTimestamp >= 0
  return isWhole && isTime ? batch.baseTimestamp : undefined
}
