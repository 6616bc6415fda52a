/**
 * A growing buffer that JSON is written into byte by byte, so that stored bytes become an answer without
 * being a JavaScript string in between. It escapes strings; what a document looks like is its caller's.
 */

const FIRST_BYTES = 16 * 1024
/** A buffer that grew beyond this for one large record is not kept for the next ones. */
const KEPT_BYTES_MAX = 256 * 1024
/** A buffer so full is handed over as it is; one with more room in it would be memory for nothing. */
const FULL_SHARE = 0.8
const QUOTE = 0x22
const BACKSLASH = 0x5c
/** A control character becomes at most six bytes: \u001f. */
const ESCAPED_BYTES_MAX = 6
const BLOCK_BYTES = 1024

/** What follows the backslash in the short escapes, by character; 0 where there is none. */
const SHORT_ESCAPES = new Uint8Array(0x20)
SHORT_ESCAPES[0x08] = 0x62
SHORT_ESCAPES[0x09] = 0x74
SHORT_ESCAPES[0x0a] = 0x6e
SHORT_ESCAPES[0x0c] = 0x66
SHORT_ESCAPES[0x0d] = 0x72
const HEX = Buffer.from('0123456789abcdef')

/** Pieces below this copy faster byte by byte than by a call into native code. */
const SMALL_BYTES = 24

export class ByteWriter {
  #bytes: Buffer
  #length = 0

  /** `firstBytes`: how much it holds before it grows. */
  constructor(firstBytes = FIRST_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(firstBytes)
  }

  get length(): number {
    return this.#length
  }

  /** Everything written so far, handed over: the writer begins anew with a buffer of its own. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#length = 0
    return taken
  }

  /**
   * Everything written so far in a buffer of about that size. The writer keeps its own, which is as large as
   * the largest so far, unless that is larger than anybody needs twice.
   */
  takeExactly(): Buffer {
    const isLarge = this.#bytes.length > KEPT_BYTES_MAX
    if (isLarge && this.#length > this.#bytes.length * FULL_SHARE) return this.take()
    const taken = Buffer.allocUnsafeSlow(this.#length)
    this.#bytes.copy(taken, 0, 0, this.#length)
    if (isLarge) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#length = 0
    return taken
  }

  /** What was written so far, where it lies: true until something else is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** How much it holds before it grows. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Forgets what was written after the first `length` bytes. */
  cutTo(length: number): void {
    this.#length = Math.min(length, this.#length)
  }

  /** Text of ASCII characters only, as it is. */
  ascii(text: string): void {
    this.#reserve(text.length)
    if (text.length < SMALL_BYTES) {
      for (let i = 0; i < text.length; i++) this.#bytes[this.#length + i] = text.charCodeAt(i)
      this.#length += text.length
      return
    }
    this.#length += this.#bytes.write(text, this.#length, 'latin1')
  }

  /** An integer in decimal. */
  integer(value: number): void {
    this.ascii(String(value))
  }

  /** Bytes as they are. */
  raw(bytes: Buffer, start = 0, end = bytes.length): void {
    this.#reserve(end - start)
    if (end - start < SMALL_BYTES) {
      const target = this.#bytes
      let to = this.#length
      for (let at = start; at < end; at++) target[to++] = bytes[at]!
      this.#length = to
      return
    }
    bytes.copy(this.#bytes, this.#length, start, end)
    this.#length += end - start
  }

  /** JSON text on one line: a line break in it stands between values and becomes a space. */
  rawOnOneLine(bytes: Buffer, start: number, end: number): void {
    const from = this.#length
    this.raw(bytes, start, end)
    const written = this.#bytes
    for (let at = from; at < this.#length; at++) {
      if (written[at] === 0x0a || written[at] === 0x0d) written[at] = 0x20
    }
  }

  /** UTF-8 as a JSON string, quotes included. */
  string(bytes: Buffer, start: number, end: number): void {
    this.#reserve(2)
    this.#bytes[this.#length++] = QUOTE
    // In blocks, so that room for the worst case is never asked for the whole of a large value.
    for (let at = start; at < end; at += BLOCK_BYTES) {
      this.#escaped(bytes, at, Math.min(at + BLOCK_BYTES, end))
    }
    this.#reserve(1)
    this.#bytes[this.#length++] = QUOTE
  }

  #escaped(bytes: Buffer, start: number, end: number): void {
    this.#reserve((end - start) * ESCAPED_BYTES_MAX)
    const target = this.#bytes
    let to = this.#length
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) target[to++] = byte
      else to = writeEscape(target, to, byte)
    }
    this.#length = to
  }

  /** Bytes as `{"base64":"…"}`. */
  base64(bytes: Buffer, start: number, end: number): void {
    this.ascii('{"base64":"')
    this.ascii(bytes.toString('base64', start, end))
    this.ascii('"}')
  }

  #reserve(extraBytes: number): void {
    const needed = this.#length + extraBytes
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}

function writeEscape(target: Buffer, to: number, byte: number): number {
  let at = to
  target[at++] = BACKSLASH
  const short = byte < 0x20 ? SHORT_ESCAPES[byte]! : byte
  if (short !== 0) {
    target[at++] = short
    return at
  }
  target[at++] = 0x75
  target[at++] = 0x30
  target[at++] = 0x30
  target[at++] = HEX[byte >> 4]!
  target[at++] = HEX[byte & 0x0f]!
  return at
}
