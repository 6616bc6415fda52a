/** The options of a reader: their types, defaults and checks, in one place. Pure. */

import { SpoolError } from '../api/errors.ts'
import { WAIT_MS_MAX } from '../api/schemas/records.ts'
import { invalid } from '../option-checks.ts'
import { auto, autoKey } from '../serdes/auto.ts'
import type { Deserializer } from '../serdes/serde.ts'
import type { OutOfRange } from '../transport.ts'
import { type PositionLike, positionOf } from './position-text.ts'

/**
 * Where to begin or end: one position for all partitions, or one per partition, by number. What
 * `reader.position()` gives is of the second kind.
 */
export type ReadPosition = PositionLike | Readonly<Record<number, PositionLike>>

export interface ReaderOptions<K = string | Uint8Array, V = unknown> {
  /** How keys are read; text where they are UTF-8, else bytes, when absent. */
  readonly key?: Deserializer<K>
  /** How values are read; `auto` when absent. */
  readonly value?: Deserializer<V>
  /**
   * Where to begin; `'earliest'` when absent. Of a map, partitions it does not name begin at their
   * earliest record.
   */
  readonly from?: ReadPosition
  /**
   * Where to end, exclusive, resolved once when the reader begins; it follows for ever when absent, and
   * so do partitions that a map does not name. A time still to come ends a partition before its first
   * record of that time or later, or, by this computer's clock, when it comes.
   */
  readonly until?: ReadPosition
  /** Only these; all, also those that come into being while it follows, when absent. */
  readonly partitions?: readonly number[]
  /**
   * Bytes that may lie ready before they are asked for, as they came; 16 MiB when absent. One batch more
   * is always taken. Over `fetch` the platform's own buffers are what lies ready.
   */
  readonly prefetchBytes?: number
  /**
   * How long one request waits at the end of the log: 1 s when absent, at most 30 s. Records do not wait
   * for it. Over `fetch` there is one stream and no such request.
   */
  readonly maxWaitMs?: number
  /** Where to go on when the offset to read was removed: an error when absent. */
  readonly outOfRange?: 'earliest' | 'latest'
  /** Aborted: iterating rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface ReaderSettings<K, V> {
  readonly key: Deserializer<K>
  readonly value: Deserializer<V>
  readonly from: ReadPosition
  readonly until: ReadPosition | undefined
  readonly partitions: readonly number[] | undefined
  readonly prefetchBytes: number
  readonly maxWaitMs: number
  readonly outOfRange: OutOfRange
  readonly signal: AbortSignal | undefined
}

const PREFETCH_BYTES_DEFAULT = 16 * 1024 * 1024
const PREFETCH_BYTES_MAX = 2 ** 31 - 1
const WAIT_MS_DEFAULT = 1_000
const NAMES = new Set<string>([
  'key',
  'value',
  'from',
  'until',
  'partitions',
  'prefetchBytes',
  'maxWaitMs',
  'outOfRange',
  'signal',
] satisfies (keyof ReaderOptions)[])

/** @throws SpoolError INVALID_CONFIG naming the option; INVALID_REQUEST for a position. */
export function readerSettings<K, V>(options: ReaderOptions<K, V>): ReaderSettings<K, V> {
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) throw invalid(`there is no option ${name} of a reader`)
  }
  const { from = 'earliest', until, partitions, outOfRange, signal } = options
  checkPosition(from, 'from')
  if (until !== undefined) checkPosition(until, 'until')
  if (outOfRange !== undefined && outOfRange !== 'earliest' && outOfRange !== 'latest') {
    throw invalid(`outOfRange is ${String(outOfRange)}, not earliest or latest`)
  }
  return {
    // Where no serde is given, the type parameters are those of these two.
    key: options.key ?? (autoKey as Deserializer<unknown> as Deserializer<K>),
    value: options.value ?? (auto as Deserializer<unknown> as Deserializer<V>),
    from,
    until,
    partitions: partitions && checkedPartitions(partitions),
    prefetchBytes: checkedNumber(
      'prefetchBytes',
      options.prefetchBytes ?? PREFETCH_BYTES_DEFAULT,
      1,
      PREFETCH_BYTES_MAX,
    ),
    maxWaitMs: checkedNumber('maxWaitMs', options.maxWaitMs ?? WAIT_MS_DEFAULT, 0, WAIT_MS_MAX),
    outOfRange,
    signal,
  }
}

/** True for one position per partition. */
export function isPerPartition(
  position: ReadPosition,
): position is Readonly<Record<number, PositionLike>> {
  return typeof position === 'object' && position !== null && !(position instanceof Date)
}

function checkPosition(position: ReadPosition, name: string): void {
  if (!isPerPartition(position)) {
    positionOf(position, name)
    return
  }
  for (const [partition, each] of Object.entries(position)) {
    if (!/^(0|[1-9]\d{0,9})$/.test(partition)) {
      throw new SpoolError('INVALID_REQUEST', `${name} names ${partition}, which is no partition`)
    }
    positionOf(each, `${name} of partition ${partition}`)
  }
}

function checkedPartitions(partitions: readonly number[]): readonly number[] {
  const isRight =
    Array.isArray(partitions) &&
    partitions.length > 0 &&
    partitions.every((partition) => Number.isSafeInteger(partition) && partition >= 0)
  if (!isRight) throw invalid('partitions is not a list of partition numbers with at least one')
  return [...new Set(partitions)].sort((a, b) => a - b)
}

function checkedNumber(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(`${name} is ${value}, not an integer from ${min} to ${max}`)
}
