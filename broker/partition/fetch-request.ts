/** What a reader asks of many partitions at once and what it gets, and the checks of the question. */

import { SpoolError } from '../../client/api/errors.ts'
import type { ReadWish } from '../../storage/log/log-reader.ts'
import type { Offset } from '../../storage/record/offsets.ts'

export interface FetchPartition {
  readonly topic: string
  /** As the client knows it; another one now is INCONSISTENT_TOPIC_ID. */
  readonly topicId?: string | undefined
  readonly partition: number
  readonly offset: number
  /** As the client knows it; -1 or absent: not checked. */
  readonly currentLeaderEpoch?: number | undefined
  readonly maxBytes?: number | undefined
}

export interface FetchRequest {
  readonly maxWaitMs: number
  /** Waits for so many bytes over all partitions; 0 and 1 answer with whatever there is first. */
  readonly minBytes: number
  /** Over all partitions, but always one whole batch. */
  readonly maxBytes: number
  /** There are no transactions yet: both see the same. */
  readonly isolation?: 'read_uncommitted' | 'read_committed' | undefined
  /** Only a broker may send these, and none is known yet. */
  readonly replicaId?: number | undefined
  readonly brokerEpoch?: number | undefined
  readonly partitions: readonly FetchPartition[]
  readonly signal?: AbortSignal | undefined
  /** Where the batches are read into; see `ReadWish`. */
  readonly allocate?: ReadWish['allocate']
  /** All that was allocated so far is let go: the request waits for more first. */
  readonly letGo?: () => void
}

/** One per partition asked for, in the order asked. */
export interface FetchedPartition {
  readonly topic: string
  readonly topicId: string | undefined
  readonly partition: number
  /** -1, like the next two, where the partition is not known. */
  readonly highWatermark: Offset | -1
  readonly lastStableOffset: Offset | -1
  readonly logStartOffset: Offset | -1
  /** Whole batches, as they are on disk; empty when there is nothing or an error. */
  readonly bytes: Buffer
  /** The offset after `bytes`. */
  readonly nextOffset: number
  readonly error?: SpoolError
}

/** Kafka's own default for the longest wait of a consumer is half a second; nobody needs more than this. */
export const FETCH_WAIT_MS_MAX = 60_000
/** More partitions than this in one question are a mistake or an attack. */
export const FETCH_PARTITIONS_MAX = 10_000

/** @throws SpoolError for a question that is wrong as a whole; nothing is clamped. */
export function checkFetchRequest(request: FetchRequest, fetchBytesMax: number): void {
  // -1 is how a Kafka consumer says that it is none.
  if ((request.replicaId ?? -1) !== -1 || (request.brokerEpoch ?? -1) !== -1) {
    throw new SpoolError(
      'CLUSTER_AUTHORIZATION_FAILED',
      'replicaId and brokerEpoch are for brokers of the cluster only',
    )
  }
  checkBounds('maxWaitMs', request.maxWaitMs, 0, FETCH_WAIT_MS_MAX)
  checkBounds('maxBytes', request.maxBytes, 0, fetchBytesMax)
  checkBounds('minBytes', request.minBytes, 0, fetchBytesMax)
  if (request.minBytes > request.maxBytes) {
    throw new SpoolError(
      'INVALID_REQUEST',
      `minBytes ${request.minBytes} exceeds maxBytes ${request.maxBytes}`,
    )
  }
  checkBounds('partitions', request.partitions.length, 0, FETCH_PARTITIONS_MAX)
  checkPartitions(request.partitions, fetchBytesMax)
}

function checkPartitions(partitions: readonly FetchPartition[], fetchBytesMax: number): void {
  const seen = new Set<string>()
  for (const { topic, partition, maxBytes } of partitions) {
    const key = `${topic}/${partition}`
    if (seen.has(key)) {
      throw new SpoolError(
        'INVALID_REQUEST',
        `partition ${partition} of a topic is asked for twice`,
      )
    }
    seen.add(key)
    if (maxBytes !== undefined) checkBounds('maxBytes', maxBytes, 0, fetchBytesMax)
  }
}

function checkBounds(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new SpoolError('INVALID_REQUEST', `${name} is ${value}, not from ${min} to ${max}`)
}
