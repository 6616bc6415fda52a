/**
 * What a reading request asks for, checked: where it begins and ends, how much, which records, how they
 * look. Where it begins in a partition is looked up here too (`startOffset`).
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
import type { Partition } from '../../partition/partition.ts'
import { resolvePosition } from '../resolve-position.ts'
import { type RecordFilter, recordFilter } from './record-filter.ts'
import type { View } from './record-view.ts'

export type ReadQuery = QueryOf<typeof ROUTES.readPartition>

export interface ReadPlan {
  readonly from: Position
  /** Exclusive. */
  readonly until: Position | undefined
  /** Records, counted after filtering. */
  readonly limit: number
  /** Pages: decompressed bytes to look at. */
  readonly maxBytes: number
  readonly waitMs: number
  readonly outOfRange: 'earliest' | 'latest' | undefined
  readonly filter: RecordFilter | undefined
  readonly as: View
}

const EARLIEST: Position = { kind: 'earliest' }

/** The plan of a page, or of a stream to the end of what there is. Throws SpoolError. */
export function readPlan(query: ReadQuery, isStream: boolean): ReadPlan {
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
  for (const name of ['follow', 'control', 'cursor'] as const) {
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

/** The offset a request begins at. Throws OFFSET_OUT_OF_RANGE unless `outOfRange` says where then. */
export async function startOffset(
  partition: Partition,
  plan: ReadPlan,
  now: number,
): Promise<number> {
  try {
    return (await resolvePosition(partition, plan.from, now)).offset
  } catch (error) {
    const isOutside = error instanceof SpoolError && error.code === 'OFFSET_OUT_OF_RANGE'
    if (!isOutside || plan.outOfRange === undefined) throw error
    return plan.outOfRange === 'earliest' ? partition.logStartOffset : partition.highWatermark
  }
}

/**
 * The offset a request ends before: `until` as it is known now, infinite where it lies ahead (an offset
 * not written yet, a time that has no record yet).
 */
export async function endOffset(
  partition: Partition,
  plan: ReadPlan,
  now: number,
): Promise<number> {
  const { until } = plan
  if (until === undefined) return Number.POSITIVE_INFINITY
  if (until.kind === 'offset') return until.offset
  const { offset, timestamp } = await resolvePosition(partition, until, now)
  const isTime = until.kind === 'time' || until.kind === 'ago'
  return isTime && timestamp === undefined ? Number.POSITIVE_INFINITY : offset
}

function invalid(field: string, why: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', `query parameter ${field} ${why}`, {
    extensions: { field },
  })
}
