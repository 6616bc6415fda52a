/**
 * Records that came as JSON (`as=base64`), as a reader takes them: bytes and places in them. Base64 and
 * text become bytes when somebody moves to the record, not before.
 */

import { SpoolError } from '../api/errors.ts'
import type { RawHeader, ReadRange, RecordFields, SourceBatch } from '../transport.ts'
import { decodeBase64, utf8 } from './base64.ts'

/** A string is its UTF-8. */
type JsonBytes = string | { readonly base64: string } | null

/** A line of a stream. */
export interface JsonRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: JsonBytes
  readonly value: JsonBytes
  readonly headers: readonly (readonly [string | { readonly base64: string }, JsonBytes])[]
}

/** Records of one partition that came together. */
export class JsonRecordBatch implements SourceBatch {
  readonly #records: JsonRecord[] = []
  readonly partition: number
  readonly range: ReadRange
  readonly #highWatermark: number
  sizeBytes = 0
  maxTimestamp = -1

  /** `highWatermark` as it was known before these records. */
  constructor(range: ReadRange, highWatermark: number) {
    this.partition = range.partition
    this.range = range
    this.#highWatermark = highWatermark
  }

  /** At least: a stream does not say how far the log goes beyond its own records. */
  get highWatermark(): number {
    return Math.max(this.#highWatermark, this.nextOffset)
  }

  /** `sizeBytes` of its line. */
  add(record: JsonRecord, sizeBytes: number): void {
    this.#records.push(record)
    this.sizeBytes += sizeBytes
    if (record.timestamp > this.maxTimestamp) this.maxTimestamp = record.timestamp
  }

  get baseOffset(): number {
    return this.#records[0]!.offset
  }

  get fromOffset(): number {
    return this.baseOffset
  }

  get nextOffset(): number {
    return this.#records.at(-1)!.offset + 1
  }

  get recordCount(): number {
    return this.#records.length
  }

  cursor(): RecordFields {
    return new JsonRecordFields(this.#records)
  }
}

const NOTHING = new Uint8Array(0)

class JsonRecordFields implements RecordFields {
  readonly #records: readonly JsonRecord[]
  #index = -1
  offset = -1
  timestamp = -1
  bytes: Uint8Array = NOTHING
  keyStart = -1
  keyEnd = -1
  valueStart = -1
  valueEnd = -1

  constructor(records: readonly JsonRecord[]) {
    this.#records = records
  }

  next(): boolean {
    const record = this.#records[this.#index + 1]
    if (record === undefined) return false
    this.#index++
    this.offset = record.offset
    this.timestamp = record.timestamp
    const key = bytesOf(record.key)
    const value = bytesOf(record.value)
    this.bytes = joined(key, value)
    const keyBytes = key?.length ?? 0
    this.keyStart = key === null ? -1 : 0
    this.keyEnd = key === null ? -1 : keyBytes
    this.valueStart = value === null ? -1 : keyBytes
    this.valueEnd = value === null ? -1 : keyBytes + value.length
    return true
  }

  get headerCount(): number {
    return this.#records[this.#index]!.headers.length
  }

  /** The record's number: its headers are found by it. */
  get headersStart(): number {
    return this.#index
  }

  headersAt(start: number): readonly RawHeader[] {
    const { headers } = this.#records[start]!
    return headers.map(([name, value]) => ({
      name: bytesOf(name) ?? NOTHING,
      value: bytesOf(value),
    }))
  }
}

function bytesOf(json: JsonBytes): Uint8Array | null {
  if (json === null) return null
  if (typeof json === 'string') return utf8(json)
  try {
    return decodeBase64(json.base64)
  } catch (cause) {
    throw new SpoolError('CORRUPT_MESSAGE', 'the stream has base64 that is none', { cause })
  }
}

function joined(key: Uint8Array | null, value: Uint8Array | null): Uint8Array {
  if (key === null || key.length === 0) return value ?? key ?? NOTHING
  if (value === null || value.length === 0) return key
  const bytes = new Uint8Array(key.length + value.length)
  bytes.set(key)
  bytes.set(value, key.length)
  return bytes
}
