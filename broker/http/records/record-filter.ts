/**
 * The filters of every reading route: `key=`, `header=name:value`, `contains=`. They look at stored bytes
 * before anything of a record is decoded; a record must pass all that are given.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'

export interface FilterQuery {
  readonly key?: string
  /** `name:value`; the name goes up to the first colon. */
  readonly header?: string
  readonly contains?: string
}

export type RecordFilter = (cursor: RecordCursor) => boolean

/**
 * The filter of a query; `undefined` when it has none. `what` its members are called where one is wrong:
 * throws SpoolError for a header without a colon.
 */
export function recordFilter(
  query: FilterQuery,
  what = 'query parameter',
): RecordFilter | undefined {
  const filters: RecordFilter[] = []
  if (query.key !== undefined) filters.push(hasKey(Buffer.from(query.key)))
  if (query.header !== undefined) filters.push(hasHeader(query.header, what))
  if (query.contains !== undefined) filters.push(contains(Buffer.from(query.contains)))
  if (filters.length <= 1) return filters[0]
  return (cursor) => filters.every((filter) => filter(cursor))
}

/** The same text for filters that pass the same records: functions can not be compared. */
export function filterKeyOf({ key, header, contains }: FilterQuery): string {
  return JSON.stringify([key, header, contains])
}

function hasKey(key: Buffer): RecordFilter {
  return ({ bytes, keyStart, keyEnd }) =>
    keyStart >= 0 &&
    keyEnd - keyStart === key.length &&
    bytes.compare(key, 0, key.length, keyStart, keyEnd) === 0
}

function hasHeader(text: string, what: string): RecordFilter {
  const colon = text.indexOf(':')
  if (colon < 0) {
    throw new SpoolError(
      'INVALID_REQUEST',
      `${what} header is ${JSON.stringify(text.slice(0, 80))}, not name:value`,
      { extensions: { field: 'header' } },
    )
  }
  const name = Buffer.from(text.slice(0, colon))
  const value = Buffer.from(text.slice(colon + 1))
  return (cursor) =>
    cursor.headerCount > 0 &&
    cursor
      .headers()
      .some((header) => header.name.equals(name) && header.value?.equals(value) === true)
}

function contains(part: Buffer): RecordFilter {
  return (cursor) => cursor.valueStart >= 0 && cursor.value()!.includes(part)
}
