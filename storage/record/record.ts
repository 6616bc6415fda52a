/**
 * What a record is once it has been decoded for a reader. Only the faces that show records to people
 * (JSON, NDJSON, server-sent events) and the client make these; moving records needs none of them.
 */

import type { Offset } from './offsets.ts'

export interface RecordHeader {
  /** UTF-8 by convention; kept as bytes because nothing checks that. */
  readonly name: Buffer
  readonly value: Buffer | null
}

/** One record of a partition. The Buffers are views into the (decompressed) batch: copy to keep one. */
export interface StoredRecord {
  readonly offset: Offset
  /** Milliseconds since the epoch: the producer's, or the broker's under `LogAppendTime`. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}
