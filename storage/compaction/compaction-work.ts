/**
 * What a compaction does with bytes, without touching a disk: notes the last offset of every key in pieces
 * of the dirty part, then takes pieces of segments and gives back what is left of them. Pieces come in the
 * order of the log, each beginning where the one before was used up. Synchronous, and heavy: it runs on a
 * thread of its own (`work-place.ts`).
 */

import { StorageError } from '../errors.ts'
import { decompress } from '../record/compression.ts'
import { release } from '../record/native-memory.ts'
import { RECORD_BATCH_HEADER_BYTES, type RecordBatch } from '../record/record-batch.ts'
import { RecordWalk } from '../record/record-walk.ts'
import { BatchFilter } from './batch-filter.ts'
import { KeyHash } from './key-hash.ts'
import { KeyOffsetMap } from './key-offset-map.ts'
import { fillerBatch, isFiller } from './remade-batch.ts'
import { type LogPlace, WholeBatches } from './whole-batches.ts'

/** Bytes of a segment, from a batch's first byte on; the last batch may be cut off. */
export interface Piece extends LogPlace {
  /** All of its memory: it may be handed to another thread and back. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** How far a piece was used. */
export interface PieceUsed extends LogPlace {
  /** The memory of the piece, for the next one. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly usedBytes: number
  /** What the next piece must have at least. */
  readonly neededBytes: number
  /** What is wrong at `problem.at`; nothing must be made of the segment then. */
  readonly problem: PieceProblem | undefined
}

export interface PieceProblem {
  readonly at: number
  readonly reason: string
  /** False for a sound batch that cannot be unpacked, as one that would become too large. */
  readonly isCorruption: boolean
}

export interface PieceNoted extends PieceUsed {
  /** No more keys fit: what comes is for the next compaction. */
  readonly isFull: boolean
}

export interface PieceCopied extends PieceUsed {
  /** Whole batches that follow on those of the piece before, without a gap. */
  readonly output: Uint8Array<ArrayBuffer>
  /** Nothing was left out or changed. */
  readonly isWhole: boolean
}

export interface DirtyPart {
  readonly firstDirty: number
  readonly endOffset: number
  /** Memory of the map. */
  readonly mapBytesMax: number
  readonly maxDecompressedBytes: number
}

export interface CopyRules {
  /** Where the map ends: the first offset it was not told of. */
  readonly mapEnd: number
  readonly logStartOffset: number
  readonly nowMs: number
  readonly deleteRetentionMs: number
  readonly newestOfProducers: ReadonlySet<number>
}

export interface WorkTotals {
  readonly keys: number
  readonly mapBytes: number
  readonly recordsRead: number
  readonly recordsKept: number
}

const SCRATCH_BYTES = 1024 * 1024

export class CompactionWork {
  readonly #dirty: DirtyPart
  readonly #hash = new KeyHash()
  readonly #map: KeyOffsetMap
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #filter: BatchFilter | undefined
  /** Of the output: where the last batch ends, and the epoch of the last one left out since. */
  #madeTo = 0
  #gapEpoch = -1

  constructor(dirty: DirtyPart) {
    this.#dirty = dirty
    this.#map = new KeyOffsetMap(dirty.endOffset - dirty.firstDirty, dirty.mapBytesMax)
  }

  get totals(): WorkTotals {
    return {
      keys: this.#map.size,
      mapBytes: this.#map.sizeBytes,
      recordsRead: this.#filter?.recordsRead ?? 0,
      recordsKept: this.#filter?.recordsKept ?? 0,
    }
  }

