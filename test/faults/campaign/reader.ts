/**
 * Reads one log as a consumer does, never above its high watermark, and checks what any single read must
 * keep: whole batches with good checksums, the first of which holds the offset asked for. What the
 * records mean is the history's to judge.
 */

import type { Log } from '../../../storage/log/log.ts'
import { readRecords } from '../../../storage/record/batch-reader.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { peekBatchSize, RecordBatch } from '../../../storage/record/record-batch.ts'
import type { SeenRecord } from './history.ts'
import { MAX_DECOMPRESSED_BYTES } from './producer.ts'

/** A read that no client should get. */
export class BadRead extends Error {}

/** A batch whose checksum differs: the client notices, and nobody is misled. */
export class BadChecksum extends BadRead {}

/** The records from `from` on that one read of at most `maxBytes` gives, and where the next one begins. */
export async function readOnce(
  log: Log,
  from: number,
  maxBytes: number,
): Promise<{ records: SeenRecord[]; nextOffset: number }> {
  const read = await log.read(toOffset(from), { maxBytes })
  const records: SeenRecord[] = []
  let end = from
  for (let at = 0; at < read.bytes.length; ) {
    const size = peekBatchSize(read.bytes, at)
    const batch = new RecordBatch(read.bytes.subarray(at, at + size))
    if (!batch.hasValidCrc())
      throw new BadChecksum(`bad checksum in the batch at ${batch.baseOffset}`)
    if (at === 0 && (batch.baseOffset > from || batch.lastOffset < from)) {
      throw new BadRead(`read from ${from} began with ${batch.baseOffset} to ${batch.lastOffset}`)
    }
    for (const record of readRecords(batch, { maxDecompressedBytes: MAX_DECOMPRESSED_BYTES })) {
      if (record.offset < from) continue
      // Records of compacted logs have their value there.
      const [header] = record.headers
      const value = (header === undefined ? record.key : header.value)?.toString() ?? ''
      records.push({ offset: record.offset, value, leaderEpoch: batch.leaderEpoch })
    }
    end = batch.nextOffset
    at += size
  }
  if (read.nextOffset !== end)
    throw new BadRead(`nextOffset ${read.nextOffset}, bytes end at ${end}`)
  return { records, nextOffset: read.nextOffset }
}

/** Everything a reader may see, in reads of odd sizes. */
export async function readAll(log: Log, maxBytes: number): Promise<SeenRecord[]> {
  const records: SeenRecord[] = []
  let from: number = log.logStartOffset
  const until = log.highWatermark
  while (from < until) {
    const read = await readOnce(log, from, maxBytes)
    if (read.nextOffset === from) break
    records.push(...read.records)
    from = read.nextOffset
  }
  return records
}
