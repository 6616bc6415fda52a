/**
 * What is said of a replay: when it is done, how far it got when it is not, and the command that goes on.
 * Makes text and documents; prints nothing.
 */

import { CommandWords } from '../go-on.ts'
import { counted, paceForPeople } from '../numbers.ts'
import { offsetsWord } from '../position-words.ts'
import type { ReplayOptions } from '../replay-options.ts'
import type { GlobalOptions } from '../verb.ts'
import type { Copied } from './copied.ts'

/** An offset for each partition. */
export type Offsets = Readonly<Record<number, number>>

/** The range of a replay, in offsets. */
export interface ReplayRange {
  readonly topic: string
  readonly from: Offsets
  /** Exclusive. */
  readonly until: Offsets
}

/** Offsets between the beginning and `next`, over all partitions. */
export function offsetsBetween(from: Offsets, next: Offsets): number {
  let sum = 0
  for (const [partition, offset] of Object.entries(from)) {
    sum += Math.max(0, (next[Number(partition)] ?? offset) - offset)
  }
  return sum
}

/** What of a replay into a topic is reported. */
export interface CopyResult {
  readonly range: ReplayRange
  readonly into: string
  readonly copied: Copied
  /** Given to the producer. */
  readonly records: number
  readonly elapsedMs: number
}

/** `1,000,000 records of access into copy in 2.1 s, 476,000 a second`. */
export function copiedSentence({ range, into, copied, elapsedMs }: CopyResult): string {
  const what = `${counted(copied.count, 'record')} of ${range.topic} into ${into}`
  return `${what}${paceForPeople(copied.count, elapsedMs)}`
}

/** How far it got. */
export function reachedSentence({ into, copied, records }: CopyResult): string {
  const safe = counted(copied.reached.records, 'record')
  const open = records - copied.reached.records
  const sentence = `${safe} safely in ${into}`
  return open === 0
    ? sentence
    : `${sentence}; ${counted(open, 'record')} after that may or may not be there`
}

/** What `--json` prints of a replay into a topic. */
export function copyDocument(result: CopyResult): Readonly<Record<string, unknown>> {
  const { range, into, copied, elapsedMs } = result
  const { nextOffsets, records } = copied.reached
  return {
    topic: range.topic,
    into,
    records: copied.count,
    recordsAfterNext: copied.count - records,
    durability: copied.durability ?? null,
    partitions: Object.entries(range.from).map(([partition, from]) => ({
      partition: Number(partition),
      from,
      next: nextOffsets[Number(partition)] ?? from,
      until: range.until[Number(partition)]!,
    })),
    elapsedMs: Math.round(elapsedMs),
  }
}

/** The command that goes on, to the same end. */
export function goOnCommand(
  range: ReplayRange,
  options: ReplayOptions,
  global: GlobalOptions,
  nextOffsets: Offsets,
): string {
  const words = new CommandWords()
    .say('-p', options.partitions?.join(','))
    .say('--from', offsetsWord({ ...range.from, ...nextOffsets }))
    .say('--until', offsetsWord(range.until))
    .say('--out-of-range', options.outOfRange)
    .sayFilters(options)
    .say('--rate', options.rate?.word)
    .say('--speed', options.speed?.word)
    .say('--pause-max', options.pauseMax === undefined ? undefined : `${options.pauseMax}ms`)
    .say('--into', options.into)
    .say('--same-partitions', options.samePartitions)
    .sayPrinting(options, global)
  return `spool replay ${range.topic}${global.flagsToRepeat} ${words}`
}
