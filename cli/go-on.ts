/** The command that goes on where a `spool consume` stopped. Pure. */

import type { ConsumeOptions } from './consume-options.ts'
import type { ConsumeRequest } from './consume-plan.ts'
import { offsetsWord } from './position-words.ts'
import { type GlobalOptions, shellWord } from './verb.ts'

/** How far it got: the next offset of each partition, and how many records were printed. */
export interface Progress {
  readonly nextOffsets: Readonly<Record<number, number>>
  readonly count: number
}

export function goOnCommand(
  request: ConsumeRequest,
  options: ConsumeOptions,
  global: GlobalOptions,
  { nextOffsets, count }: Progress,
): string {
  const words: string[] = []
  const say = (flag: string, value: string | number | undefined) => {
    if (value !== undefined) words.push(flag, shellWord(String(value)))
  }
  say('-p', request.partitions?.join(','))
  say('-o', offsetsWord(nextOffsets))
  say('-c', options.count === undefined ? undefined : options.count - count)
  if (options.exit === true) words.push('-e')
  say('--until', endWord(options))
  say('--key', options.key)
  say('--header', options.header)
  say('--contains', options.contains)
  say('--out-of-range', options.outOfRange)
  say('-f', options.format)
  say('-D', options.delimiter)
  say('-K', options.keyDelimiter)
  if (options.null === true) words.push('-Z')
  say('--null-as', options.nullAs)
  say('--as', options.as)
  if (global.isJson) words.push('--json')
  return `spool consume ${request.topic}${global.flagsToRepeat} ${words.join(' ')}`
}

function endWord({ until, offset = [] }: ConsumeOptions): string | undefined {
  return until ?? offset.find((word) => word.startsWith('e@'))?.slice(1)
}
