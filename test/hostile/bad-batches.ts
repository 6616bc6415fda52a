/** Record batches with something wrong in them, sealed with the CRC that fits unless that is what is wrong. */

import { BatchBuilder, type BatchBuilderOptions } from '../../storage/record/batch-builder.ts'
import {
  type CompressionName,
  compress,
  compressionCode,
} from '../../storage/record/compression.ts'
import {
  ATTRIBUTES_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD_BYTES,
  RECORD_BATCH_HEADER_BYTES,
  RECORD_COUNT_AT,
  RecordBatch,
} from '../../storage/record/record-batch.ts'

export interface Making extends Partial<BatchBuilderOptions> {
  readonly values?: readonly (string | Buffer)[]
  readonly timestamp?: number
}

/** A good batch. */
export function batchOf({
  values = ['v'],
  timestamp = Date.now(),
  compression = 'none',
  ...producer
}: Making = {}): Buffer {
  const builder = new BatchBuilder({ compression, ...producer })
  for (const value of values) builder.append(timestamp, Buffer.from('k'), Buffer.from(value))
  return builder.build()
}

/** A batch of which one record has a key and one has none. */
export function keylessBatch(): Buffer {
  const builder = new BatchBuilder({ compression: 'lz4' })
  builder.append(Date.now(), Buffer.from('k'), Buffer.from('v'))
  builder.append(Date.now(), null, Buffer.from('v'))
  return builder.build()
}

/** A batch of an idempotent producer. */
export function producedBy(
  producerId: number,
  producerEpoch: number,
  baseSequence: number,
  records = 1,
): Buffer {
  const values = Array.from({ length: records }, (_, i) => `r${i}`)
  return batchOf({ values, producerId, producerEpoch, baseSequence })
}

/** Gives a batch the CRC that fits what it says. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(new RecordBatch(batch).computeCrc(), CRC_AT)
  return batch
}

/** A good batch, changed, then sealed. */
export function changed(change: (batch: Buffer) => void, making: Making = {}): Buffer {
  const batch = batchOf(making)
  change(batch)
  return sealed(batch)
}

/** Changed and not sealed: what stands outside the CRC, or the CRC itself. */
export function unsealed(change: (batch: Buffer) => void): Buffer {
  const batch = batchOf()
  change(batch)
  return batch
}

/** A batch whose header is right and whose record section is `stored`, under the codec's number. */
export function withStored(stored: Buffer, codec: CompressionName | number, count = 1): Buffer {
  const head = batchOf().subarray(0, RECORD_BATCH_HEADER_BYTES)
  const batch = Buffer.concat([head, stored])
  const code = typeof codec === 'number' ? codec : compressionCode(codec)
  batch.writeInt32BE(batch.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT)
  batch.writeUInt16BE(code, ATTRIBUTES_AT)
  batch.writeInt32BE(count - 1, LAST_OFFSET_DELTA_AT)
  batch.writeInt32BE(count, RECORD_COUNT_AT)
  return sealed(batch)
}

/** As `withStored`, the records being compressed here. */
export function withRecords(records: Buffer, codec: CompressionName = 'none', count = 1): Buffer {
  return withStored(compress(codec, records), codec, count)
}

/** The record section of a good batch of one small record, as it is before compression. */
export function recordSection(): Buffer {
  return Buffer.from(batchOf().subarray(RECORD_BATCH_HEADER_BYTES))
}
