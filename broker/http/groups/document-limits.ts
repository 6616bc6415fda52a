/**
 * How large the documents about a member's partitions may be. A member may have all that `partitions.max`
 * allows, and what it was told of them it sends back in one request: as `owned`, as the token of a poll, as the
 * `from` of a reset. So the limits follow from that setting, here for its 20,000:
 *
 *     a list     20,000 × 384 bytes, and what every document has      8.3 MiB
 *     a poll     20,000 × 2 tokens × 40 characters, and that          2.5 MiB
 */

import { SpoolError } from '../../../client/api/errors.ts'
import { POLL_TOKEN_CHARACTERS_OF_PARTITION } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import { DOCUMENT_BYTES_MAX, documentLimits } from '../add-route.ts'
import type { BodyLimits } from '../limits/body-reader.ts'

/**
 * Of `{"topic":"…","partition":1,"offset":2}` in a list: a name of 249, numbers of 10 and 16 digits and 37 of
 * JSON are 312; the rest is white space of those who indent.
 */
const LISTED_PARTITION_BYTES = 384
/** `after` and `commit`. */
const TOKENS_OF_POLL = 2

/** Of a document that lists partitions. */
export function listLimits(context: BrokerContext): BodyLimits {
  return limitsOf(context, LISTED_PARTITION_BYTES)
}

/** Of a poll. */
export function pollLimits(context: BrokerContext): BodyLimits {
  return limitsOf(context, TOKENS_OF_POLL * POLL_TOKEN_CHARACTERS_OF_PARTITION)
}

function limitsOf(context: BrokerContext, partitionBytes: number): BodyLimits {
  const { partitionsMax } = context.settings
  return {
    ...documentLimits(context),
    bytesMax: DOCUMENT_BYTES_MAX + partitionsMax * partitionBytes,
    setting: 'the limit, which follows from partitions.max,',
  }
}

/** @throws SpoolError INVALID_REQUEST for a list of more partitions than there may be. */
export function checkPartitionCount(context: BrokerContext, field: string, count: number): void {
  const { partitionsMax } = context.settings
  if (count <= partitionsMax) return
  throw new SpoolError(
    'INVALID_REQUEST',
    `field ${field} has ${count} partitions; partitions.max is ${partitionsMax}`,
    { extensions: { field, limit: 'partitions.max', max: partitionsMax } },
  )
}
