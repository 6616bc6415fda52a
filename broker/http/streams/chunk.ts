/**
 * Records of one partition as a reader gets them: rendered once, written to any number of sockets without
 * a copy. A chunk knows where each of its records ends, so that a reader who begins in the middle, or ends
 * there, takes a part of the same bytes. Owns its bytes' count in memory (`memory.ts`); who may take it
 * is the feed's.
 *
 *     offsets   40 ──────────────────────────── 55        [fromOffset, nextOffset)
 *     records      41       44  45         52             what passed the filter
 *     bytes      │···41···│···44···│·45·│···52···│
 */

import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import { ByteWriter } from '../records/byte-writer.ts'
import type { RecordFilter } from '../records/record-filter.ts'
import type { StreamMemory } from './memory.ts'

/** A chunk is closed when it has so many bytes: one turn of a reader, and what it may lag behind in its socket. */
export const CHUNK_BYTES = 64 * 1024

/** An offset and a place in the bytes, for each record. */
const INDEX_BYTES_PER_RECORD = 12
const NOTHING = Buffer.alloc(0)

/** How records become bytes. Renderings with the same key give the same bytes. */
export interface Rendering {
  readonly key: string
  readonly filter: RecordFilter | undefined
  /** Writes one record. Throws SpoolError INVALID_RECORD for one that can not be shown so. */
  write(writer: ByteWriter, partition: number, cursor: RecordCursor): void
}

/** What a reader takes at once. */
export interface Part {
  readonly bytes: Buffer
  readonly recordCount: number
  /** Where the reader is after it. */
  readonly nextOffset: number
  /** The offset after its last record; where it has none, nothing to go by: not beyond where it began. */
  readonly givenTo: number
  /** Whose bytes they are. */
  readonly chunk: Chunk
}

export class Chunk implements Part {
  readonly fromOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
  readonly recordCount: number
  /** Of each record, rising. */
  readonly #offsets: Float64Array
  /** Where each record ends in `bytes`. */
  readonly #ends: Uint32Array
  readonly #memory: StreamMemory
  #holders = 1

  /** Held by whoever makes it. */
  constructor(
    range: { readonly fromOffset: number; readonly nextOffset: number },
    bytes: Buffer,
    index: { readonly offsets: readonly number[]; readonly ends: readonly number[] },
    memory: StreamMemory,
  ) {
    this.fromOffset = range.fromOffset
    this.nextOffset = range.nextOffset
    this.bytes = bytes
    this.recordCount = index.offsets.length
    this.#offsets = Float64Array.from(index.offsets)
    this.#ends = Uint32Array.from(index.ends)
    this.#memory = memory
    memory.add(this.sizeBytes)
  }

  get givenTo(): number {
    return this.#givenTo(this.recordCount)
  }

  get chunk(): Chunk {
    return this
  }

  /** A chunk of one large record may have a buffer with room left in it: that counts, too. */
  get sizeBytes(): number {
    return this.bytes.buffer.byteLength + this.recordCount * INDEX_BYTES_PER_RECORD
  }

  hold(): void {
    this.#holders++
  }

  /** The last one to let go gives the memory back. */
  release(): void {
    this.#holders--
    if (this.#holders === 0) this.#memory.add(-this.sizeBytes)
  }

  /** What a reader at `from` takes that ends before `upTo` and wants at most `limit` records. */
  part(from: number, upTo: number, limit: number): Part {
    const isWhole = from <= this.fromOffset && this.nextOffset <= upTo && this.recordCount <= limit
    if (isWhole) return this
    const first = this.#firstAt(from)
    const last = this.#firstAt(upTo)
    const end = Math.max(first, Math.min(last, first + limit))
    const isCutByLimit = end < last
    return {
      bytes: this.bytes.subarray(this.#endOf(first - 1), this.#endOf(end - 1)),
      recordCount: end - first,
      nextOffset: isCutByLimit
        ? (this.#offsets[end - 1] ?? from - 1) + 1
        : Math.max(from, Math.min(this.nextOffset, upTo)),
      givenTo: this.#givenTo(end),
      chunk: this,
    }
  }

  /** The offset after the last of the first `count` records. */
  #givenTo(count: number): number {
    return count === 0 ? 0 : this.#offsets[count - 1]! + 1
  }

  #endOf(index: number): number {
    return index < 0 ? 0 : this.#ends[index]!
  }

  /** The index of the first record at `offset` or later; `recordCount` when there is none. */
  #firstAt(offset: number): number {
    let low = 0
    let high = this.recordCount
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#offsets[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Renders records one by one into chunks. Holds a buffer from the first one on, until it rests. */
export class ChunkBuilder {
  readonly #rendering: Rendering
  readonly #partition: number
  readonly #memory: StreamMemory
  #writer: ByteWriter | undefined
  #offsets: number[] = []
  #ends: number[] = []
  /** The chunk begins here: every offset from it on was looked at. */
  fromOffset: number

  constructor(rendering: Rendering, partition: number, fromOffset: number, memory: StreamMemory) {
    this.#rendering = rendering
    this.#partition = partition
    this.#memory = memory
    this.fromOffset = fromOffset
  }

  /** Rendered, and in no chunk yet. */
  get bytes(): number {
    return this.#writer?.length ?? 0
  }

  get isFull(): boolean {
    return this.bytes >= CHUNK_BYTES
  }

  get isEmpty(): boolean {
    return this.#offsets.length === 0
  }

  /** Adds the cursor's record, if it passes the filter. Throws for one that can not be shown, and adds nothing. */
  add(cursor: RecordCursor): void {
    const { filter } = this.#rendering
    if (filter !== undefined && !filter(cursor)) return
    this.#writer ??= new ByteWriter()
    const writer = this.#writer
    const before = writer.length
    try {
      this.#rendering.write(writer, this.#partition, cursor)
    } catch (error) {
      writer.cutTo(before)
      throw error
    }
    this.#offsets.push(cursor.offset)
    this.#ends.push(writer.length)
  }

  /** The chunk of everything since the last one, up to `nextOffset`. */
  finish(nextOffset: number): Chunk {
    const range = { fromOffset: this.fromOffset, nextOffset }
    const index = { offsets: this.#offsets, ends: this.#ends }
    const bytes = this.#writer?.takeExactly() ?? NOTHING
    const chunk = new Chunk(range, bytes, index, this.#memory)
    this.#offsets = []
    this.#ends = []
    this.fromOffset = nextOffset
    return chunk
  }

  /** Forgets what was rendered and begins anew at `offset`. */
  restart(offset: number): void {
    this.#writer?.cutTo(0)
    this.#offsets = []
    this.#ends = []
    this.fromOffset = offset
  }

  /** Lets go of its buffer, as long as it has nothing to render. */
  rest(): void {
    if (this.isEmpty) this.#writer = undefined
  }
}
