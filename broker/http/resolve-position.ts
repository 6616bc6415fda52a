/**
 * What a position (`client/api/positions.ts`) means in one partition at this moment. A time is looked up
 * once, by Kafka's rule: the first offset whose timestamp is at or after it.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { type Position, parsePosition, positionTime } from '../../client/api/positions.ts'
import type { Partition } from '../partition/partition.ts'

export interface ResolvedPosition {
  /** In [logStartOffset, highWatermark]. */
  readonly offset: number
  /** Of the record found, where the position is a time and there is such a record. */
  readonly timestamp?: number
}

/**
 * The position in the text of a request; `place` is where that came in.
 *
 * @throws SpoolError INVALID_REQUEST naming the field, the text and the forms.
 */
export function positionOf(
  text: string,
  place: 'field' | 'query parameter' | '',
  field: string,
): Position {
  try {
    return parsePosition(text, `${place} ${field}`.trimStart())
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error
    throw new SpoolError(error.code, error.detail, { extensions: { field } })
  }
}

/**
 * The offset a position means now. A time without a record at or after it means the high watermark.
 * Throws OFFSET_OUT_OF_RANGE for an offset outside.
 */
export async function resolvePosition(
  partition: Partition,
  position: Position,
  now: number,
): Promise<ResolvedPosition> {
  const time = positionTime(position, now)
  if (time !== undefined) {
    return (await partition.offsetForTime(time)) ?? { offset: partition.highWatermark }
  }
  const { logStartOffset, highWatermark } = partition
  switch (position.kind) {
    case 'earliest':
      return { offset: logStartOffset }
    case 'last':
      return { offset: Math.max(logStartOffset, highWatermark - position.count) }
    case 'offset':
      if (position.offset >= logStartOffset && position.offset <= highWatermark) {
        return { offset: position.offset }
      }
      throw new SpoolError(
        'OFFSET_OUT_OF_RANGE',
        `partition ${partition.partition} has offsets from ${logStartOffset} to before ${highWatermark}, not ${position.offset}`,
        { extensions: { partition: partition.partition, logStartOffset, highWatermark } },
      )
    default:
      return { offset: highWatermark }
  }
}
