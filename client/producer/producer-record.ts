/** A record as a program gives it, and its parts as bytes. Pure. */

import { SpoolError } from '../api/errors.ts'
import { encodeText } from '../serdes/text.ts'
import type { HeaderToAppend } from '../transport.ts'

/** By name, or as pairs where a name comes twice or the order counts. */
export type HeadersToSend =
  | Readonly<Record<string, string | Uint8Array | null>>
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>

export interface RecordToSend<K, V> {
  /** The producer's when absent. */
  readonly topic?: string | undefined
  /** Records with the same key go to the same partition, in their order. */
  readonly key?: K | null | undefined
  /** `null` is a tombstone: on a compacted topic it removes the key. */
  readonly value: V | null
  readonly headers?: HeadersToSend | undefined
  /** Chosen by the key, or any, when absent. */
  readonly partition?: number | undefined
  /** Milliseconds since 1970; now when absent. */
  readonly timestamp?: number | Date | undefined
}

const NO_HEADERS: readonly HeaderToAppend[] = []

/** @throws SpoolError SERIALIZATION_FAILED */
export function headerBytes(headers: HeadersToSend | undefined): readonly HeaderToAppend[] {
  if (headers === undefined) return NO_HEADERS
  const pairs = Symbol.iterator in headers ? headers : Object.entries(headers)
  const result: HeaderToAppend[] = []
  for (const [name, value] of pairs) {
    if (typeof name !== 'string') throw refused('the name of a record header is not text')
    result.push({ name: encodeText(name), value: headerValue(name, value) })
  }
  return result
}

function headerValue(name: string, value: unknown): Uint8Array | null {
  if (typeof value === 'string') return encodeText(value)
  if (value instanceof Uint8Array || value === null) return value
  throw refused(`record header ${name} is ${typeof value}, not text, a Uint8Array or null`)
}

/** @throws SpoolError INVALID_TIMESTAMP */
export function timestampMs(given: number | Date | undefined): number {
  if (given === undefined) return Date.now()
  const ms = typeof given === 'number' ? given : given.getTime()
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw new SpoolError(
    'INVALID_TIMESTAMP',
    `timestamp ${ms} is not a whole number of milliseconds since 1970`,
    { outcome: 'refused' },
  )
}

/** @throws SpoolError INVALID_REQUEST */
export function checkPartition(partition: number): void {
  if (Number.isSafeInteger(partition) && partition >= 0) return
  throw new SpoolError(
    'INVALID_REQUEST',
    `partition ${partition} is not a whole number from 0 on`,
    {
      outcome: 'refused',
    },
  )
}

function refused(detail: string): SpoolError {
  return new SpoolError('SERIALIZATION_FAILED', detail, { outcome: 'refused' })
}
