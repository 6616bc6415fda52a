/**
 * What `spool consume` was asked to read, resolved: an offset to begin at in each partition, and an end
 * where one was named. Decisions only; the broker's answer to "which offset is that" comes in.
 */

import { SpoolError } from '../client/api/errors.ts'
import type { TopicOffsets } from '../client/index.ts'
import type { ConsumeOptions } from './consume-options.ts'
import { noPartition } from './missing-partition.ts'
import { rangeOf, type TypedPosition } from './position-words.ts'
import { UsageError } from './usage-error.ts'

/** What was typed, checked as far as that goes without a broker. */
export interface ConsumeRequest {
  readonly topic: string
  readonly partitions: readonly number[] | undefined
  readonly from: TypedPosition
  /** The option that says it. */
  readonly fromOption: '-o' | '--from'
  readonly until: TypedPosition | undefined
  readonly endsAtEnd: boolean
  readonly countMax: number
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

export interface ConsumePlan {
  readonly from: Readonly<Record<number, number>>
  /** Exclusive ends, a position for all partitions, or nothing: goes on for ever. */
  readonly until: Readonly<Record<number, number>> | string | undefined
}

/** @throws UsageError for options that contradict each other. */
export function consumeRequest(words: readonly string[], options: ConsumeOptions): ConsumeRequest {
  const [word, ...others] = words
  const topic = word ?? options.topic
  if (topic === undefined) throw new UsageError('which topic? spool consume TOPIC')
  if (word !== undefined && options.topic !== undefined && word !== options.topic) {
    throw new UsageError(
      `two topics are given: ${word} and -t ${options.topic}; one is read at a time`,
    )
  }
  if (others.length > 0) {
    throw new UsageError(
      `${words.length} topics are given, and one is read at a time; several are read in a group: -G GROUP ${words.join(' ')}`,
    )
  }
  if (options.follow === true && options.exit === true) {
    throw new UsageError('--follow goes on past the end and -e stops there: leave out one of them')
  }
  return {
    topic,
    partitions: options.partition,
    ...rangeOf(options.offset ?? [], options.until),
    fromOption: '-o',
    endsAtEnd: options.exit === true,
    countMax: options.count ?? Number.POSITIVE_INFINITY,
    outOfRange: options.outOfRange,
  }
}

/** Which position to ask the broker for: offsets need no asking, only the bounds that come with any answer. */
export function positionToAsk(position: TypedPosition | undefined): string {
  return typeof position !== 'string' || isOffset(position) ? 'earliest' : position
}

function isOffset(position: string): boolean {
  return /^\d+$/.test(position)
}

/**
 * The plan, from what the broker says of `positionToAsk(request.from)` and, where it was asked, of
 * `positionToAsk(request.until)`.
 *
 * @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION, OFFSET_OUT_OF_RANGE; UsageError for an offset of several.
 */
export function consumePlan(
  request: ConsumeRequest,
  begin: TopicOffsets,
  end: TopicOffsets | undefined,
): ConsumePlan {
  const wanted = wantedPartitions(request, begin)
  const given = offsetsGiven(request.from, request.fromOption, wanted)
  const from: Record<number, number> = {}
  for (const { partition, offset, logStartOffset, highWatermark } of begin.partitions) {
    if (!wanted.includes(partition)) continue
    const wish = given?.[partition] ?? offset
    const isInside = wish >= logStartOffset && wish <= highWatermark
    if (!isInside && request.outOfRange === undefined) {
      throw outOfRange(request.topic, partition, wish, { logStartOffset, highWatermark })
    }
    const elsewhere = request.outOfRange === 'earliest' ? logStartOffset : highWatermark
    from[partition] = isInside ? wish : elsewhere
  }
  return { from, until: untilOf(request, wanted, begin, end) }
}

function wantedPartitions(
  request: ConsumeRequest,
  { partitions }: TopicOffsets,
): readonly number[] {
  const there = partitions.map(({ partition }) => partition)
  const named = [
    ...(request.partitions ?? []),
    ...(typeof request.from === 'string' ? [] : Object.keys(request.from).map(Number)),
  ]
  const missing = named.find((partition) => !there.includes(partition))
  if (missing !== undefined) {
    throw noPartition(request.topic, missing, there.length)
  }
  return request.partitions ?? there
}

function offsetsGiven(
  position: TypedPosition,
  option: string,
  wanted: readonly number[],
): Readonly<Record<number, number>> | undefined {
  if (typeof position !== 'string') return position
  if (!isOffset(position)) return undefined
  const [only] = wanted
  if (wanted.length === 1 && only !== undefined) return { [only]: Number(position) }
  throw new UsageError(
    `${option} ${position} is an offset, and ${wanted.length} partitions are read: choose one with -p, or give an offset for each: ${option} ${wanted
      .slice(0, 2)
      .map((partition) => `${partition}:${position}`)
      .join(',')}${wanted.length > 2 ? ',…' : ''}`,
  )
}

function untilOf(
  request: ConsumeRequest,
  wanted: readonly number[],
  begin: TopicOffsets,
  end: TopicOffsets | undefined,
): ConsumePlan['until'] {
  const { until, endsAtEnd } = request
  if (until === undefined && !endsAtEnd) return undefined
  const given = until === undefined ? undefined : offsetsGiven(until, '--until', wanted)
  if (!endsAtEnd) return given ?? (until as string)
  const ends: Record<number, number> = {}
  for (const { partition, highWatermark } of begin.partitions) {
    if (!wanted.includes(partition)) continue
    const asked = end?.partitions.find((each) => each.partition === partition)?.offset
    const wish = given === undefined ? asked : given[partition]
    ends[partition] = Math.min(highWatermark, wish ?? highWatermark)
  }
  return ends
}

function outOfRange(
  topic: string,
  partition: number,
  offset: number,
  bounds: { readonly logStartOffset: number; readonly highWatermark: number },
): SpoolError {
  return new SpoolError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}/${partition} has offsets from ${bounds.logStartOffset} to before ${bounds.highWatermark}, not ${offset}`,
    { extensions: { partition, offset, ...bounds } },
  )
}
