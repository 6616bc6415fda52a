/** A reply of `POST /v1/fetch` as it comes in, piece by piece: its envelope is kept, its batches only walked. */

import { BatchWalker } from './batch-walker.ts'
import { decodeEnvelope } from './envelope.ts'

interface FetchReply {
  readonly partitions: readonly { readonly highWatermark?: number; readonly error?: object }[]
}

/** Splits a reply into its envelope and its batches as it comes. */
export class FetchReplyReader {
  readonly walker = new BatchWalker()
  batchBytes = 0
  highWatermark = 0
  #front: Buffer | undefined = Buffer.alloc(0)

  take(piece: Buffer): void {
    if (this.#front === undefined) {
      this.#batches(piece)
      return
    }
    this.#front = Buffer.concat([this.#front, piece])
    const decoded = decodeEnvelope<FetchReply>(this.#front)
    if (decoded === undefined) return
    const first = decoded.envelope.partitions[0]
    if (first?.error !== undefined) throw new Error(JSON.stringify(first.error))
    this.highWatermark = Number(first?.highWatermark ?? 0)
    const rest = this.#front.subarray(decoded.endAt)
    this.#front = undefined
    this.#batches(rest)
  }

  get text(): string {
    return this.#front?.toString() ?? ''
  }

  #batches(piece: Buffer): void {
    this.batchBytes += piece.length
    this.walker.take(piece)
  }
}
