/**
 * Reads records from JSON: `{key?, value, headers?, partition?, timestamp?}`, one or `{records: […]}`.
 * What is stored (the contract's words):
 *
 * - a string is its UTF-8; an object whose only name is `base64` is those bytes; `null` is a tombstone;
 *   any other value is its own text as sent, never rendered again;
 * - with `as=json` every value but `null` is its own text, strings and `{"base64"}` objects too;
 * - a key is a string, an integer (its decimal text), `{"base64"}` or null;
 * - headers are an object or `[name, value]` pairs, values as keys but for integers.
 *
 * A text that is not JSON is a `JsonError`; a record that is not one is a `RecordRefusal`, and reading
 * goes on with the next.
 */

import { base64Object, excerpt, keyBytes, readHeaders } from './json-parts.ts'
import { JsonError, JsonReader } from './json-reader.ts'
import { LoneSurrogateError, safeInteger, stringBytes } from './json-string.ts'
import {
  NO_HEADERS,
  type ProducedHeader,
  type ProducedRecord,
  RECORD_MEMBERS,
  RecordRefusal,
  type ValueReading,
} from './produced-record.ts'
import { readTimestamp } from './timestamp-text.ts'

const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const NULL_FIRST = 0x6e

const NAME_BYTES = RECORD_MEMBERS.map((name) => Buffer.from(name))
const NAME_LIST = RECORD_MEMBERS.join(', ')
const KEY = 0
const VALUE = 1
const HEADERS = 2
const PARTITION = 3
const TIMESTAMP = 4
const NOTHING = Buffer.alloc(0)
const PARTITION_MAX = 2 ** 31 - 1
const RECORDS = Buffer.from('records')

/** Reads records from texts that are valid UTF-8. Hold one; not for use across an `await`. */
export class JsonRecords {
  readonly #reader = new JsonReader()
  /** For a second look into a part that `#reader` has passed and found well-formed. */
  readonly #inner = new JsonReader()
  readonly #as: ValueReading
  #bytes: Buffer = NOTHING
  /** Where the members of the record in hand stand; start -1: absent. */
  readonly #starts = new Int32Array(RECORD_MEMBERS.length)
  readonly #ends = new Int32Array(RECORD_MEMBERS.length)
  /** Why the record in hand is none, found before its members were looked at. */
  #problem: string | undefined

  constructor(as: ValueReading) {
    this.#as = as
  }

  /** The one record that is the text at [start, end). Throws `JsonError` or `RecordRefusal`. */
  readOne(bytes: Buffer, start: number, end: number): ProducedRecord {
    this.#bytes = bytes
    this.#reader.open(bytes, start, end)
    this.#findRecord()
    this.#reader.finish()
    return this.#record()
  }

  /**
   * The records of a request's body, one record or `{records: […]}`, handed over in order. Throws
   * `JsonError` when the body is not JSON, which may be after records were handed over.
   */
  readBody(
    bytes: Buffer,
    take: (record: ProducedRecord) => void,
    refuse: (refusal: RecordRefusal) => void,
  ): void {
    this.#bytes = bytes
    const reader = this.#reader
    reader.open(bytes)
    const handOver = () => {
      try {
        take(this.#record())
      } catch (error) {
        if (!(error instanceof RecordRefusal)) throw error
        refuse(error)
      }
    }
    const isObject = this.#begin()
    if (isObject && this.#reader.nextMember()) {
      if (this.#reader.nameIs(RECORDS)) {
        this.#readList(handOver)
        reader.finish()
        return
      }
      this.#findMember()
      this.#findMembers()
    }
    reader.finish()
    handOver()
  }

  /** Lets go of the last body, which may be large. */
  release(): void {
    this.#bytes = NOTHING
    this.#reader.release()
    this.#inner.release()
  }

  #readList(handOver: () => void): void {
    const reader = this.#reader
    if (reader.peek() !== OPEN_ARRAY)
      throw new JsonError('"records" is not an array', reader.position)
    reader.beginArray()
    while (reader.nextElement()) {
      this.#findRecord()
      handOver()
    }
    if (reader.nextMember()) {
      const name = JSON.stringify(reader.name())
      throw new JsonError(`${name} beside "records", which stands alone`, reader.position)
    }
  }

