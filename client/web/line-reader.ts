/**
 * The lines of a streamed body, as text. Reads only when it is asked: while nobody asks, the platform
 * stops taking bytes from the network, and the sender is paused. A line is bounded; half a line at the
 * end is no line. What stands in the lines is not looked at.
 */

import { SpoolError } from '../api/errors.ts'

/**
 * Longer than the line of any record: a batch may hold 64 MiB (`max.message.bytes`), which in base64 and
 * with its names is less than this.
 */
export const LINE_CHARACTERS_MAX = 128 * 1024 * 1024

export class LineReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  readonly #charactersMax: number
  /** The pieces of the line that has no end yet. */
  #pieces: string[] = []
  #pieceCharacters = 0

  constructor(body: ReadableStream<Uint8Array>, charactersMax: number = LINE_CHARACTERS_MAX) {
    this.#reader = body.getReader()
    this.#charactersMax = charactersMax
  }

  /**
   * The lines that end in the next piece of the body, perhaps none; `undefined` at its end. Rejects with
   * what broke the body, and with CORRUPT_MESSAGE for what is no text or a line beyond the bound.
   */
  async next(): Promise<string[] | undefined> {
    const { done, value } = await this.#reader.read()
    if (done) return undefined
    const lines = this.#text(value).split('\n')
    const rest = lines.pop() ?? ''
    if (lines.length > 0 && this.#pieces.length > 0) {
      lines[0] = this.#pieces.join('') + lines[0]
      this.#pieces = []
      this.#pieceCharacters = 0
    }
    if (rest !== '') this.#keep(rest)
    return lines
  }

  /** Lets go of the body; a `next` that waits ends. */
  async cancel(): Promise<void> {
    // A body that is broken already has nothing left to cancel.
    await this.#reader.cancel().catch(() => {})
  }

  #text(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: true })
    } catch (cause) {
      throw new SpoolError('CORRUPT_MESSAGE', 'the stream is not UTF-8', { cause })
    }
  }

  #keep(rest: string): void {
    this.#pieces.push(rest)
    this.#pieceCharacters += rest.length
    if (this.#pieceCharacters <= this.#charactersMax) return
    throw new SpoolError(
      'CORRUPT_MESSAGE',
      `a line of the stream has more than ${this.#charactersMax} characters`,
    )
  }
}
