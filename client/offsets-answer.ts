/** The answer to `GET /v1/topics/{topic}/offsets`, checked as far as readers rely on it. Pure. */

import { SpoolError } from './api/errors.ts'
import type { TopicOffsets } from './api/schemas/topics.ts'

/** @throws SpoolError UNKNOWN_SERVER_ERROR for what no broker answers. */
export function offsetsAnswer(document: unknown): TopicOffsets {
  const { topicId, partitions } = (document ?? {}) as Partial<TopicOffsets>
  const isOne =
    typeof topicId === 'string' && Array.isArray(partitions) && partitions.every(isPlace)
  if (isOne && partitions.length > 0) return document as TopicOffsets
  throw new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'the offsets of the topic are not told as this client understands it: is this a Spool broker, and not a newer one?',
  )
}

function isPlace(place: unknown): boolean {
  const { partition, offset, logStartOffset, highWatermark, timestamp } = (place ?? {}) as Partial<
    TopicOffsets['partitions'][number]
  >
  return (
    [partition, offset, logStartOffset, highWatermark].every(isCount) &&
    (timestamp === undefined || Number.isSafeInteger(timestamp))
  )
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