  #findRecord(): void {
    if (this.#begin()) this.#findMembers()
  }

  /** Enters the record that comes next; false when it is not an object, having passed it. */
  #begin(): boolean {
    this.#starts.fill(-1)
    this.#problem = undefined
    if (this.#reader.peek() === OPEN_OBJECT) {
      this.#reader.beginObject()
      return true
    }
    this.#reader.skip()
    this.#problem = `a record is an object with ${NAME_LIST}`
    return false
  }

  #findMembers(): void {
    while (this.#reader.nextMember()) this.#findMember()
  }

  #findMember(): void {
    const reader = this.#reader
    let index = 0
    while (index < RECORD_MEMBERS.length && !reader.nameIs(NAME_BYTES[index]!)) index++
    if (index === RECORD_MEMBERS.length) {
      this.#problem ??= `${JSON.stringify(reader.name().slice(0, 60))} is not part of a record, which has ${NAME_LIST}`
      reader.skip()
      return
    }
    reader.skip()
    this.#starts[index] = reader.valueStart
    this.#ends[index] = reader.valueEnd
  }

  #record(): ProducedRecord {
    if (this.#problem !== undefined) throw refused(this.#problem)
    try {
      return {
        key: this.#key(),
        value: this.#value(),
        headers: this.#headers(),
        partition: this.#partition(),
        timestamp: this.#timestamp(),
      }
    } catch (error) {
      if (error instanceof LoneSurrogateError) throw refused(error.message)
      throw error
    }
  }

  #key(): Buffer | null {
    const start = this.#starts[KEY]!
    return start < 0 ? null : keyBytes(this.#bytes, start, this.#ends[KEY]!, this.#inner)
  }

  #value(): Buffer | null {
    const start = this.#starts[VALUE]!
    const end = this.#ends[VALUE]!
    if (start < 0) throw refused('value is missing; a tombstone is an explicit null')
    const bytes = this.#bytes
    const first = bytes[start]!
    if (first === NULL_FIRST) return null
    if (this.#as === 'json') return bytes.subarray(start, end)
    if (first === QUOTE) return stringBytes(bytes, start + 1, end - 1)
    if (first === OPEN_OBJECT) {
      const decoded = base64Object(bytes, start, end, this.#inner, 'value')
      if (decoded !== undefined) return decoded
    }
    return bytes.subarray(start, end)
  }

  #headers(): readonly ProducedHeader[] {
    const start = this.#starts[HEADERS]!
    if (start < 0) return NO_HEADERS
    return readHeaders(this.#bytes, start, this.#ends[HEADERS]!, this.#inner)
  }

  #partition(): number {
    const start = this.#starts[PARTITION]!
    if (start < 0) return -1
    const value = safeInteger(this.#bytes, start, this.#ends[PARTITION]!)
    if (value !== undefined && value >= 0 && value <= PARTITION_MAX) return value
    throw refused(
      `partition is ${this.#shown(PARTITION)}, not an integer from 0 to ${PARTITION_MAX}`,
    )
  }

  #timestamp(): number {
    const start = this.#starts[TIMESTAMP]!
    if (start < 0) return -1
    const value = readTimestamp(this.#bytes, start, this.#ends[TIMESTAMP]!)
    if (value !== undefined && value >= 0) return value
    throw new RecordRefusal(
      'INVALID_TIMESTAMP',
      `timestamp is ${this.#shown(TIMESTAMP)}, not milliseconds since 1970 or RFC 3339 with a zone`,
    )
  }

  #shown(member: number): string {
    return excerpt(this.#bytes, this.#starts[member]!, this.#ends[member]!)
  }
}

function refused(detail: string): RecordRefusal {
  return new RecordRefusal('INVALID_RECORD', detail)
}
