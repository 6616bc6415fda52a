/** A bar on stderr for work that takes long enough to wonder about; nothing where nobody watches. */

const BAR_CELLS = 30
/** Work that ends sooner than this needs no bar. */
const SHOWN_AFTER_MS = 500
const REDRAWN_EVERY_MS = 100

export class Progress {
  readonly #totalBytes: number
  readonly #startedAt = performance.now()
  #drawnAt = 0

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes
  }

  at(bytes: number): void {
    const now = performance.now()
    if (!process.stderr.isTTY || now - this.#startedAt < SHOWN_AFTER_MS) return
    if (now - this.#drawnAt < REDRAWN_EVERY_MS) return
    this.#drawnAt = now
    const share = this.#totalBytes === 0 ? 1 : bytes / this.#totalBytes
    const filled = Math.round(share * BAR_CELLS)
    const bar = '█'.repeat(filled) + '·'.repeat(BAR_CELLS - filled)
    const leftS = ((now - this.#startedAt) * (1 / Math.max(share, 0.001) - 1)) / 1000
    process.stderr.write(`\r${bar} ${Math.floor(share * 100)}%, ${leftS.toFixed(0)} s left \x1b[K`)
  }

  finish(): void {
    if (this.#drawnAt > 0) process.stderr.write('\r\x1b[K')
  }
}
