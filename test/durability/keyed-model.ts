/**
 * What every key of the compaction trial must be, by number of the key: the version its writer was last
 * acknowledged, where, and whether that deleted it. Also what was gone once and must not be read again.
 * Plain arrays: there are a million keys.
 */

/** Bits for offsets, in pieces that are made when they are needed. */
class OffsetSet {
  readonly #pieces = new Map<number, Uint8Array>()

  has(offset: number): boolean {
    const piece = this.#pieces.get(Math.floor(offset / PIECE_OFFSETS))
    const at = offset % PIECE_OFFSETS
    return piece !== undefined && (piece[at >>> 3]! & (1 << (at & 7))) !== 0
  }

  add(offset: number): void {
    const number = Math.floor(offset / PIECE_OFFSETS)
    const piece = this.#pieces.get(number) ?? new Uint8Array(PIECE_OFFSETS / 8)
    this.#pieces.set(number, piece)
    const at = offset % PIECE_OFFSETS
    piece[at >>> 3]! |= 1 << (at & 7)
  }
}

const PIECE_OFFSETS = 1 << 20

export class KeyedModel {
  readonly keys: number
  /** 0: never written. */
  readonly versions: Int32Array
  readonly offsets: Float64Array
  readonly isDeleted: Uint8Array
  /** When the writer was told. */
  readonly acknowledgedAtMs: Float64Array
  /** By partition. */
  readonly gone: readonly OffsetSet[]
  acknowledged = 0

  constructor(keys: number, partitions: number) {
    this.keys = keys
    this.versions = new Int32Array(keys)
    this.offsets = new Float64Array(keys)
    this.isDeleted = new Uint8Array(keys)
    this.acknowledgedAtMs = new Float64Array(keys)
    this.gone = Array.from({ length: partitions }, () => new OffsetSet())
  }

  acknowledge(key: number, version: number, offset: number, isDeleted: boolean): void {
    this.versions[key] = version
    this.offsets[key] = offset
    this.isDeleted[key] = isDeleted ? 1 : 0
    this.acknowledgedAtMs[key] = Date.now()
    this.acknowledged += 1
  }
}
