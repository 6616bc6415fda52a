/**
 * A record on its way in, whatever body it came in, and the refusal of one. Bytes are views of the
 * body's buffer where they can be: put the record into a batch before the next chunk arrives.
 */

import type { ErrorCode } from '../../../client/api/errors.ts'

export interface ProducedHeader {
  readonly name: Buffer
  readonly value: Buffer | null
}

/** How a value becomes bytes: `auto` as the contract says, `json` always its text. */
export type ValueReading = 'auto' | 'json'

/** What a record may have, in JSON and MessagePack. */
export const RECORD_MEMBERS = ['key', 'value', 'headers', 'partition', 'timestamp'] as const

export interface ProducedRecord {
  readonly key: Buffer | null
  /** `null` is a tombstone. */
  readonly value: Buffer | null
  readonly headers: readonly ProducedHeader[]
  /** The partition the record asks for, or -1. */
  readonly partition: number
  /** Milliseconds since 1970, or -1: the time of its arrival. */
  readonly timestamp: number
}

export const NO_HEADERS: readonly ProducedHeader[] = []

/** One record of a request or upload can not be taken; the others are still looked at. */
export class RecordRefusal extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, detail: string) {
    // Nobody looks at its stack, which costs ten times the rest: a body can hold 100,000 bad records.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(detail)
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'RecordRefusal'
    this.code = code
  }
}

/** The most records one JSON or MessagePack request may hold; an NDJSON upload has no such limit. */
export const REQUEST_RECORDS_MAX = 100_000

/** The most refusals an answer lists. */
export const REFUSALS_LISTED_MAX = 100
