/**
 * A record out of a line (or a raw body) that is a value as it stands: `keyFrom` and `timestampFrom` are
 * looked up in it by JSON Pointer. Without them the line may be anything; with them it must be JSON.
 */

import { isUtf8 } from 'node:buffer'
import { excerpt, keyBytes } from './json-parts.ts'
import { type JsonPointer, PointerFinder } from './json-pointer.ts'
import { JsonReader } from './json-reader.ts'
import { LoneSurrogateError } from './json-string.ts'
import { NO_HEADERS, type ProducedRecord, RecordRefusal } from './produced-record.ts'
import { readTimestamp } from './timestamp-text.ts'

export interface LinePointers {
  readonly keyFrom: JsonPointer | undefined
  readonly timestampFrom: JsonPointer | undefined
}

/** Reads lines into records. Hold one; not for use across an `await`. */
export class LineRecords {
  readonly #keyFrom: JsonPointer | undefined
  readonly #timestampFrom: JsonPointer | undefined
  readonly #finder: PointerFinder | undefined
  readonly #inner = new JsonReader()

  constructor({ keyFrom, timestampFrom }: LinePointers) {
    this.#keyFrom = keyFrom
    this.#timestampFrom = timestampFrom
    const pointers = [keyFrom, timestampFrom].filter((pointer) => pointer !== undefined)
    if (pointers.length > 0) this.#finder = new PointerFinder(pointers, new JsonReader())
  }

  /**
   * The record whose value is [start, end) of `bytes`. Throws `JsonError` where pointers are looked up in
   * what is not JSON, `RecordRefusal` where they find nothing that fits.
   */
  read(bytes: Buffer, start: number, end: number): ProducedRecord {
    const value = bytes.subarray(start, end)
    const finder = this.#finder
    if (finder === undefined) {
      return { key: null, value, headers: NO_HEADERS, partition: -1, timestamp: -1 }
    }
    if (!isUtf8(value))
      throw new RecordRefusal('INVALID_RECORD', 'the value is not UTF-8, so not JSON')
    finder.find(bytes, start, end)
    return {
      key: this.#keyFrom === undefined ? null : this.#key(bytes, finder, 0),
      value,
      headers: NO_HEADERS,
      partition: -1,
      timestamp:
        this.#timestampFrom === undefined
          ? -1
          : this.#timestamp(bytes, finder, this.#keyFrom === undefined ? 0 : 1),
    }
  }

  #key(bytes: Buffer, finder: PointerFinder, index: number): Buffer | null {
    const start = finder.starts[index]!
    if (start < 0) throw missing('keyFrom', this.#keyFrom)
    try {
      return keyBytes(bytes, start, finder.ends[index]!, this.#inner)
    } catch (error) {
      if (error instanceof LoneSurrogateError)
        throw new RecordRefusal('INVALID_RECORD', error.message)
      throw error
    }
  }

  #timestamp(bytes: Buffer, finder: PointerFinder, index: number): number {
    const start = finder.starts[index]!
    const end = finder.ends[index]!
    if (start < 0) throw missing('timestampFrom', this.#timestampFrom)
    const timestamp = readTimestamp(bytes, start, end)
    if (timestamp !== undefined) return timestamp
    throw new RecordRefusal(
      'INVALID_TIMESTAMP',
      `${excerpt(bytes, start, end)} is neither RFC 3339 with a zone nor milliseconds since 1970`,
    )
  }
}

function missing(name: string, pointer: JsonPointer | undefined): RecordRefusal {
  return new RecordRefusal('INVALID_RECORD', `${name}=${pointer?.text} finds nothing in the value`)
}
