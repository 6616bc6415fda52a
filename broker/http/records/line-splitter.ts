/**
 * Lines out of the chunks of a body, in constant memory: a line inside one chunk is a range of it, one
 * that spans chunks is put together in a buffer of its own, and what is longer than `lineBytesMax` is
 * passed over while it arrives. A line ends with LF, and one CR before it is not part of the line; or it
 * ends with any other delimiter, and has all bytes before that. What a line means is not known here.
 *
 *     splitter.push(chunk)
 *     while (splitter.next()) use(splitter.bytes, splitter.start, splitter.end)
 *     // after the last chunk, if the body ended properly:
 *     if (splitter.finish()) use(…)
 */

const LF = 0x0a
const CR = 0x0d
const FIRST_CARRY_BYTES = 4096
const NEWLINE = Buffer.of(LF)

export class LineSplitter {
  readonly #lineBytesMax: number
  readonly #delimiter: Buffer
  /** The last byte of the delimiter: what is looked for. */
  readonly #lastByte: number
  readonly #hasCr: boolean
  #chunk: Buffer = Buffer.alloc(0)
  /** Where the chunk begins, and the next line after the last one that ended, among all bytes. */
  #chunkPosition = 0
  #position = 0
  #at = 0
  /** The beginning of a line whose end has not come. */
  #carry: Buffer = Buffer.alloc(0)
  #carried = 0
  /** True while the rest of a line that is too long goes by. */
  #isPassing = false

  /** The line in hand is bytes[start, end), without its end; valid until the next `push`. */
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  /** True when the line in hand is longer than the limit: its bytes are not given. */
  isTooLong = false

  /** `lineBytesMax` counts without the line's end. */
  constructor(lineBytesMax: number, delimiter: Buffer = NEWLINE) {
    this.#lineBytesMax = lineBytesMax
    this.#delimiter = delimiter
    this.#lastByte = delimiter[delimiter.length - 1] ?? LF
    this.#hasCr = delimiter.equals(NEWLINE)
  }

  /** Bytes held for a line whose end has not come. */
  get heldBytes(): number {
    return this.#carried
  }

  /** Bytes pushed up to the end of the last line that has ended, its delimiter included. */
  get position(): number {
    return this.#position
  }

  /** True while a line that was given as too long has not ended. */
  get isPassing(): boolean {
    return this.#isPassing
  }

  /** Takes the next chunk; the lines of the one before must have been taken. */
  push(chunk: Buffer): void {
    this.#chunkPosition += this.#chunk.length
    this.#chunk = chunk
    this.#at = 0
  }

  /** Moves to the next line; false when the chunk has no more that end in it. */
  next(): boolean {
    for (let from = this.#at, found = from - 1; ; ) {
      found = this.#chunk.indexOf(this.#lastByte, found + 1)
      if (found < 0) return this.#keepRest()
      if (!this.#isDelimiter(from, found)) continue
      this.#at = found + 1
      this.#position = this.#chunkPosition + this.#at
      const carried = this.#carried
      this.#carried = 0
      if (this.#isPassing) {
        this.#isPassing = false
        from = this.#at
        continue
      }
      const more = this.#delimiter.length - 1
      if (carried === 0) return this.#give(this.#chunk, from, found - more)
      // One byte more than the limit is enough to know; a CR may still come off it.
      if (carried + found - from > this.#lineBytesMax + 1 + more) return this.#giveTooLong()
      this.#carried = carried
      this.#carryOver(from, found)
      const length = this.#carried - more
      this.#carried = 0
      return this.#give(this.#carry, 0, length)
    }
  }

  /** After the last chunk of a body that ended properly: the last line, if it had no end. */
  finish(): boolean {
    this.#position = this.#chunkPosition + this.#chunk.length
    if (this.#isPassing || this.#carried === 0) return false
    const length = this.#carried
    this.#carried = 0
    return this.#give(this.#carry, 0, length)
  }

  /** True where the delimiter ends at `found`, in a line that goes on at `from`. */
  #isDelimiter(from: number, found: number): boolean {
    const delimiter = this.#delimiter
    for (let back = 1; back < delimiter.length; back++) {
      const at = found - back
      if (at + this.#carried < from) return false
      const byte = at >= from ? this.#chunk[at] : this.#carry[this.#carried + at - from]
      if (byte !== delimiter[delimiter.length - 1 - back]) return false
    }
    return true
  }

  #keepRest(): boolean {
    const from = this.#at
    const to = this.#chunk.length
    this.#at = to
    if (this.#isPassing) {
      this.#keepTail(from, to)
      return false
    }
    if (from === to) return false
    const more = this.#delimiter.length - 1
    if (this.#carried + to - from > this.#lineBytesMax + 1 + more) {
      this.#isPassing = true
      this.#keepTail(from, to)
      return this.#giveTooLong()
    }
    this.#carryOver(from, to)
    return false
  }

  /** Of a line that goes by, the bytes that may be the beginning of its delimiter. */
  #keepTail(from: number, to: number): void {
    const kept = this.#delimiter.length - 1
    const old = Math.min(this.#carried, Math.max(0, kept - (to - from)))
    this.#carry.copyWithin(0, this.#carried - old, this.#carried)
    this.#carried = old
    if (kept > 0) this.#carryOver(Math.max(from, to - kept), to)
  }

  #carryOver(from: number, to: number): void {
    const needed = this.#carried + to - from
    if (needed > this.#carry.length) {
      const larger = Math.min(
        Math.max(needed, this.#carry.length * 2, FIRST_CARRY_BYTES),
        Math.max(needed, this.#lineBytesMax + 1),
      )
      const carry = Buffer.allocUnsafeSlow(larger)
      this.#carry.copy(carry, 0, 0, this.#carried)
      this.#carry = carry
    }
    this.#chunk.copy(this.#carry, this.#carried, from, to)
    this.#carried = needed
  }

  #give(bytes: Buffer, start: number, end: number): boolean {
    const to = this.#hasCr && end > start && bytes[end - 1] === CR ? end - 1 : end
    if (to - start > this.#lineBytesMax) return this.#giveTooLong()
    this.bytes = bytes
    this.start = start
    this.end = to
    this.isTooLong = false
    return true
  }

  #giveTooLong(): boolean {
    this.isTooLong = true
    this.start = 0
    this.end = 0
    return true
  }
}
