/**
 * What a reader's `from` and `until` mean when it begins: an offset per partition, by what the broker says
 * of the topic at that moment. Asks once for the bounds of all partitions, and once for each time.
 */

import { SpoolError } from '../api/errors.ts'
import { formatPosition, type Position, positionTime } from '../api/positions.ts'
import type { TopicOffsets } from '../api/schemas/topics.ts'
import type { AskOffsets } from './ask-offsets.ts'
import { positionOf } from './position-text.ts'
import { type LaterPartitions, type ReadPlace, ReadPlaces } from './read-places.ts'
import { isPerPartition, type ReadPosition } from './reader-options.ts'

export interface PlacesWanted {
  readonly topic: string
  readonly from: ReadPosition
  readonly until: ReadPosition | undefined
  readonly partitions: readonly number[] | undefined
}

type Bounds = TopicOffsets['partitions'][number]

/** @throws SpoolError UNKNOWN_TOPIC_OR_PARTITION; INVALID_REQUEST for an offset over several partitions. */
export async function beginPlaces(
  ask: AskOffsets,
  wanted: PlacesWanted,
  nowMs: number,
): Promise<ReadPlaces> {
  const topic = await ask('latest')
  const numbers = wantedPartitions(wanted, topic)
  const from = positionsOf(wanted.from, 'from', numbers)
  const until = wanted.until === undefined ? [] : positionsOf(wanted.until, 'until', numbers)
  const answers = await askTimes(ask, [...from, ...until], topic)
  const places = numbers.map((partition, index): ReadPlace => {
    const bounds = boundsOf(topic, partition)!
    const nextOffset = offsetOf(from[index], bounds, answers)?.offset ?? bounds.logStartOffset
    return { partition, nextOffset, ...endOf(until[index], bounds, answers, nowMs) }
  })
  return new ReadPlaces(topic.topicId, places, laterPartitions(wanted, nowMs))
}

function wantedPartitions({ topic, from, until, partitions }: PlacesWanted, found: TopicOffsets) {
  const there = found.partitions.map(({ partition }) => partition).sort((a, b) => a - b)
  const named = [from, until].flatMap((it) =>
    it !== undefined && isPerPartition(it) ? Object.keys(it).map(Number) : [],
  )
  const missing = [...(partitions ?? []), ...named].find((it) => !there.includes(it))
  if (missing === undefined) return partitions ?? there
  throw new SpoolError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `topic ${topic} has no partition ${missing}; it has ${there.length}, counted from 0`,
    { extensions: { partition: missing } },
  )
}

/** One for each of `partitions`; `undefined` where a map does not name it. */
function positionsOf(
  given: ReadPosition,
  name: string,
  partitions: readonly number[],
): (Position | undefined)[] {
  if (isPerPartition(given)) {
    return partitions.map((it) => {
      const position = given[it]
      return position === undefined ? undefined : positionOf(position, name)
    })
  }
  const position = positionOf(given, name)
  if (position.kind !== 'offset' || partitions.length === 1) return partitions.map(() => position)
  throw new SpoolError(
    'INVALID_REQUEST',
    `${name} is the offset ${position.offset}, and an offset means a record of one partition only; ${partitions.length} are read: give a map, {0: ${position.offset}, …}, or a time, or one of partitions`,
    { extensions: { field: name }, outcome: 'refused' },
  )
}

/** The answers about each time among the positions, by its text. */
async function askTimes(
  ask: AskOffsets,
  positions: readonly (Position | undefined)[],
  { topic, topicId }: TopicOffsets,
): Promise<ReadonlyMap<string, TopicOffsets>> {
  const times = positions.filter((it) => it?.kind === 'time' || it?.kind === 'ago')
  const texts = [...new Set(times.map((it) => formatPosition(it!)))]
  const answers = await Promise.all(texts.map((text) => ask(text)))
  const isOther = answers.some((answer) => answer.topicId !== topicId)
  if (!isOther) return new Map(texts.map((text, index) => [text, answers[index]!]))
  throw new SpoolError(
    'INCONSISTENT_TOPIC_ID',
    `topic ${topic} was created anew while the reader began: begin a new reader`,
  )
}

/** Which offset a position means; with `timestamp` where it is that of a record found by its time. */
function offsetOf(
  position: Position | undefined,
  { partition, logStartOffset, highWatermark }: Bounds,
  answers: ReadonlyMap<string, TopicOffsets>,
): { readonly offset: number; readonly timestamp?: number } | undefined {
  switch (position?.kind) {
    case undefined:
      return undefined
    case 'earliest':
      return { offset: logStartOffset }
    case 'latest':
      return { offset: highWatermark }
    case 'offset':
      return { offset: position.offset }
    case 'last':
      return { offset: Math.max(logStartOffset, highWatermark - position.count) }
    case 'time':
    case 'ago':
      return boundsOf(answers.get(formatPosition(position))!, partition)
  }
}

function endOf(
  position: Position | undefined,
  bounds: Bounds,
  answers: ReadonlyMap<string, TopicOffsets>,
  nowMs: number,
): Pick<ReadPlace, 'until' | 'endTimeMs'> {
  const found = offsetOf(position, bounds, answers)
  if (position === undefined || found === undefined) return NO_END
  const endTimeMs = timeToCome(position, nowMs)
  // A record of that time or later is there already: the end is known.
  if (endTimeMs === undefined || found.timestamp !== undefined) {
    return { until: found.offset, endTimeMs: undefined }
  }
  return { ...NO_END, endTimeMs }
}

const NO_END = { until: Number.POSITIVE_INFINITY, endTimeMs: undefined }

/** By the clock of this computer. */
function timeToCome(position: Position, nowMs: number): number | undefined {
  const timeMs = positionTime(position, nowMs)
  return timeMs !== undefined && timeMs > nowMs ? timeMs : undefined
}

function laterPartitions({ until, partitions }: PlacesWanted, nowMs: number): LaterPartitions {
  const isWanted = partitions === undefined
  if (until === undefined || isPerPartition(until)) return { isWanted, endTimeMs: undefined }
  const endTimeMs = timeToCome(positionOf(until, 'until'), nowMs)
  return { isWanted: isWanted && endTimeMs !== undefined, endTimeMs }
}

function boundsOf({ partitions }: TopicOffsets, partition: number): Bounds | undefined {
  return partitions[partition]?.partition === partition
    ? partitions[partition]
    : partitions.find((it) => it.partition === partition)
}
