/**
 * Much output, quickly: it is collected into large pieces, and writing waits while whoever reads our
 * stdout is slower than we are. A reader that leaves ends the process quietly (`main.ts`).
 */

import { ByteWriter } from '../broker/http/records/byte-writer.ts'

/** Written in pieces of at least so many bytes while more is at hand. */
const PIECE_BYTES = 64 * 1024

export class StandardOutput {
  /** What is printed goes in here. */
  readonly writer = new ByteWriter()
  readonly #signal: AbortSignal

  /** Aborted, nothing waits for a slow reader any more. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  get isFull(): boolean {
    return this.writer.length >= PIECE_BYTES
  }

  get hasMore(): boolean {
    return this.writer.length > 0
  }

  /** Hands over what was collected; resolves when there is room again. */
  async flush(): Promise<void> {
    if (this.writer.length === 0) return
    const hasRoom = process.stdout.write(this.writer.take())
    if (!hasRoom && !this.#signal.aborted) await this.#drained()
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        process.stdout.removeListener('drain', go)
        this.#signal.removeEventListener('abort', go)
        resolve()
      }
      process.stdout.once('drain', go)
      this.#signal.addEventListener('abort', go, { once: true })
    })
  }
}
