/**
 * What a request for a page asks for, checked: where it begins and ends, how much, which records, how they
 * look. What that means in the partitions is looked up by `read-places.ts`; what a stream asks for beside
 * its places is `../streams/plan.ts`.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { NDJSON_TYPE } from '../../../client/api/media-types.ts'
import type { Position } from '../../../client/api/positions.ts'
import type { QueryOf } from '../../../client/api/route.ts'
import type { ROUTES } from '../../../client/api/routes.ts'
import {
  PAGE_BYTES_DEFAULT,
  PAGE_LIMIT_DEFAULT,
  PAGE_LIMIT_MAX,
} from '../../../client/api/schemas/records.ts'
import { positionOf } from '../resolve-position.ts'
import { type Cursor, decodeCursor } from './cursor.ts'
import type { PlacesWanted } from './read-places.ts'
import { type RecordFilter, recordFilter } from './record-filter.ts'
import type { View } from './record-view.ts'

export type ReadQuery = QueryOf<typeof ROUTES.readPartition>

/** What fills a page, wherever its places come from. */
export interface PagePlan {
  /** Records, counted after filtering. */
  readonly limit: number
  /** Decompressed bytes to look at. */
  readonly maxBytes: number
  readonly waitMs: number
  readonly filter: RecordFilter | undefined
  /** The place to begin with, counted from 0. */
  readonly turn: number
  /** Where to go on in a partition that does not have the offset; `undefined`: that is an error. */
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

export interface ReadPlan extends PlacesWanted, PagePlan {
  readonly as: View
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

const EARLIEST: Position = { kind: 'earliest' }

/**
 * The plan of a page. `lastEventId` is the header of that name, which beats `cursor`. Throws SpoolError.
 */
export function pagePlan(query: ReadQuery, lastEventId: string | undefined): ReadPlan {
  for (const name of ['follow', 'control'] as const) {
    if (query[name] === true) {
      throw invalid(name, `is for streams: ask with Accept: ${NDJSON_TYPE}; a page has waitMs`)
    }
  }
  if ((query.limit ?? 0) > PAGE_LIMIT_MAX) {
    throw invalid('limit', `is ${query.limit}; a page holds from 1 to ${PAGE_LIMIT_MAX} records`)
  }
  const wanted = placesWanted(query, lastEventId)
  return {
    ...wanted,
    turn: wanted.cursor?.turn ?? 0,
    limit: query.limit ?? PAGE_LIMIT_DEFAULT,
    maxBytes: query.maxBytes ?? PAGE_BYTES_DEFAULT,
    waitMs: query.waitMs ?? 0,
    filter: recordFilter(query),
    as: query.as ?? 'auto',
  }
}

/** Where a page or a stream begins and ends, as the request says it. Throws SpoolError. */
export function placesWanted(query: ReadQuery, lastEventId: string | undefined): PlacesWanted {
  const { from, until, outOfRange } = query
  return {
    from: from === undefined ? EARLIEST : positionOf(from, 'query parameter', 'from'),
    until: until === undefined ? undefined : positionOf(until, 'query parameter', 'until'),
    cursor: cursorOf(query, lastEventId),
    outOfRange,
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
