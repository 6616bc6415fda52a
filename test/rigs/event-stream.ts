/**
 * Reads a `text/event-stream` answer off a socket at little cost: a thousand of them fit into one process
 * beside a broker. Bytes go through unparsed: who wants records gets each `data:` line as bytes.
 *
 *     head ─ "\r\n\r\n" ─ chunk: size in hex ─ bytes ─ "\r\n" ─ chunk … ─ chunk of size 0
 *                                    └─► lines ─► `data:` of a record · `event:` with its `data:`
 *
 * Knows HTTP/1.1 as Node's server writes it, and no more.
 */

const LINE_FEED = 0x0a
const DATA = Buffer.from('data: ')
const EVENT = Buffer.from('event: ')
const NOTHING = Buffer.alloc(0)
const HEAD_BYTES_MAX = 16 * 1024

export interface EventStreamHandlers {
  /** The head has come. */
  onHead?(status: number): void
  /** The data of an event without a name: `bytes` from `start` to before `end`, good during the call. */
  onRecord(bytes: Buffer, start: number, end: number): void
  /** An event with a name. */
  onEvent?(name: string, data: string): void
}

export class EventStreamParser {
  readonly #handlers: EventStreamHandlers
  /** What came and is not a whole head, chunk size or line yet. */
  #rest: Buffer = NOTHING
  #line: Buffer = NOTHING
  #hasHead = false
  /** Bytes of the chunk to come; -1: its size is to come. */
  #chunkLeft = -1
  /** The name of the event that is being read. */
  #event = ''
  /** True after the chunk of size 0: the answer is complete. */
  isComplete = false

  constructor(handlers: EventStreamHandlers) {
    this.#handlers = handlers
  }

  /** Takes what the socket gave. Throws for what is no such answer. */
  push(bytes: Buffer): void {
    let input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = NOTHING
    if (!this.#hasHead) {
      const end = input.indexOf('\r\n\r\n')
      if (end < 0) {
        if (input.length > HEAD_BYTES_MAX) throw new Error('the head of the answer does not end')
        this.#rest = Buffer.from(input)
        return
      }
      this.#hasHead = true
      this.#handlers.onHead?.(Number(input.toString('latin1', 9, 12)))
      input = input.subarray(end + 4)
    }
    this.#chunks(input)
  }

  #chunks(input: Buffer): void {
    let at = 0
    while (at < input.length && !this.isComplete) {
      if (this.#chunkLeft < 0) {
        // The line end of the chunk before, then the size.
        const start = input[at] === 0x0d ? at + 2 : at
        const end = input.indexOf('\r\n', start)
        if (end < 0 || start > input.length) {
          this.#rest = Buffer.from(input.subarray(at))
          return
        }
        this.#chunkLeft = Number.parseInt(input.toString('latin1', start, end), 16)
        if (!(this.#chunkLeft >= 0)) throw new Error('the answer is not chunked')
        at = end + 2
        this.isComplete = this.#chunkLeft === 0
      }
      const size = Math.min(this.#chunkLeft, input.length - at)
      this.#lines(input.subarray(at, at + size))
      at += size
      this.#chunkLeft -= size
      if (this.#chunkLeft === 0) this.#chunkLeft = -1
    }
  }

  #lines(bytes: Buffer): void {
    let at = 0
    if (this.#line.length > 0) {
      const end = bytes.indexOf(LINE_FEED)
      const head = end < 0 ? bytes : bytes.subarray(0, end)
      const line = Buffer.concat([this.#line, head])
      this.#line = NOTHING
      if (end < 0) {
        this.#line = line
        return
      }
      this.#oneLine(line, 0, line.length)
      at = end + 1
    }
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, at)
      if (end < 0) break
      this.#oneLine(bytes, at, end)
      at = end + 1
    }
    if (at < bytes.length) this.#line = Buffer.from(bytes.subarray(at))
  }

  #oneLine(bytes: Buffer, start: number, end: number): void {
    if (end === start) this.#event = ''
    else if (begins(bytes, start, end, DATA)) {
      const from = start + DATA.length
      if (this.#event === '') this.#handlers.onRecord(bytes, from, end)
      else this.#handlers.onEvent?.(this.#event, bytes.toString('utf8', from, end))
    } else if (begins(bytes, start, end, EVENT)) {
      this.#event = bytes.toString('latin1', start + EVENT.length, end)
    }
  }
}

function begins(bytes: Buffer, start: number, end: number, word: Buffer): boolean {
  return (
    bytes[start] === word[0] &&
    end - start >= word.length &&
    bytes.compare(word, 0, word.length, start, start + word.length) === 0
  )
}
