/**
 * A pull reader of MessagePack that `checkMsgpack` has passed: it moves over values and gives their kind,
 * count and bytes, so that binary members become records without being unpacked first. Integers of 64
 * bits stay exact. No checks of its own beyond that order.
 */

import { textStart } from '../../../client/api/msgpack-check.ts'

export type MsgpackKind =
  | 'nil'
  | 'boolean'
  | 'integer'
  | 'float'
  | 'text'
  | 'binary'
  | 'array'
  | 'map'

export class MsgpackReader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** The kind of the next value, which is not passed. */
  kind(): MsgpackKind {
    const marker = this.bytes[this.at]!
    if (marker <= 0x7f || marker >= 0xe0) return 'integer'
    if (marker <= 0x8f) return 'map'
    if (marker <= 0x9f) return 'array'
    if (marker <= 0xbf) return 'text'
    if (marker === 0xc0) return 'nil'
    if (marker <= 0xc3) return 'boolean'
    if (marker <= 0xc6) return 'binary'
    if (marker <= 0xcb) return 'float'
    if (marker <= 0xd3) return 'integer'
    if (marker <= 0xdb) return 'text'
    return marker <= 0xdd ? 'array' : 'map'
  }

  /** Enters an array or map; returns how many elements or members it has. */
  enter(): number {
    const marker = this.bytes[this.at]!
    if (marker <= 0x9f) {
      this.at++
      return marker & 0x0f
    }
    const width = (marker & 1) === 0 ? 2 : 4
    const count = this.bytes.readUIntBE(this.at + 1, width)
    this.at += 1 + width
    return count
  }

  /** Passes a string or a binary; its content, a view. */
  content(): Buffer {
    const marker = this.bytes[this.at]!
    let start: number
    let length: number
    if (marker <= 0xbf) {
      start = this.at + 1
      length = marker & 0x1f
    } else {
      const width = marker <= 0xc6 ? 1 << (marker - 0xc4) : 1 << (marker - 0xd9)
      start = marker <= 0xc6 ? this.at + 1 + width : textStart(this.bytes, this.at)
      length = this.bytes.readUIntBE(this.at + 1, width)
    }
    this.at = start + length
    return this.bytes.subarray(start, this.at)
  }

  /** Passes a string. */
  text(): string {
    return this.content().toString()
  }

  /** Passes an integer: a number where that is exact, else a bigint. */
  integer(): number | bigint {
    const { bytes, at } = this
    const marker = bytes[at]!
    this.at = at + 1
    if (marker <= 0x7f) return marker
    if (marker >= 0xe0) return marker - 0x100
    const width = 1 << (marker & 0x03)
    this.at += width
    const isSigned = marker >= 0xd0
    if (width === 8) {
      const value = isSigned ? bytes.readBigInt64BE(at + 1) : bytes.readBigUInt64BE(at + 1)
      const number = Number(value)
      return Number.isSafeInteger(number) ? number : value
    }
    return isSigned ? bytes.readIntBE(at + 1, width) : bytes.readUIntBE(at + 1, width)
  }

  float(): number {
    const { bytes, at } = this
    const isSingle = bytes[at] === 0xca
    this.at = at + (isSingle ? 5 : 9)
    return isSingle ? bytes.readFloatBE(at + 1) : bytes.readDoubleBE(at + 1)
  }

  boolean(): boolean {
    return this.bytes[this.at++] === 0xc3
  }

  nil(): null {
    this.at++
    return null
  }

  /** Passes one value of any kind. */
  skip(): void {
    let left = 1
    while (left > 0) {
      left--
      const kind = this.kind()
      if (kind === 'map') left += this.enter() * 2
      else if (kind === 'array') left += this.enter()
      else if (kind === 'text' || kind === 'binary') this.content()
      else if (kind === 'integer') this.integer()
      else if (kind === 'float') this.float()
      else this.at++
    }
  }
}
