/**
 * What a request for a stream asks for, checked: in which form, where it begins and ends, whether it goes
 * on past what there is, which records, how they look.
 *
 *     NDJSON            to the high watermark of the moment it begins, records only
 *     … control=true    the same, with control lines
 *     … follow=true     without end, or to until= or limit=; with control lines
 *     event stream      as with follow=true
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { EVENT_STREAM_TYPE, NDJSON_TYPE } from '../../../client/api/media-types.ts'
import type { PlacesWanted } from '../records/read-places.ts'
import { placesWanted, type ReadQuery } from '../records/read-plan.ts'
import { filterKeyOf, recordFilter } from '../records/record-filter.ts'
import { EVENT_FORMAT, NDJSON_FORMAT, type RecordLook, type StreamFormat } from './format.ts'

export interface StreamPlan extends PlacesWanted, RecordLook {
  /** Goes on past what there is when it begins. */
  readonly follows: boolean
  /** Records, counted after filtering; infinite where there is no limit. */
  readonly limit: number
  /** How long to wait for the first record, where there is none. */
  readonly waitMs: number
  /** Says where it is, what went wrong, and that it ended, beside the records. */
  readonly hasControl: boolean
  readonly format: StreamFormat
  /** The client comes back after the end of the stream: there is nothing to come again for. */
  readonly isAfterEnd: boolean
}

/** True for an answer that is a stream. */
export function isStreamType(type: string): boolean {
  return type === NDJSON_TYPE || type === EVENT_STREAM_TYPE
}

/**
 * The plan of a stream of that media type; `lastEventId` is the header of that name. Throws SpoolError
 * INVALID_REQUEST naming the parameter.
 */
export function streamPlan(
  query: ReadQuery,
  type: string,
  lastEventId: string | undefined,
): StreamPlan {
  const isEvents = type === EVENT_STREAM_TYPE
  refuseContradictions(query, isEvents)
  const follows = isEvents || query.follow === true
  const wanted = placesWanted(query, lastEventId)
  return {
    ...wanted,
    follows,
    limit: query.limit ?? Number.POSITIVE_INFINITY,
    waitMs: query.waitMs ?? 0,
    hasControl: follows || query.control === true,
    format: isEvents ? EVENT_FORMAT : NDJSON_FORMAT,
    isEvents,
    as: query.as ?? 'auto',
    filter: recordFilter(query),
    isAfterEnd: isEvents && Boolean(lastEventId) && wanted.cursor?.isEnd === true,
    filterKey: filterKeyOf(query),
  }
}

/** What a stream can not do is said, rather than passed over. */
function refuseContradictions(query: ReadQuery, isEvents: boolean): void {
  if (query.maxBytes !== undefined) throw invalid('maxBytes', 'is for pages; a stream has limit')
  if (isEvents && query.follow === false) {
    throw invalid('follow', 'is false, but an event stream follows; until=latest ends it')
  }
  const follows = isEvents || query.follow === true
  if (follows && query.control === false) {
    throw invalid('control', 'is false, but a stream that follows says where it is')
  }
  if (follows && query.waitMs !== undefined) {
    throw invalid('waitMs', 'is for pages and streams that end; one that follows waits anyway')
  }
}

function invalid(field: string, why: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', `query parameter ${field} ${why}`, {
    extensions: { field },
  })
}
