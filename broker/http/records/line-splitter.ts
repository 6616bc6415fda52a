/**
 * Lines out of the chunks of a body, in constant memory: a line inside one chunk is a range of it, one
 * that spans chunks is put together in a buffer of its own, and what is longer than `lineBytesMax` is
 * passed over while it arrives. A line ends with LF; one CR before it is not part of the line. What a
 * line means is not known here.
 *
 *     splitter.push(chunk)
 *     while (splitter.next()) use(splitter.bytes, splitter.start, splitter.end)
 *     // after the last chunk, if the body ended properly:
 *     if (splitter.finish()) use(…)
 */

const LF = 0x0a
const CR = 0x0d
const FIRST_CARRY_BYTES = 4096

export class LineSplitter {
  readonly #lineBytesMax: number
  #chunk: Buffer = Buffer.alloc(0)
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
  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** Bytes held for a line whose end has not come. */
  get heldBytes(): number {
    return this.#carried
  }

  /** Takes the next chunk; the lines of the one before must have been taken. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** Moves to the next line; false when the chunk has no more that end in it. */
  next(): boolean {
    for (;;) {
      const found = this.#chunk.indexOf(LF, this.#at)
      if (found < 0) return this.#keepRest()
      const from = this.#at
      this.#at = found + 1
      if (this.#isPassing) {
        this.#isPassing = false
        continue
      }
      if (this.#carried === 0) return this.#give(this.#chunk, from, found)
      // One byte more than the limit is enough to know; a CR may still come off it.
      if (this.#carried + found - from > this.#lineBytesMax + 1) {
        this.#carried = 0
        return this.#giveTooLong()
      }
      this.#carryOver(from, found)
      const length = this.#carried
      this.#carried = 0
      return this.#give(this.#carry, 0, length)
    }
  }

  /** After the last chunk of a body that ended properly: the last line, if it had no LF. */
  finish(): boolean {
    if (this.#isPassing || this.#carried === 0) return false
    const length = this.#carried
    this.#carried = 0
    return this.#give(this.#carry, 0, length)
  }

  #keepRest(): boolean {
    const from = this.#at
    const to = this.#chunk.length
    this.#at = to
    if (this.#isPassing || from === to) return false
    if (this.#carried + to - from > this.#lineBytesMax + 1) {
      this.#carried = 0
      this.#isPassing = true
      return this.#giveTooLong()
    }
    this.#carryOver(from, to)
    return false
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
    const to = end > start && bytes[end - 1] === CR ? end - 1 : end
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
