/**
 * The one loop over the inside of a batch: record after record, each field's place and nothing made of
 * it. The leader's check (`log/batch-validator`) and every reader (`batch-reader`) go through it, so that
 * what the one lets in the other can read. No object per record; the fields change with each `next()`.
 *
 *   record: length varint | attributes 1 | timestampDelta varlong | offsetDelta varint |
 *           keyLength varint, key | valueLength varint, value | headerCount varint, header …
 *   header: nameLength varint, name | valueLength varint, value          (length -1: null)
 *
 * Owns the structure: every length inside its record, every record inside the batch, exactly as many as
 * announced, no byte left over. What the numbers mean (offsets, timestamps) is the caller's to judge.
 * Source: Kafka's protocol documentation, "Record" and "Record Header".
 */

import { StorageError } from '../errors.ts'
import { readVarint, readVarlong, varintEnd } from './varint.ts'

/** Length, attributes, two deltas, key and value length, header count: one byte each. */
export const RECORD_BYTES_MIN = 7
/** A header is at least two lengths. */
const HEADER_BYTES_MIN = 2

export class RecordWalk {
  /** The records, decompressed; every place below counts from its first byte. */
  readonly bytes: Uint8Array
  /** Of the record: Kafka has given none of the bits a meaning. */
  attributes = 0
  timestampDelta = 0
  offsetDelta = 0
  /** -1 when there is no key. */
  keyStart = -1
  keyEnd = -1
  /** -1 when the value is null. */
  valueStart = -1
  valueEnd = -1
  headerCount = 0
  /** Where the first header begins. */
  headersStart = 0
  /** Where the current record begins, for messages. */
  recordStart = 0
  #left: number
  #at = 0

  /** `recordCount` as the batch's header says it. */
  constructor(bytes: Uint8Array, recordCount: number) {
    if (recordCount < 0 || recordCount > Math.floor(bytes.length / RECORD_BYTES_MIN)) {
      throw invalid(`${recordCount} records do not fit into ${bytes.length} bytes`)
    }
    this.bytes = bytes
    this.#left = recordCount
  }

  /** Where the current record ends and the next one begins. */
  get recordEnd(): number {
    return this.#at
  }

  /** Moves to the next record. Throws `StorageError` INVALID_RECORD when the bytes are not one. */
  next(): boolean {
    const { bytes } = this
    let at = this.#at
    if (this.#left === 0) {
      if (at === bytes.length) return false
      throw invalid(`${bytes.length - at} bytes follow the last record`)
    }
    this.recordStart = at
    const length = readLength(bytes, at, bytes.length)
    at = after
    if (length < RECORD_BYTES_MIN - 1 || length > bytes.length - at)
      throw this.#badLength('body', length)
    const end = at + length
    this.attributes = bytes[at]!
    this.timestampDelta = readDelta(bytes, at + 1, end)
    this.offsetDelta = readLength(bytes, after, end)
    const keyLength = readLength(bytes, after, end)
    at = after
    if (keyLength < -1 || keyLength > end - at) throw this.#badLength('key', keyLength)
    this.keyStart = keyLength < 0 ? -1 : at
    if (keyLength > 0) at += keyLength
    this.keyEnd = keyLength < 0 ? -1 : at
    const valueLength = readLength(bytes, at, end)
    at = after
    if (valueLength < -1 || valueLength > end - at) throw this.#badLength('value', valueLength)
    this.valueStart = valueLength < 0 ? -1 : at
    if (valueLength > 0) at += valueLength
    this.valueEnd = valueLength < 0 ? -1 : at
    if (at < end && bytes[at] === 0) {
      this.headerCount = 0
      at += 1
      this.headersStart = at
    } else {
      at = this.#skipHeaders(at, end)
    }
    if (at !== end) {
      throw invalid(`record at byte ${this.recordStart} ends ${end - at} bytes before its length`)
    }
    this.#at = at
    this.#left -= 1
    return true
  }

  #skipHeaders(at: number, end: number): number {
    const count = readVarint(this.bytes, at, end)
    let next = varintEnd
    if (count < 0 || count > (end - next) / HEADER_BYTES_MIN) {
      throw invalid(`record at byte ${this.recordStart} claims ${count} headers`)
    }
    this.headerCount = count
    this.headersStart = next
    for (let index = 0; index < count; index++) {
      next = this.#skipField('header name', 0, next, end)
      next = this.#skipField('header value', -1, next, end)
    }
    return next
  }

  #skipField(what: string, lengthMin: number, at: number, end: number): number {
    const length = readVarint(this.bytes, at, end)
    const start = varintEnd
    if (length < lengthMin || length > end - start) throw this.#badLength(what, length)
    return length < 0 ? start : start + length
  }

  #badLength(what: string, length: number): StorageError {
    return invalid(`record at byte ${this.recordStart} has a ${what} of length ${length}`)
  }
}

/** Where `readLength` stopped: a second result without an object to carry it. */
let after = 0

/** A varint of one or two bytes at `at`, as nearly all are; else `readVarint`. */
function readLength(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 < end) {
    const low = bytes[at]!
    if (low < 0x80) {
      after = at + 1
      return (low >>> 1) ^ -(low & 1)
    }
    const high = bytes[at + 1]!
    if (high < 0x80) {
      after = at + 2
      return (((high << 7) | (low & 0x7f)) >>> 1) ^ -(low & 1)
    }
  }
  const value = readVarint(bytes, at, end)
  after = varintEnd
  return value
}

/** A varlong likewise; else `readVarlong`. */
function readDelta(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 < end) {
    const low = bytes[at]!
    if (low < 0x80) {
      after = at + 1
      return (low >>> 1) ^ -(low & 1)
    }
    const high = bytes[at + 1]!
    if (high < 0x80) {
      after = at + 2
      return (((high << 7) | (low & 0x7f)) >>> 1) ^ -(low & 1)
    }
  }
  const value = readVarlong(bytes, at, end)
  after = varintEnd
  return value
}

function invalid(problem: string): StorageError {
  return new StorageError('INVALID_RECORD', problem)
}
