/**
 * The whole batches in a piece of a segment, one after another: with sound headers and CRCs, each beginning
 * where the one before it ended. Stops at the first that is none of that, and says why: of unsound bytes
 * nothing must be made. Where the piece lies in which file is its caller's to know.
 */

import {
  headerProblem,
  LOG_OVERHEAD_BYTES,
  peekBatchSize,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatch,
} from '../record/record-batch.ts'

/** Where a piece of a log goes on from the one before it. */
export interface LogPlace {
  /** Where the next batch must begin; -1: the first one says. */
  readonly nextOffset: number
  /** Of the last batch; they do not fall. */
  readonly leaderEpoch: number
}

export class WholeBatches {
  readonly #bytes: Buffer
  #at = 0
  #takenAt = 0
  #nextOffset: number
  #leaderEpoch: number
  #neededBytes = RECORD_BATCH_HEADER_BYTES
  #problem: string | undefined

  constructor(bytes: Buffer, { nextOffset, leaderEpoch }: LogPlace) {
    this.#bytes = bytes
    this.#nextOffset = nextOffset
    this.#leaderEpoch = leaderEpoch
  }

  /** Where the batch last taken ended: what lies behind belongs to the next piece. */
  get usedBytes(): number {
    return this.#at
  }

  /** Where the batch last taken began. */
  get takenAt(): number {
    return this.#takenAt
  }

  /** What the next batch needs, as far as is known. */
  get neededBytes(): number {
    return this.#neededBytes
  }

  get place(): LogPlace {
    return { nextOffset: this.#nextOffset, leaderEpoch: this.#leaderEpoch }
  }

  /** What is wrong at `usedBytes`; `undefined` while all is well. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** The next batch, a view; `undefined` at the end of those that are whole, and at a problem. */
  take(): RecordBatch | undefined {
    const bytes = this.#bytes
    const left = bytes.length - this.#at
    if (left < RECORD_BATCH_HEADER_BYTES) return undefined
    const sizeBytes = peekBatchSize(bytes, this.#at)
    if (sizeBytes < RECORD_BATCH_HEADER_BYTES) {
      return this.#stop(`batch length ${sizeBytes - LOG_OVERHEAD_BYTES} is below a header's`)
    }
    const header = new RecordBatch(bytes.subarray(this.#at, this.#at + Math.min(sizeBytes, left)))
    const reason = headerProblem(header) ?? this.#breakInOrder(header)
    if (reason !== undefined) return this.#stop(reason)
    this.#neededBytes = sizeBytes
    if (sizeBytes > left) return undefined
    if (!header.hasValidCrc()) return this.#stop('checksum differs')
    this.#takenAt = this.#at
    this.#at += sizeBytes
    this.#neededBytes = RECORD_BATCH_HEADER_BYTES
    this.#nextOffset = header.nextOffset
    this.#leaderEpoch = header.leaderEpoch
    return header
  }

  /** The CRC does not cover base offset and leader epoch: those are checked by their order. */
  #breakInOrder({ baseOffset, leaderEpoch }: RecordBatch): string | undefined {
    if (this.#nextOffset >= 0 && baseOffset !== this.#nextOffset) {
      return `offset ${baseOffset} where ${this.#nextOffset} should follow`
    }
    if (leaderEpoch >= this.#leaderEpoch) return undefined
    return `leader epoch ${leaderEpoch} after ${this.#leaderEpoch}`
  }

  #stop(reason: string): undefined {
    this.#problem = reason
    return undefined
  }
}
