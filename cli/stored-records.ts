/**
 * The records of a batch as it is stored, in place: a cursor over them, and one sentence for a batch that
 * can not be read, with where to go on after it.
 */

import { SpoolError } from '../client/api/errors.ts'
import type { ReadBatch } from '../client/index.ts'
import { StorageError } from '../storage/errors.ts'
import { RecordCursor } from '../storage/record/batch-reader.ts'
import { RecordBatch } from '../storage/record/record-batch.ts'

/** The most that one batch may become: more than any broker takes from a producer. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

/**
 * A cursor over the batch's records, which may be decompressed into `scratch`.
 *
 * @throws StorageError when they can not be.
 */
export function openBatch({ bytes }: ReadBatch, scratch?: Buffer): RecordCursor {
  if (bytes === undefined) throw new Error('a batch without its bytes')
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return new RecordCursor(new RecordBatch(buffer), {
    maxDecompressedBytes: DECOMPRESSED_BYTES_MAX,
    ...(scratch === undefined ? {} : { scratch }),
  })
}

/** What `error` means to who reads the batch: where it came from the batch's bytes, where to go on. */
export function readFailure(error: unknown, batch: ReadBatch): unknown {
  if (!(error instanceof StorageError)) return error
  const { topic, partition, baseOffset, nextOffset } = batch
  return new SpoolError(
    error.code === 'MESSAGE_TOO_LARGE' ? error.code : 'CORRUPT_MESSAGE',
    `the batch of partition ${partition} with offsets ${baseOffset} to ${nextOffset - 1} can not be read: ${error.message}`,
    { cause: error, extensions: { topic, partition, offset: baseOffset, nextOffset } },
  )
}
