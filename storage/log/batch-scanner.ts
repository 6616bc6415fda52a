/**
 * Walks the record batches of one segment file from front to back, header by header. Bodies are read
 * only when asked for; a header whose body lies beyond the chunk in memory costs one more small read, not
 * the body. Decides nothing: whether a bad batch is a torn tail or corruption is `recovery.ts`'s to say.
 *
 * Synchronous inside a chunk, so that a log of a million small batches is not a million promises:
 *
 *     while (true) {
 *       const batch = scanner.take()
 *       if (batch !== undefined) …use it before the next fill…
 *       else if (!(await scanner.fill())) break        // the end, or scanner.problem
 *     }
 */

import { StorageError } from '../errors.ts'
import type { StorageFile } from '../file/file-system.ts'
import { type Position, toPosition } from '../record/offsets.ts'
import {
  headerProblem,
  LOG_OVERHEAD_BYTES,
  peekBatchSize,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatch,
} from '../record/record-batch.ts'

export const SCAN_CHUNK_BYTES = 1024 * 1024

/** The first place where no whole, well-formed batch begins. */
export interface ScanProblem {
  readonly position: Position
  readonly reason: string
}

export interface ScanOptions {
  /** Where the first batch begins. */
  readonly from: Position
  /** Where the file, or the part to walk, ends. */
  readonly to: number
  /** Whole batches are handed out, and their CRCs checked, from this position on; before it, headers. */
  readonly wholeFrom?: number
  readonly chunkBytes?: number
}

export class BatchScanner {
  readonly #file: StorageFile
  readonly #to: number
  readonly #wholeFrom: number
  readonly #chunkBytes: number
  #chunk: Buffer = Buffer.alloc(0)
  /** Where the chunk lies in the file, and how much of it is filled. */
  #chunkAt: number
  #chunkSize = 0
  #position: number
  #taken: Position
  #neededBytes = RECORD_BATCH_HEADER_BYTES
  #problem: ScanProblem | undefined

  constructor(file: StorageFile, options: ScanOptions) {
    this.#file = file
    this.#to = options.to
    this.#wholeFrom = options.wholeFrom ?? Number.POSITIVE_INFINITY
    this.#chunkBytes = options.chunkBytes ?? SCAN_CHUNK_BYTES
    this.#position = options.from
    this.#taken = options.from
    this.#chunkAt = options.from
  }

  /** Where the next batch begins: after the last one taken. */
  get position(): Position {
    return toPosition(this.#position)
  }

  /** Where the batch last taken begins. */
  get takenPosition(): Position {
    return this.#taken
  }

  /** Set once the walk has met something that is no batch; it goes no further. */
  get problem(): ScanProblem | undefined {
    return this.#problem
  }

  /**
   * The next batch in memory: a view that is valid until the next `fill`; before `wholeFrom` only its
   * header can be read. `undefined` when more bytes are needed, at the end, or after a problem.
   */
  take(): RecordBatch | undefined {
    if (this.#problem !== undefined || this.#position >= this.#to) return undefined
    const available = this.#chunkAt + this.#chunkSize - this.#position
    const remaining = this.#to - this.#position
    if (remaining < RECORD_BATCH_HEADER_BYTES) return this.#stop(`only ${remaining} bytes remain`)
    if (available < RECORD_BATCH_HEADER_BYTES) return this.#need(RECORD_BATCH_HEADER_BYTES)
    const at = this.#position - this.#chunkAt
    const sizeBytes = peekBatchSize(this.#chunk, at)
    if (sizeBytes < RECORD_BATCH_HEADER_BYTES) {
      return this.#stop(`batch length ${sizeBytes - LOG_OVERHEAD_BYTES} is below a header's`)
    }
    if (sizeBytes > remaining) {
      return this.#stop(`batch of ${sizeBytes} bytes, of which ${remaining} remain`)
    }
    const isWhole = this.#position >= this.#wholeFrom
    if (isWhole && available < sizeBytes) return this.#need(sizeBytes)
    const viewBytes = isWhole ? sizeBytes : Math.min(sizeBytes, available)
    const batch = new RecordBatch(this.#chunk.subarray(at, at + viewBytes))
    const reason = headerProblem(batch)
    if (reason !== undefined) return this.#stop(reason)
    if (isWhole && !batch.hasValidCrc()) return this.#stop('checksum differs')
    this.#taken = toPosition(this.#position)
    this.#position += sizeBytes
    this.#neededBytes = RECORD_BATCH_HEADER_BYTES
    return batch
  }

  /** Reads the next chunk. False when there is nothing more to take. */
  async fill(): Promise<boolean> {
    if (this.#problem !== undefined || this.#position >= this.#to) return false
    const wanted = Math.min(
      Math.max(this.#chunkBytes, this.#neededBytes),
      this.#to - this.#position,
    )
    if (this.#chunk.length < wanted) this.#chunk = Buffer.allocUnsafeSlow(wanted)
    this.#chunkAt = this.#position
    this.#chunkSize = await this.#file.read(this.#chunk.subarray(0, wanted), this.#position)
    if (this.#chunkSize < Math.min(wanted, this.#neededBytes)) {
      this.#stop(`the file ends after ${this.#chunkSize} more bytes`)
      return false
    }
    return true
  }

  #need(bytes: number): undefined {
    this.#neededBytes = bytes
    return undefined
  }

  #stop(reason: string): undefined {
    this.#problem = { position: toPosition(this.#position), reason }
    return undefined
  }
}

/**
 * The error for bytes that were durable and are not a batch any more. Names the file as
 * `<topic>-<partition>/<segment>.log`: the operator knows the data directory, a client must not.
 */
export function corruption(path: string, problem: ScanProblem): StorageError {
  const file = path.split('/').slice(-2).join('/')
  return new StorageError(
    'KAFKA_STORAGE_ERROR',
    `${file} is corrupt at byte ${problem.position}: ${problem.reason}`,
    { values: { file, position: problem.position } },
  )
}
