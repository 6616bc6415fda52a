/**
 * Much output, quickly: it is collected into large pieces, and writing waits while whoever reads our
 * stdout is slower than we are. Two pieces take turns, one being filled while the other is written, and
 * are used again: making new ones would cost more than filling them. A reader that leaves ends the process
 * quietly (`reader-left.ts`).
 */

import { ByteWriter } from '../broker/http/records/byte-writer.ts'

/** Written in pieces of at least so many bytes while more is at hand. */
const PIECE_BYTES = 256 * 1024
/** A piece grows with the record that filled it; one that held a large one is not kept. */
const KEPT_BYTES_MAX = 4 * PIECE_BYTES

export class StandardOutput {
  readonly #signal: AbortSignal
  #filling = newPiece()
  /** Empty, where the other piece is not being written. */
  #spare: ByteWriter | undefined
  /** Until the other piece is written. */
  #writing: Promise<void> = Promise.resolve()

  #isBroken = false

  /** Aborted, nothing waits for a slow reader any more. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** What is printed goes in here; after `flush` it is another one. */
  get writer(): ByteWriter {
    return this.#filling
  }

  /** What was handed over last is not written, and never will be. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  get isFull(): boolean {
    return this.#filling.length >= PIECE_BYTES
  }

  get hasMore(): boolean {
    return this.#filling.length > 0
  }

  /** Hands over what was collected; resolves when there is room again. */
  async flush(): Promise<void> {
    if (!this.hasMore) return
    await this.#writing
    const full = this.#filling
    this.#filling = this.#spare ?? newPiece()
    this.#spare = undefined
    this.#writing = this.#write(full)
  }

  /** Resolves when everything is written, or an abort makes it useless to wait. */
  async finish(): Promise<void> {
    await this.flush()
    await this.#writing
  }

  #write(piece: ByteWriter): Promise<void> {
    return new Promise((resolve) => {
      // Aborted, the process is about to end: what stdout holds is written then, or never.
      const go = () => {
        this.#signal.removeEventListener('abort', go)
        resolve()
      }
      if (this.#signal.aborted) go()
      else this.#signal.addEventListener('abort', go)
      process.stdout.write(piece.written, (error) => {
        if (error) this.#isBroken = true
        piece.cutTo(0)
        if (piece.capacity <= KEPT_BYTES_MAX) this.#spare = piece
        go()
      })
    })
  }
}

function newPiece(): ByteWriter {
  // A record more than fits does not make it grow.
  return new ByteWriter(PIECE_BYTES + PIECE_BYTES / 4)
}