  /** Notes the keys of a piece. Where they no longer fit, `nextOffset` is the first that was not noted. */
  note(piece: Piece): PieceNoted {
    const batches = new WholeBatches(bufferOf(piece.bytes), piece)
    let fullAt = -1
    const used = this.#each(piece, batches, (batch) => {
      if (batch.recordCount > 0 && !batch.isControl) fullAt = this.#noteRecords(batch)
      return fullAt < 0
    })
    return fullAt < 0 ? { ...used, isFull: false } : { ...used, nextOffset: fullAt, isFull: true }
  }

  /** From now on pieces are copied. */
  beginCopies(rules: CopyRules): void {
    const { maxDecompressedBytes } = this.#dirty
    const map = this.#map
    this.#filter = new BatchFilter({ ...rules, map, hash: this.#hash, maxDecompressedBytes })
  }

  /** What is copied from now on begins at `baseOffset`. */
  beginSegment(baseOffset: number): void {
    this.#madeTo = baseOffset
  }

  copy(piece: Piece): PieceCopied {
    const filter = this.#filter
    if (filter === undefined) throw new Error('nothing is to be copied yet')
    const batches = new WholeBatches(bufferOf(piece.bytes), piece)
    const output: Buffer[] = []
    let isWhole = true
    const used = this.#each(piece, batches, (batch) => {
      const remainder = filter.filter(batch)
      if (remainder === 'nothing') {
        this.#gapEpoch = batch.leaderEpoch
        // One that stood for others will stand there again.
        if (!isFiller(batch)) isWhole = false
        return true
      }
      if (remainder !== 'whole') isWhole = false
      this.#fillTo(batch.baseOffset, output)
      output.push(remainder === 'whole' ? batch.buffer : remainder)
      this.#madeTo = batch.nextOffset
      return true
    })
    return { ...used, output: joined(output), isWhole }
  }

  /** What is still missing of a segment that ends before `endOffset`. */
  endSegment(endOffset: number): Uint8Array<ArrayBuffer> {
    const output: Buffer[] = []
    this.#fillTo(endOffset, output)
    return joined(output)
  }

  /** Gives the map's memory back at once. */
  release(): void {
    this.#map.release()
  }

  /** Hands the batches of a piece to `use`, until it returns false. */
  #each(piece: Piece, batches: WholeBatches, use: (batch: RecordBatch) => boolean): PieceUsed {
    let problem: PieceProblem | undefined
    for (let batch = batches.take(); batch !== undefined; batch = batches.take()) {
      try {
        if (!use(batch)) break
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        problem = { at: batches.takenAt, reason: error.message, isCorruption: false }
        break
      }
    }
    if (batches.problem !== undefined) {
      problem = { at: batches.usedBytes, reason: batches.problem, isCorruption: true }
    }
    const { usedBytes, neededBytes } = batches
    return { ...batches.place, bytes: piece.bytes, usedBytes, neededBytes, problem }
  }

  /** The offset whose key did not fit, or -1. */
  #noteRecords(batch: RecordBatch): number {
    const { compression, baseOffset, recordCount } = batch
    const stored = batch.buffer.subarray(RECORD_BATCH_HEADER_BYTES)
    const { maxDecompressedBytes, firstDirty } = this.#dirty
    const records = decompress(compression, stored, maxDecompressedBytes, this.#scratch)
    try {
      const walk = new RecordWalk(records, recordCount)
      while (walk.next()) {
        const offset = baseOffset + walk.offsetDelta
        if (offset < firstDirty || walk.keyStart < 0) continue
        this.#hash.hash(records, walk.keyStart, walk.keyEnd)
        if (!this.#map.put(this.#hash, offset)) return offset
      }
      return -1
    } finally {
      if (compression !== 'none' && records.buffer !== this.#scratch.buffer) release(records)
    }
  }

  /** Where something was left out, an empty batch stands for it: none begins after a gap. */
  #fillTo(offset: number, output: Buffer[]): void {
    if (offset === this.#madeTo) return
    output.push(fillerBatch(this.#madeTo, offset - 1, this.#gapEpoch))
    this.#madeTo = offset
  }
}

function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** In memory of its own, so that it can be handed to another thread. */
function joined(parts: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0)
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  let at = 0
  for (const part of parts) at += part.copy(bytes, at)
  return bytes
}
