/** The command that goes on where an upload ended. Text; the words that were typed come in. */

import { shellWord } from '../verb.ts'
import type { Place } from './acknowledged.ts'
import type { ProducePlan } from './plan.ts'

const NEWLINE = 0x0a

/**
 * `undefined` where there is nothing better to say than the line it got to. `words` are those after
 * `spool`, as they were typed.
 */
export function goOnSentence(
  { files, valueFile, delimiter }: ProducePlan,
  { line }: Place,
  canResume: boolean,
  words: readonly string[] = process.argv.slice(2),
): string | undefined {
  if (valueFile !== undefined) return undefined
  if (canResume) {
    const again = words.filter((word) => word !== '--restart' && word !== '--resume')
    return `to go on: spool ${again.map(shellWord).join(' ')} --resume`
  }
  const isLines = delimiter.length === 1 && delimiter[0] === NEWLINE
  if (files.length > 0 || !isLines || line === 0) return undefined
  return `to go on: … | tail -n +${line + 1} | spool ${words.map(shellWord).join(' ')}`
}
