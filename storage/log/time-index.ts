/**
 * The sparse map from time to offset of one segment, in Kafka's `.timeindex` layout: entries of twelve
 * bytes, big-endian, `{timestamp: i64 ms, offset - baseOffset: u32}`, both rising. An entry says: up to
 * and including the batch that ends at this offset, no record is younger than this timestamp.
 *
 * Pure bytes in memory; the file is the business of `segment-files.ts`.
 */

import { type Offset, toOffset } from '../record/offsets.ts'
import { grown, lastNotAbove } from './offset-index.ts'

export const TIME_ENTRY_BYTES = 12
const RELATIVE_OFFSET_AT = 8

export class TimeIndex {
  readonly baseOffset: Offset
  #buffer: Buffer
  #sizeBytes: number

  /** `bytes`, if given, is the content of a `.timeindex` file that `timeIndexProblem` found sound. */
  constructor(baseOffset: Offset, bytes?: Buffer) {
    this.baseOffset = baseOffset
    this.#buffer = bytes ?? Buffer.allocUnsafe(32 * TIME_ENTRY_BYTES)
    this.#sizeBytes = bytes?.length ?? 0
  }

  get entryCount(): number {
    return this.#sizeBytes / TIME_ENTRY_BYTES
  }

  /** The content of the `.timeindex` file: a view that is valid until the next `append`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#sizeBytes)
  }

  /** The youngest timestamp and the last offset of the batch that brought it; `undefined` when empty. */
  get last(): { timestamp: number; offset: Offset } | undefined {
    return this.entryCount === 0 ? undefined : this.#entry(this.entryCount - 1)
  }

  /** Adds an entry if it is younger than the last one; older ones say nothing new. */
  appendIfYounger(timestamp: number, offset: Offset): void {
    if (timestamp <= (this.last?.timestamp ?? -1)) return
    while (this.#buffer.length - this.#sizeBytes < TIME_ENTRY_BYTES)
      this.#buffer = grown(this.#buffer)
    this.#buffer.writeBigInt64BE(BigInt(timestamp), this.#sizeBytes)
    this.#buffer.writeUInt32BE(offset - this.baseOffset, this.#sizeBytes + RELATIVE_OFFSET_AT)
    this.#sizeBytes += TIME_ENTRY_BYTES
  }

  /** An offset such that every record before its batch is older than `timestamp`. */
  lookup(timestamp: number): Offset {
    const at = lastNotAbove(this.entryCount, (index) => this.#entry(index).timestamp, timestamp)
    return at < 0 ? this.baseOffset : this.#entry(at).offset
  }

  /** Every entry, for tools that print it. */
  *entries(): Generator<{ timestamp: number; offset: Offset }> {
    for (let index = 0; index < this.entryCount; index++) yield this.#entry(index)
  }

  #entry(index: number): { timestamp: number; offset: Offset } {
    const at = index * TIME_ENTRY_BYTES
    return {
      timestamp: Number(this.#buffer.readBigInt64BE(at)),
      offset: toOffset(this.baseOffset + this.#buffer.readUInt32BE(at + RELATIVE_OFFSET_AT)),
    }
  }
}

/** Why the content of a `.timeindex` file cannot be trusted, or `undefined` when it can. */
export function timeIndexProblem(bytes: Buffer): string | undefined {
  if (bytes.length % TIME_ENTRY_BYTES !== 0) return `size ${bytes.length} is not a multiple of 12`
  let previousTimestamp = Number.NEGATIVE_INFINITY
  let previousOffset = -1
  for (let at = 0; at < bytes.length; at += TIME_ENTRY_BYTES) {
    const timestamp = Number(bytes.readBigInt64BE(at))
    const offset = bytes.readUInt32BE(at + RELATIVE_OFFSET_AT)
    if (timestamp <= previousTimestamp) return `entry at byte ${at}: timestamp does not rise`
    if (offset <= previousOffset) return `entry at byte ${at}: offset does not rise`
    previousTimestamp = timestamp
    previousOffset = offset
  }
  return undefined
}
