/** What `spool consume -G` was asked to do, checked as far as that goes without a broker. */

import type { ConsumeOptions } from '../consume-options.ts'
import { CommandWords } from '../go-on.ts'
import { rangeOf } from '../position-words.ts'
import { UsageError } from '../usage-error.ts'
import { type GlobalOptions, shellWord } from '../verb.ts'

export interface GroupRequest {
  readonly group: string
  readonly topics: readonly string[]
  /** Where a group begins that has committed nothing; `undefined`: where the broker says. */
  readonly from: string | undefined
  readonly endsAtEnd: boolean
  readonly countMax: number
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

/** @throws UsageError for options that mean nothing in a group, or contradict each other. */
export function groupRequest(
  words: readonly string[],
  { group, ...options }: ConsumeOptions & { readonly group: string },
): GroupRequest {
  const { topic, exit, follow, count, outOfRange } = options
  const topics = [...new Set([...words, ...(topic === undefined ? [] : [topic])])]
  if (topics.length === 0) throw new UsageError('which topics? spool consume -G GROUP TOPIC…')
  if (options.partition !== undefined) {
    throw new UsageError('-p chooses partitions, and in a group the broker does: leave out one')
  }
  if (follow === true && exit === true) {
    throw new UsageError('--follow goes on past the end and -e stops there: leave out one of them')
  }
  return {
    group,
    topics,
    from: beginningOf(options),
    endsAtEnd: exit === true,
    countMax: count ?? Number.POSITIVE_INFINITY,
    outOfRange,
  }
}

function beginningOf({ offset, until }: ConsumeOptions): string | undefined {
  const words = (offset ?? []).filter((word) => word !== 'stored')
  const range = rangeOf(words, until)
  if (range.until !== undefined) {
    throw new UsageError('a group reads to the end: leave out --until, or read without -G')
  }
  if (words.length === 0) return undefined
  if (typeof range.from === 'string' && !/^\d+$/.test(range.from)) return range.from
  throw new UsageError(
    `-o ${words[0]}: offsets are for spool groups reset; here -o says where a group begins that has read nothing yet, such as -o latest or -o -PT1H`,
  )
}

/** The command that goes on; where, the group knows. */
export function groupGoOn(
  { group, topics }: GroupRequest,
  options: ConsumeOptions,
  global: GlobalOptions,
  printed: number,
): string {
  const words = new CommandWords()
    .say('-c', options.count === undefined ? undefined : options.count - printed)
    .say('-e', options.exit)
    .sayFilters(options)
    .say('--out-of-range', options.outOfRange)
    .sayPrinting(options, global)
  const command = `spool consume -G ${shellWord(group)} ${topics.join(' ')}${global.flagsToRepeat}`
  return `${command} ${words}`.trimEnd()
}
