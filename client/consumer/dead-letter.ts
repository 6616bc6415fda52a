/**
 * One record as it is written among the dead letters: key, value and headers as they were, and in headers of
 * their own where it came from and why. Pure; sending it is for `dead-letters.ts`.
 *
 *     spool-dlq-reason      failed (the handler threw), unreadable (a serde could not read it), or
 *                           unreadable-batch: the value is the batch as it is stored
 *     spool-dlq-next-offset of a batch: one past its last record
 *     spool-dlq-topic, spool-dlq-partition, spool-dlq-offset, spool-dlq-timestamp    where it is still
 *     spool-dlq-group, spool-dlq-attempts
 *     spool-dlq-error, spool-dlq-error-code    what was thrown
 *     spool-dlq-value-omitted, spool-dlq-key-omitted, spool-dlq-headers-omitted
 *                           what the topic had no room for: bytes, bytes, how many
 *
 * One that was there before has each name more than once: the last is of the last time.
 */

import { SpoolError } from '../api/errors.ts'
import type { RecordToSend } from '../producer/producer-record.ts'
import type { ReadBatch } from '../reader/read-batch.ts'
import type { ReadHeader, ReadRecord } from '../reader/read-record.ts'

export interface Failed {
  readonly record: ReadRecord<unknown, unknown>
  readonly error: unknown
  readonly attempts: number
}

export type Letter = RecordToSend<Uint8Array, Uint8Array>

/** Records of a batch whose bytes are broken, or become too large: nobody knows where one ends. */
export interface Unreadable {
  readonly batch: ReadBatch<unknown, unknown>
  /** What comes before was read. */
  readonly from: number
  readonly error: unknown
}

/** Of an error's text: a header is no place for a whole dump. */
const ERROR_CHARACTERS_MAX = 1_024

/** The record as a whole; then, each for where the one before had no room, without its value, without anything. */
export function lettersOf({ record, error, attempts }: Failed, group: string): readonly Letter[] {
  const { keyBytes: key, valueBytes: value, headers } = record
  const isUnreadable = error instanceof SpoolError && error.code === 'SERIALIZATION_FAILED'
  const own: ReadHeader[] = [
    ['spool-dlq-reason', isUnreadable ? 'unreadable' : 'failed'],
    ...placeOf(record),
    ['spool-dlq-timestamp', String(record.timestamp)],
    ['spool-dlq-group', group.toWellFormed()],
    ['spool-dlq-attempts', String(attempts)],
    ...thrown(error),
  ]
  const valueOmitted = omitted('value', value?.length ?? 0)
  const keyOmitted = omitted('key', key?.length ?? 0)
  const rest = [...keyOmitted, ...omitted('headers', headers.length)]
  return [
    { key, value, headers: [...headers, ...own] },
    { key, value: null, headers: [...headers, ...own, ...valueOmitted] },
    { key: null, value: null, headers: [...own, ...valueOmitted, ...rest] },
  ]
}

/** As `lettersOf`, of a batch. */
export function batchLettersOf(
  { batch, from, error }: Unreadable,
  group: string,
): readonly Letter[] {
  const { topic, partition, nextOffset, bytes: value = null } = batch
  const headers: ReadHeader[] = [
    ['spool-dlq-reason', 'unreadable-batch'],
    ...placeOf({ topic, partition, offset: from }),
    ['spool-dlq-next-offset', String(nextOffset)],
    ['spool-dlq-group', group.toWellFormed()],
    ...thrown(error),
  ]
  const valueOmitted = omitted('value', value?.length ?? 0)
  return [
    { key: null, value, headers },
    { key: null, value: null, headers: [...headers, ...valueOmitted] },
  ]
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

function placeOf({ topic, partition, offset }: Place): ReadHeader[] {
  return [
    ['spool-dlq-topic', topic],
    ['spool-dlq-partition', String(partition)],
    ['spool-dlq-offset', String(offset)],
  ]
}

function thrown(error: unknown): ReadHeader[] {
  const code = codeOf(error)
  return [
    ['spool-dlq-error', textOf(error)],
    ...(code === undefined ? [] : [['spool-dlq-error-code', code] as const]),
  ]
}

function omitted(what: string, amount: number): ReadHeader[] {
  return amount === 0 ? [] : [[`spool-dlq-${what}-omitted`, String(amount)]]
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const isLong = text.length > ERROR_CHARACTERS_MAX
  return (isLong ? `${text.slice(0, ERROR_CHARACTERS_MAX)}…` : text).toWellFormed()
}

/** As Node's and our own errors have one. */
function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code.slice(0, ERROR_CHARACTERS_MAX).toWellFormed() : undefined
}
