/**
 * Kafka's primitive types, written one after another into a buffer that grows: the classic encoding
 * (lengths of two and four bytes) and the flexible one (lengths plus one as varints, tagged fields at the
 * end). Owns no schema: those are in the codecs beside it.
 *
 * A string too long for its length field is a mistake of the caller, whose limits are far below.
 */

const INITIAL_BYTES = 256
const STRING_BYTES_MAX = 0x7fff
const UUID_BYTES = 16

export class KafkaWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = 0

  /** A copy of what was written; the writer is empty again, and keeps its room for the next. */
  finish(): Buffer {
    const written = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return written
  }

  /** Forgets what was written: the last use may have ended in an error. */
  clear(): void {
    this.#length = 0
  }

  int8(value: number): void {
    this.#room(1)
    this.#length = this.#bytes.writeInt8(value, this.#length)
  }

  int16(value: number): void {
    this.#room(2)
    this.#length = this.#bytes.writeInt16BE(value, this.#length)
  }

  int32(value: number): void {
    this.#room(4)
    this.#length = this.#bytes.writeInt32BE(value, this.#length)
  }

  int64(value: number | bigint): void {
    this.#room(8)
    this.#length = this.#bytes.writeBigInt64BE(BigInt(value), this.#length)
  }

  unsignedVarint(value: number): void {
    this.#room(5)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  uuid(text: string): void {
    this.#room(UUID_BYTES)
    this.#length += this.#bytes.write(text.replaceAll('-', ''), this.#length, UUID_BYTES, 'hex')
  }

  string(text: string): void {
    const size = stringSize(text)
    this.int16(size)
    this.#text(text, size)
  }

  nullableString(text: string | null): void {
    if (text === null) this.int16(-1)
    else this.string(text)
  }

  bytes(value: Uint8Array): void {
    this.int32(value.length)
    this.#raw(value)
  }

  compactString(text: string): void {
    const size = stringSize(text)
    this.unsignedVarint(size + 1)
    this.#text(text, size)
  }

  nullableCompactString(text: string | null): void {
    if (text === null) this.unsignedVarint(0)
    else this.compactString(text)
  }

  compactBytes(value: Uint8Array): void {
    this.unsignedVarint(value.length + 1)
    this.#raw(value)
  }

  /** The length of a compact array; its elements follow. */
  compactArray(length: number): void {
    this.unsignedVarint(length + 1)
  }

  compactInt32s(values: readonly number[]): void {
    this.compactArray(values.length)
    for (const value of values) this.int32(value)
  }

  /** The end of a flexible structure: its tagged fields, by rising tag. Those left out are `undefined`. */
  taggedFields(...fields: readonly (TaggedField | undefined)[]): void {
    const present = fields.filter((field) => field !== undefined)
    this.unsignedVarint(present.length)
    for (const { tag, write } of present) {
      this.unsignedVarint(tag)
      const sizeAt = this.#length
      this.unsignedVarint(0)
      write(this)
      this.#setSize(sizeAt)
    }
  }

  /** Says at `sizeAt`, where one byte was left for it, how long all is that was written after that. */
  #setSize(sizeAt: number): void {
    const contentAt = sizeAt + 1
    const end = this.#length
    const size = end - contentAt
    const sizeBytes = Math.max(1, Math.ceil((32 - Math.clz32(size)) / 7))
    this.#room(sizeBytes - 1)
    this.#bytes.copyWithin(sizeAt + sizeBytes, contentAt, end)
    this.#length = sizeAt
    this.unsignedVarint(size)
    this.#length = end + sizeBytes - 1
  }

  #text(text: string, size: number): void {
    this.#room(size)
    this.#length += this.#bytes.write(text, this.#length, size, 'utf8')
  }

  #raw(value: Uint8Array): void {
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  #room(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

export interface TaggedField {
  readonly tag: number
  write(writer: KafkaWriter): void
}

/** A tagged field, or none when `value` is what its absence means. */
export function tagged<T>(
  tag: number,
  value: T,
  absent: T,
  write: (writer: KafkaWriter, value: T) => void,
): TaggedField | undefined {
  return value === absent ? undefined : { tag, write: (writer) => write(writer, value) }
}

function stringSize(text: string): number {
  const size = Buffer.byteLength(text, 'utf8')
  if (size <= STRING_BYTES_MAX) return size
  throw new RangeError(`a text of ${size} bytes does not fit Kafka's ${STRING_BYTES_MAX}`)
}
