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

/** Words of a command: flags with their values, as a shell takes them. */
export class CommandWords {
  readonly #words: string[] = []

  /** Nothing where there is no value, or where it is false; the flag alone where it is true. */
  say(flag: string, value: string | number | boolean | undefined): this {
    if (value === undefined || value === false) return this
    this.#words.push(flag)
    if (value !== true) this.#words.push(shellWord(String(value)))
    return this
  }

  /** Which records. */
  sayFilters({ key, header, contains }: Pick<ConsumeOptions, 'key' | 'header' | 'contains'>): this {
    return this.say('--key', key).say('--header', header).say('--contains', contains)
  }

  /** How they are printed. */
  sayPrinting(
    options: Pick<
      ConsumeOptions,
      'format' | 'delimiter' | 'keyDelimiter' | 'null' | 'nullAs' | 'as'
    >,
    { isJson }: GlobalOptions,
  ): this {
    this.say('-f', options.format).say('-D', options.delimiter).say('-K', options.keyDelimiter)
    this.say('-Z', options.null === true).say('--null-as', options.nullAs)
    return this.say('--as', options.as).say('--json', isJson)
  }

  toString(): string {
    return this.#words.join(' ')
  }
}

export function goOnCommand(
  request: ConsumeRequest,
  options: ConsumeOptions,
  global: GlobalOptions,
  { nextOffsets, count }: Progress,
): string {
  const words = new CommandWords()
    .say('-p', request.partitions?.join(','))
    .say('-o', offsetsWord(nextOffsets))
    .say('-c', options.count === undefined ? undefined : options.count - count)
    .say('-e', options.exit)
    .say('--until', endWord(options))
    .sayFilters(options)
    .say('--out-of-range', options.outOfRange)
    .sayPrinting(options, global)
  return `spool consume ${request.topic}${global.flagsToRepeat} ${words}`
}

function endWord({ until, offset = [] }: ConsumeOptions): string | undefined {
  return until ?? offset.find((word) => word.startsWith('e@'))?.slice(1)
}
