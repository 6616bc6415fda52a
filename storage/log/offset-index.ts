/**
 * The sparse map from offset to position of one segment, in Kafka's `.index` layout: entries of eight
 * bytes, big-endian, `{offset - baseOffset: u32, position: u32}`, both rising. An entry stands for one
 * batch: its *last* offset and the position of its first byte, as Kafka's `LogSegment.append` writes it.
 *
 * Pure bytes in memory. Who reads and writes the file, and when, is `segment-files.ts`.
 *
 *     entries     4 → 0     9 → 310    17 → 702
 *     lookup(11)            ▲ the last entry not above 11: begin to look at position 310
 */

import { type Offset, type Position, toOffset, toPosition } from '../record/offsets.ts'

export const OFFSET_ENTRY_BYTES = 8
const POSITION_AT = 4
const FIRST_CAPACITY_BYTES = 64 * OFFSET_ENTRY_BYTES
/** An index holds offsets up to this far above its base: Kafka's tools read the field as a signed int. */
export const RELATIVE_OFFSET_MAX = 2 ** 31 - 1

export class OffsetIndex {
  readonly baseOffset: Offset
  #buffer: Buffer
  #sizeBytes: number

  /** `bytes`, if given, is the content of an `.index` file that `offsetIndexProblem` found sound. */
  constructor(baseOffset: Offset, bytes?: Buffer) {
    this.baseOffset = baseOffset
    this.#buffer = bytes ?? Buffer.allocUnsafe(FIRST_CAPACITY_BYTES)
    this.#sizeBytes = bytes?.length ?? 0
  }

  get entryCount(): number {
    return this.#sizeBytes / OFFSET_ENTRY_BYTES
  }

  /** The content of the `.index` file: a view that is valid until the next `append`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#sizeBytes)
  }

  append(lastOffset: Offset, position: Position): void {
    if (this.#sizeBytes === this.#buffer.length) this.#buffer = grown(this.#buffer)
    this.#buffer.writeUInt32BE(lastOffset - this.baseOffset, this.#sizeBytes)
    this.#buffer.writeUInt32BE(position, this.#sizeBytes + POSITION_AT)
    this.#sizeBytes += OFFSET_ENTRY_BYTES
  }

  /** Where to begin looking for `offset`: the position of the last indexed batch that ends at or before it. */
  lookup(offset: Offset): Position {
    const at = lastNotAbove(
      this.entryCount,
      (index) => this.#relativeAt(index),
      offset - this.baseOffset,
    )
    return toPosition(at < 0 ? 0 : this.#buffer.readUInt32BE(at * OFFSET_ENTRY_BYTES + POSITION_AT))
  }

  /** Every entry, for tools that print it. */
  *entries(): Generator<{ offset: Offset; position: Position }> {
    for (let index = 0; index < this.entryCount; index++) {
      yield {
        offset: toOffset(this.baseOffset + this.#relativeAt(index)),
        position: toPosition(this.#buffer.readUInt32BE(index * OFFSET_ENTRY_BYTES + POSITION_AT)),
      }
    }
  }

  #relativeAt(index: number): number {
    return this.#buffer.readUInt32BE(index * OFFSET_ENTRY_BYTES)
  }
}

/** Why the content of an `.index` file cannot be trusted, or `undefined` when it can. */
export function offsetIndexProblem(bytes: Buffer, logSizeBytes: number): string | undefined {
  if (bytes.length % OFFSET_ENTRY_BYTES !== 0) return `size ${bytes.length} is not a multiple of 8`
  let previousOffset = -1
  let previousPosition = -1
  for (let at = 0; at < bytes.length; at += OFFSET_ENTRY_BYTES) {
    const offset = bytes.readUInt32BE(at)
    const position = bytes.readUInt32BE(at + POSITION_AT)
    if (offset <= previousOffset) return `entry at byte ${at}: offset does not rise`
    if (position <= previousPosition) return `entry at byte ${at}: position does not rise`
    if (position >= logSizeBytes) return `entry at byte ${at}: position ${position} is past the log`
    previousOffset = offset
    previousPosition = position
  }
  return undefined
}

/** Index of the last of `count` rising values that is not above `target`; -1 when all are. */
export function lastNotAbove(
  count: number,
  valueAt: (index: number) => number,
  target: number,
): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (valueAt(middle) <= target) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** A copy of `buffer` with twice the room. */
export function grown(buffer: Buffer): Buffer {
  const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, FIRST_CAPACITY_BYTES))
  buffer.copy(larger)
  return larger
}
