/**
 * Positions as they are typed: the one grammar of the API (`client/api/positions.ts`), kcat's names for
 * the same things, and a list of offsets by partition. Pure.
 */

import { SpoolError } from '../client/api/errors.ts'
import { parsePosition } from '../client/api/positions.ts'
import { UsageError } from './usage-error.ts'

/** One position for all partitions, or an offset for some of them. */
export type TypedPosition = string | Readonly<Record<number, number>>

const KCAT_NAMES: Readonly<Record<string, string>> = { beginning: 'earliest', end: 'latest' }

/**
 * A position in the API's grammar, from a word in that grammar or kcat's. `option` is where it stood.
 *
 * @throws UsageError naming the option, the word and what is expected.
 */
export function toPosition(word: string, option: string): string {
  if (word === 'stored') {
    throw new UsageError(
      `${option} stored: that is for a group (-G GROUP); say where to begin, such as ${option} earliest`,
    )
  }
  const text = KCAT_NAMES[word] ?? withSeconds(word.replace(/^s@(?=\d+$)/, '@'))
  try {
    parsePosition(text, option)
  } catch (error) {
    if (!(error instanceof SpoolError)) throw error
    throw new UsageError(error.detail.replace('=', ' '))
  }
  return text
}

/** People type times to the minute; the API wants the seconds too. */
function withSeconds(word: string): string {
  return word.replace(/^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2})(?=[Zz]$|[+-]\d{2}:\d{2}$)/, '$1:00')
}

/** As `toPosition`, and `0:1500,1:1742` for an offset in each of some partitions. */
export function toTypedPosition(word: string, option: string): TypedPosition {
  if (!/^\d+:\d+(,\d+:\d+)*$/.test(word)) return toPosition(word, option)
  const pairs = word.split(',').map((pair) => pair.split(':').map(Number))
  const wrong = pairs.flat().find((number) => !Number.isSafeInteger(number))
  if (wrong !== undefined) throw new UsageError(`${option} ${word}: ${wrong} is too large`)
  return Object.fromEntries(pairs)
}

/** Where to begin and to end. */
export interface Range {
  readonly from: TypedPosition
  readonly until: TypedPosition | undefined
}

/**
 * What `-o` (any number of times) and `--until` say together. kcat's `e@MS` is an end given with `-o`.
 *
 * @throws UsageError for an end or a beginning given twice.
 */
export function rangeOf(offsets: readonly string[], until: string | undefined): Range {
  const beginnings = offsets.filter((word) => !/^e@\d+$/.test(word))
  const ends = offsets.filter((word) => /^e@\d+$/.test(word)).map((word) => word.slice(1))
  if (until !== undefined) ends.push(until)
  if (beginnings.length > 1) {
    throw new UsageError(`-o says two places to begin: ${beginnings.join(' and ')}`)
  }
  if (ends.length > 1) throw new UsageError(`two places to stop are given: ${ends.join(' and ')}`)
  const [from = 'earliest'] = beginnings
  return {
    from: toTypedPosition(from, '-o'),
    until: ends[0] === undefined ? undefined : toTypedPosition(ends[0], '--until'),
  }
}

/** The word that reads back as these offsets: `0:1500,1:1742`. */
export function offsetsWord(offsets: Readonly<Record<number, number>>): string {
  return Object.entries(offsets)
    .map(([partition, offset]) => `${partition}:${offset}`)
    .join(',')
}
