/**
 * Where a reading request begins and ends in each of its partitions, whether it reads one or all of a
 * topic: `from` and `until`, or the cursor it brings, against what the partitions hold now. Pages and
 * streams begin here. Nothing is read but the index, for times.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { Position } from '../../../client/api/positions.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import type { Partition } from '../../partition/partition.ts'
import { resolvePosition } from '../resolve-position.ts'
import type { Cursor, CursorPlace } from './cursor.ts'

/** The part of a plan (`read-plan.ts`) that says where. */
export interface PlacesWanted {
  readonly from: Position
  /** Exclusive. */
  readonly until: Position | undefined
  /** Beats `from`. */
  readonly cursor: Cursor | undefined
  /** Where to go on in a partition that does not have the offset; `undefined`: that is an error. */
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

/** One partition of a request. */
export interface ReadPlace {
  readonly partition: Partition
  /** In [logStartOffset, highWatermark] when it was found. */
  readonly from: number
  /**
   * Exclusive, never below `from`. Infinite where there is no end, or it lies ahead (a time that has no
   * record yet): who reads on asks `endOf` again.
   */
  readonly end: number
}

/**
 * The places of a request over `partitions`: one, or all of a topic. A partition that the cursor does not
 * know was added since, and is read from its beginning.
 *
 * Throws SpoolError: OFFSET_OUT_OF_RANGE naming the partition; INCONSISTENT_TOPIC_ID for a cursor of a
 * topic that was created anew; INVALID_REQUEST for a bare offset over several partitions, or a cursor of
 * another reading; UNKNOWN_TOPIC_OR_PARTITION for a cursor that knows more partitions than there are.
 */
export async function readPlaces(
  partitions: readonly Partition[],
  wanted: PlacesWanted,
  now: number,
): Promise<ReadPlace[]> {
  const known = wanted.cursor && placesOfCursor(wanted.cursor, partitions)
  if (partitions.length > 1) {
    if (known === undefined) refuseBareOffset('from', wanted.from, partitions)
    if (wanted.until !== undefined) refuseBareOffset('until', wanted.until, partitions)
  }
  const places: ReadPlace[] = []
  for (const partition of partitions) {
    const place = known?.get(partition.partition)
    const from = await startOf(partition, known === undefined ? wanted.from : place, wanted, now)
    const end = place?.endOffset ?? (await endOf(partition, wanted.until, now))
    places.push({ partition, from, end: Math.max(from, end) })
  }
  return places
}

/**
 * The offset a reading of the partition ends before: `until` as it is known now, infinite where it lies
 * ahead (a time that has no record yet).
 */
export async function endOf(
  partition: Partition,
  until: Position | undefined,
  now: number,
): Promise<number> {
  if (until === undefined) return Number.POSITIVE_INFINITY
  if (until.kind === 'offset') return until.offset
  const { offset, timestamp } = await resolvePosition(partition, until, now)
  const isTime = until.kind === 'time' || until.kind === 'ago'
  return isTime && timestamp === undefined ? Number.POSITIVE_INFINITY : offset
}

/** Where to begin: at a position, at the place of a cursor, or at the beginning where it has none. */
async function startOf(
  partition: Partition,
  where: Position | CursorPlace | undefined,
  { outOfRange }: PlacesWanted,
  now: number,
): Promise<number> {
  if (where === undefined) return partition.logStartOffset
  const position = 'kind' in where ? where : offsetPosition(where.nextOffset)
  try {
    return (await resolvePosition(partition, position, now)).offset
  } catch (error) {
    return placeOutOfRange(partition, error, outOfRange)
  }
}

/**
 * Where to go on after `error`, which a read of the partition threw: by `outOfRange`, where it says that
 * the offset is not there. Throws any other error again.
 */
export function placeOutOfRange(
  partition: Partition,
  error: unknown,
  outOfRange: PlacesWanted['outOfRange'],
): number {
  const isOutside = error instanceof SpoolError && error.code === 'OFFSET_OUT_OF_RANGE'
  if (!isOutside || outOfRange === undefined) throw error
  return outOfRange === 'earliest' ? partition.logStartOffset : partition.highWatermark
}

function offsetPosition(offset: number): Position {
  return { kind: 'offset', offset: toOffset(offset) }
}

/** The cursor's places by partition, once it is sure that it belongs to this reading. */
function placesOfCursor(
  cursor: Cursor,
  partitions: readonly Partition[],
): Map<number, CursorPlace> {
  const last = partitions.at(-1)!
  last.checkTopicId(cursor.topicId)
  const known = new Map(cursor.places.map((place) => [place.partition, place]))
  // New partitions come after all there are: only a cursor of 0, 1, 2 … can be without some.
  const isOfTopic = cursor.places.every(({ partition }, index) => partition === index)
  const missing = partitions.find(({ partition }) => !isOfTopic && !known.has(partition))
  if (missing !== undefined) throw otherReading(cursor, missing.partition)
  const highest = cursor.places.at(-1)?.partition ?? -1
  if (highest > last.partition && partitions.length > 1) {
    throw new SpoolError(
      'UNKNOWN_TOPIC_OR_PARTITION',
      `the cursor has a place in partition ${highest}; topic ${last.topic} has partitions 0 to ${last.partition}`,
    )
  }
  return known
}

function otherReading({ places }: Cursor, partition: number): SpoolError {
  const known = places.length === 1 ? `partition ${places[0]!.partition} alone` : 'other partitions'
  return new SpoolError(
    'INVALID_REQUEST',
    `the cursor is of ${known} and says nothing of partition ${partition}; use it where it came from`,
  )
}

function refuseBareOffset(
  field: 'from' | 'until',
  position: Position,
  partitions: readonly Partition[],
): void {
  if (position.kind !== 'offset') return
  throw new SpoolError(
    'INVALID_REQUEST',
    `${field}=${position.offset}: topic ${partitions[0]!.topic} has ${partitions.length} partitions, and an offset means a record of one only; read that one, at …/partitions/{p}/records, or give a time`,
    { extensions: { field } },
  )
}
