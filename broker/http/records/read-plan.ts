/**
 * What a reading request asks for, checked: where it begins and ends, how much, which records, how they
 * look. What that means in the partitions is looked up by `read-places.ts`.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { type Position, parsePosition } from '../../../client/api/positions.ts'
import type { QueryOf } from '../../../client/api/route.ts'
import type { ROUTES } from '../../../client/api/routes.ts'
import {
  PAGE_BYTES_DEFAULT,
  PAGE_LIMIT_DEFAULT,
  PAGE_LIMIT_MAX,
} from '../../../client/api/schemas/records.ts'
import { type Cursor, decodeCursor } from './cursor.ts'
import type { PlacesWanted } from './read-places.ts'
import { type RecordFilter, recordFilter } from './record-filter.ts'
import type { View } from './record-view.ts'

export type ReadQuery = QueryOf<typeof ROUTES.readPartition>

export interface ReadPlan extends PlacesWanted {
  /** Records, counted after filtering. */
  readonly limit: number
  /** Pages: decompressed bytes to look at. */
  readonly maxBytes: number
  readonly waitMs: number
  readonly filter: RecordFilter | undefined
  readonly as: View
}

const EARLIEST: Position = { kind: 'earliest' }

/**
 * The plan of a page, or of a stream to the end of what there is. `lastEventId` is the header of that
 * name, which beats `cursor`. Throws SpoolError.
 */
export function readPlan(
  query: ReadQuery,
  isStream: boolean,
  lastEventId: string | undefined,
): ReadPlan {
  refuseLater(query)
  if (isStream && query.maxBytes !== undefined) {
    throw invalid('maxBytes', 'is for pages; a stream has limit')
  }
  if (!isStream && (query.limit ?? 0) > PAGE_LIMIT_MAX) {
    throw invalid('limit', `is ${query.limit}; a page holds from 1 to ${PAGE_LIMIT_MAX} records`)
  }
  return {
    from: query.from === undefined ? EARLIEST : parsePosition(query.from, 'query parameter from'),
    until:
      query.until === undefined ? undefined : parsePosition(query.until, 'query parameter until'),
    cursor: cursorOf(query, lastEventId),
    limit: query.limit ?? (isStream ? Number.POSITIVE_INFINITY : PAGE_LIMIT_DEFAULT),
    maxBytes: query.maxBytes ?? PAGE_BYTES_DEFAULT,
    waitMs: query.waitMs ?? 0,
    outOfRange: query.outOfRange,
    filter: recordFilter(query),
    as: query.as ?? 'auto',
  }
}

/** What the contract has and this broker has not yet: said, rather than ignored. */
function refuseLater(query: ReadQuery): void {
  for (const name of ['follow', 'control'] as const) {
    const value = query[name]
    if (value === undefined || value === false) continue
    throw new SpoolError(
      'NOT_IMPLEMENTED',
      `${name}= is not served by this version of the broker`,
      {
        extensions: { field: name },
      },
    )
  }
}

/** `Last-Event-ID` (a browser sends none rather than an empty one), else `cursor`. */
function cursorOf(query: ReadQuery, lastEventId: string | undefined): Cursor | undefined {
  const ofQuery = query.cursor === undefined ? undefined : decodeCursor(query.cursor)
  return lastEventId ? decodeCursor(lastEventId, 'the header Last-Event-ID') : ofQuery
}

function invalid(field: string, why: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', `query parameter ${field} ${why}`, {
    extensions: { field },
  })
}
