/**
 * JSON Pointers (RFC 6901) looked up in the bytes of a text in one pass, without building its values:
 * `keyFrom=/user&timestampFrom=/ts` over millions of log lines. The text is checked whole on the way, so
 * that what lies behind the last pointer is JSON too. Linear in the text.
 */

import type { JsonReader } from './json-reader.ts'

const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b

/** A pointer as text, taken apart. */
export interface JsonPointer {
  readonly text: string
  /** The reference tokens, unescaped, as UTF-8. Empty: the whole text. */
  readonly tokens: readonly Buffer[]
}

/** Takes a pointer apart; `undefined` when it is not one (RFC 6901, section 3). */
export function parsePointer(text: string): JsonPointer | undefined {
  if (text === '') return { text, tokens: [] }
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined
  const tokens = text
    .slice(1)
    .split('/')
    .map((token) => Buffer.from(token.replaceAll('~1', '/').replaceAll('~0', '~')))
  return { text, tokens }
}

/** Finds up to 30 pointers in a text. Hold one and `find` in each text; not for use across an `await`. */
export class PointerFinder {
  readonly #pointers: readonly JsonPointer[]
  readonly #reader: JsonReader
  readonly #all: number
  /** Of pointer i in the last text: where its value stands; -1 when it was not there. */
  readonly starts: Int32Array
  readonly ends: Int32Array

  constructor(pointers: readonly JsonPointer[], reader: JsonReader) {
    this.#pointers = pointers
    this.#reader = reader
    this.#all = (1 << pointers.length) - 1
    this.starts = new Int32Array(pointers.length)
    this.ends = new Int32Array(pointers.length)
  }

  /** Reads the text at [start, end) of `bytes` (valid UTF-8). Throws `JsonError` when it is not JSON. */
  find(bytes: Buffer, start: number, end: number): void {
    this.starts.fill(-1)
    this.ends.fill(-1)
    this.#reader.open(bytes, start, end)
    this.#visit(this.#all, 0)
    this.#reader.finish()
  }

  /** Passes the next value, in which the pointers of the set `wanted` go on with token `level`. */
  #visit(wanted: number, level: number): void {
    const reader = this.#reader
    const kind = wanted === 0 ? 0 : reader.peek()
    const deeper = this.#withToken(wanted, level)
    const start = reader.position
    if (deeper !== 0 && kind === OPEN_OBJECT) {
      reader.beginObject()
      while (reader.nextMember()) {
        const matching = this.#matchingName(deeper, level)
        if (matching === 0) reader.skip()
        else this.#visit(matching, level + 1)
      }
    } else if (deeper !== 0 && kind === OPEN_ARRAY) {
      reader.beginArray()
      for (let index = 0; reader.nextElement(); index++) {
        const matching = this.#matchingIndex(deeper, level, index)
        if (matching === 0) reader.skip()
        else this.#visit(matching, level + 1)
      }
    } else {
      reader.skip()
    }
    if (deeper !== wanted) this.#found(wanted & ~deeper, start, reader.position)
  }

  /** The pointers of the set that have a token at `level`. */
  #withToken(wanted: number, level: number): number {
    let set = 0
    for (let i = 0; i < this.#pointers.length; i++) {
      if ((wanted & (1 << i)) !== 0 && this.#pointers[i]!.tokens.length > level) set |= 1 << i
    }
    return set
  }

  #matchingName(wanted: number, level: number): number {
    let set = 0
    for (let i = 0; i < this.#pointers.length; i++) {
      if ((wanted & (1 << i)) === 0) continue
      if (this.#reader.nameIs(this.#pointers[i]!.tokens[level]!)) set |= 1 << i
    }
    return set
  }

  #matchingIndex(wanted: number, level: number, index: number): number {
    let set = 0
    for (let i = 0; i < this.#pointers.length; i++) {
      if ((wanted & (1 << i)) === 0) continue
      if (this.#pointers[i]!.tokens[level]!.toString('latin1') === String(index)) set |= 1 << i
    }
    return set
  }

  #found(wanted: number, start: number, end: number): void {
    for (let i = 0; i < this.#pointers.length; i++) {
      if ((wanted & (1 << i)) === 0) continue
      this.starts[i] = start
      this.ends[i] = end
    }
  }
}
