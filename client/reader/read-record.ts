/** One record as a reader gives it: decoded field by field, when a field is looked at. */

import { SpoolError } from '../api/errors.ts'
import { copyOf } from '../serdes/copies.ts'
import type { Deserializer } from '../serdes/serde.ts'
import { textOf } from '../serdes/text.ts'
import type { RawHeader, RecordFields } from '../transport.ts'

/** A header's value is text where it is UTF-8. */
export type ReadHeader = readonly [name: string, value: string | Uint8Array | null]

/** What records need besides their bytes. */
export interface RecordContext<K, V> {
  readonly topic: string
  readonly key: Deserializer<K>
  readonly value: Deserializer<V>
  /** For what a group's consumer read them: what is committed of them is checked by it. */
  readonly lease?: unknown
}

/** What all records of one batch share. */
export interface RecordOrigin<K, V> extends RecordContext<K, V> {
  readonly partition: number
  readonly fields: RecordFields
}

/** Stands for "not looked at yet"; null and undefined are values. */
const UNREAD: unique symbol = Symbol('unread')
const NO_HEADERS: readonly ReadHeader[] = Object.freeze([])

export class ReadRecord<K = string | Uint8Array, V = unknown> {
  readonly offset: number
  /** Milliseconds since 1970: the producer's, or of the append where the topic stamps that. */
  readonly timestamp: number
  readonly #origin: RecordOrigin<K, V>
  readonly #bytes: Uint8Array
  readonly #keyStart: number
  readonly #keyEnd: number
  readonly #valueStart: number
  readonly #valueEnd: number
  readonly #headersStart: number
  readonly #headerCount: number
  #key: K | null | typeof UNREAD = UNREAD
  #value: V | null | typeof UNREAD = UNREAD

  /** Of the record `origin.fields` stands at. */
  constructor(origin: RecordOrigin<K, V>) {
    const { fields } = origin
    this.offset = fields.offset
    this.timestamp = fields.timestamp
    this.#origin = origin
    this.#bytes = fields.bytes
    this.#keyStart = fields.keyStart
    this.#keyEnd = fields.keyEnd
    this.#valueStart = fields.valueStart
    this.#valueEnd = fields.valueEnd
    this.#headersStart = fields.headersStart
    this.#headerCount = fields.headerCount
  }

  get topic(): string {
    return this.#origin.topic
  }

  get partition(): number {
    return this.#origin.partition
  }

  /** @internal */
  get lease(): unknown {
    return this.#origin.lease
  }

  /**
   * Null where the record has none.
   *
   * @throws SpoolError SERIALIZATION_FAILED when the bytes are not what the serde reads.
   */
  get key(): K | null {
    if (this.#key === UNREAD) {
      this.#key = this.#read(this.#origin.key, this.#keyStart, this.#keyEnd, 'key')
    }
    return this.#key
  }

  /**
   * Null for a tombstone.
   *
   * @throws SpoolError SERIALIZATION_FAILED when the bytes are not what the serde reads.
   */
  get value(): V | null {
    if (this.#value === UNREAD) {
      this.#value = this.#read(this.#origin.value, this.#valueStart, this.#valueEnd, 'value')
    }
    return this.#value
  }

  /** A view of memory the whole batch shares: copy it to keep it for long, and do not change it. */
  get keyBytes(): Uint8Array | null {
    return this.#keyStart < 0 ? null : this.#bytes.subarray(this.#keyStart, this.#keyEnd)
  }

  /** A view, as `keyBytes`. */
  get valueBytes(): Uint8Array | null {
    return this.#valueStart < 0 ? null : this.#bytes.subarray(this.#valueStart, this.#valueEnd)
  }

  /** In stored order; a name may come more than once. */
  get headers(): readonly ReadHeader[] {
    if (this.#headerCount === 0) return NO_HEADERS
    return this.#origin.fields.headersAt(this.#headersStart, this.#headerCount).map(readHeader)
  }

  /** What `JSON.stringify` and `console.log` of a copy show. */
  toJSON(): object {
    const { topic, partition, offset, timestamp, key, value, headers } = this
    return { topic, partition, offset, timestamp, key, value, headers }
  }

  #read<T>(serde: Deserializer<T>, start: number, end: number, what: string): T | null {
    if (start < 0) return null
    try {
      return serde.deserializeRange === undefined
        ? serde.deserialize(this.#bytes.subarray(start, end))
        : serde.deserializeRange(this.#bytes, start, end)
    } catch (cause) {
      throw this.#unreadable(what, cause)
    }
  }

  #unreadable(what: string, cause: unknown): SpoolError {
    const why = cause instanceof Error ? cause.message : String(cause)
    return new SpoolError(
      'SERIALIZATION_FAILED',
      `the ${what} of partition ${this.partition}, offset ${this.offset}: ${why}`,
      {
        cause,
        extensions: {
          ...(cause instanceof SpoolError ? cause.extensions : {}),
          partition: this.partition,
          offset: this.offset,
        },
      },
    )
  }
}

function readHeader({ name, value }: RawHeader): ReadHeader {
  // A name that is no UTF-8 is one byte a character: nothing is lost, and it is still a name.
  const text = textOf(name) ?? String.fromCharCode(...name)
  return [text, value === null ? null : (textOf(value) ?? copyOf(value, 0, value.length))]
}
