/**
 * Kafka's primitive types, read one after another. Whatever the bytes say, a read ends in a value or in
 * SpoolError INVALID_RECORD: no length is believed before it is compared with what is left, so memory and
 * work stay within what was given. Owns no schema.
 */

import { SpoolError } from '../../../client/api/errors.ts'

const UUID_BYTES = 16
const UNSIGNED_VARINT_BYTES_MAX = 5

export class KafkaReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  /** An int64 that we count with: an offset or a time. */
  safeInt64(): number {
    const value = this.int64()
    const number = Number(value)
    if (Number.isSafeInteger(number)) return number
    throw malformed(`the number ${value} before byte ${this.#at} is beyond 2^53`)
  }

  unsignedVarint(): number {
    let value = 0
    for (let index = 0; index < UNSIGNED_VARINT_BYTES_MAX; index++) {
      const byte = this.#bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw malformed(`the number before byte ${this.#at} does not fit 32 bits`)
  }

  uuid(): string {
    const at = this.#take(UUID_BYTES)
    const hex = this.#bytes.toString('hex', at, at + UUID_BYTES)
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  string(): string {
    return this.#required(this.nullableString())
  }

  nullableString(): string | null {
    const size = this.int16()
    return size === -1 ? null : this.#text(size)
  }

  bytes(): Buffer {
    return this.#raw(this.int32())
  }

  compactString(): string {
    return this.#required(this.nullableCompactString())
  }

  nullableCompactString(): string | null {
    const size = this.unsignedVarint() - 1
    return size === -1 ? null : this.#text(size)
  }

  compactBytes(): Buffer {
    return this.#raw(this.unsignedVarint() - 1)
  }

  /** An array whose length is an int32. */
  array<T>(element: () => T): T[] {
    return this.#elements(this.int32(), element)
  }

  compactArray<T>(element: () => T): T[] {
    return this.#elements(this.unsignedVarint() - 1, element)
  }

  compactInt32s(): number[] {
    return this.compactArray(() => this.int32())
  }

  nullableCompactInt32s(): number[] | null {
    const length = this.unsignedVarint() - 1
    return length === -1 ? null : this.#elements(length, () => this.int32())
  }

  /** The end of a flexible structure: known tags to their readers, the others are skipped. */
  taggedFields(readers: Readonly<Record<number, (field: KafkaReader) => void>> = {}): void {
    const count = this.unsignedVarint()
    for (let index = 0; index < count; index++) {
      const tag = this.unsignedVarint()
      const content = this.#raw(this.unsignedVarint())
      readers[tag]?.(new KafkaReader(content))
    }
  }

  #elements<T>(length: number, element: () => T): T[] {
    // Every element takes a byte at least.
    if (length < 0 || length > this.#bytes.length - this.#at) {
      throw malformed(`an array before byte ${this.#at} claims ${length} elements`)
    }
    const elements: T[] = []
    for (let index = 0; index < length; index++) elements.push(element())
    return elements
  }

  #required(text: string | null): string {
    if (text === null) throw malformed(`the text before byte ${this.#at} is null`)
    return text
  }

  #text(size: number): string {
    const at = this.#take(size)
    return this.#bytes.toString('utf8', at, at + size)
  }

  #raw(size: number): Buffer {
    const at = this.#take(size)
    return Buffer.from(this.#bytes.subarray(at, at + size))
  }

  #take(size: number): number {
    const at = this.#at
    if (size < 0 || size > this.#bytes.length - at) {
      throw malformed(
        `${size} bytes at byte ${at} of ${this.#bytes.length} are more than there are`,
      )
    }
    this.#at = at + size
    return at
  }
}

/** The error of bytes that are no record of a group. */
export function malformed(why: string): SpoolError {
  return new SpoolError('INVALID_RECORD', `a record of __consumer_offsets is malformed: ${why}`)
}
