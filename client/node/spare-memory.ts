/**
 * Memory for what is sent, used again once it was answered: new memory for each request would have to be
 * cleared by the system first, and collected as garbage, which costs a busy producer more than its copies
 * do. Decides nothing about when memory is free: who gives some back promises that nobody reads it.
 */

/** Below this Node's own pool is as good. */
const PIECE_BYTES_MIN = 64 * 1024
/** What is kept while nobody needs it. */
const SPARE_BYTES_MAX = 32 * 1024 * 1024

export class SpareMemory {
  /** The longest unused first. */
  readonly #spare: ArrayBuffer[] = []
  #spareBytes = 0

  /** A Buffer of `bytes` bytes with anything in it. */
  readonly take = (bytes: number): Buffer => {
    if (bytes < PIECE_BYTES_MIN) return Buffer.allocUnsafe(bytes)
    // Not one that is far too large: a small request would hold it for as long as it waits.
    const at = this.#spare.findLastIndex(
      ({ byteLength }) => byteLength >= bytes && byteLength <= 2 * bytes,
    )
    if (at < 0) return Buffer.from(newPiece(bytes), 0, bytes)
    const [piece] = this.#spare.splice(at, 1) as [ArrayBuffer]
    this.#spareBytes -= piece.byteLength
    return Buffer.from(piece, 0, bytes)
  }

  /** `buffer` is one of `take`, given back at most once, and not looked at any more by anybody. */
  giveBack({ buffer: piece }: Buffer): void {
    if (!(piece instanceof ArrayBuffer) || piece.byteLength < PIECE_BYTES_MIN) return
    this.#spare.push(piece)
    this.#spareBytes += piece.byteLength
    // What is needed now is of another size than what lies here unused.
    while (this.#spareBytes > SPARE_BYTES_MAX) this.#spareBytes -= this.#spare.shift()!.byteLength
  }
}

/** In steps: requests that are nearly as large fit as well. */
function newPiece(bytes: number): ArrayBuffer {
  const pieceBytes = Math.ceil(bytes / PIECE_BYTES_MIN) * PIECE_BYTES_MIN
  return Buffer.allocUnsafeSlow(pieceBytes).buffer as ArrayBuffer
}
