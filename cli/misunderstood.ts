/**
 * A command line that the command line library could not make sense of, as one sentence in the form of
 * every other failure: what was typed, what is expected, what may have been meant.
 */

import { type Command, CommanderError } from 'commander'
import { kcatAnswer } from './kcat-letters.ts'
import { nameOf } from './verb.ts'

/** Thrown through the library instead of its own error: it also knows whose words they were. */
export class Misunderstood extends CommanderError {
  readonly command: Command

  constructor(command: Command, { exitCode, code, message }: CommanderError) {
    super(exitCode, code, message)
    this.command = command
  }

  /** Such as `topics create`. */
  get verb(): string {
    return nameOf(this.command)
  }

  get sentence(): string {
    return inOurWords(this.message)
  }
}

const ARGUMENTS = ['no argument', 'one argument']

type Rewriting = readonly [RegExp, (...found: string[]) => string]

/** The library's sentences and ours. Words that were typed may hold anything, line breaks too. */
const REWRITINGS: readonly Rewriting[] = [
  [
    /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. (.*)$/s,
    (flag, word, why) => `${flag} ${JSON.stringify(word)}: ${lowerFirst(why)}`,
  ],
  [
    /^command-argument value '(.*)' is invalid for argument '(.*?)'\. (.*)$/s,
    (word, name, why) => `${name} ${JSON.stringify(word)}: ${lowerFirst(why)}`,
  ],
  [
    /^option '(?:-\w, )?(--[\w-]+) ([^']*)' argument missing$/,
    (flag, value) => `${flag} needs a value: ${flag} ${value}`,
  ],
  [
    /^required option '(.*)' not specified$/,
    (flags) => `${flags.split(', ').at(-1)} must be given`,
  ],
  [/^missing required argument '(.*)'$/, (name) => `<${name}> is missing`],
  [
    /^too many arguments(?: for '.*?')?\. Expected (\d+) arguments? but got \d+: (.*)$/s,
    (expected, words) =>
      `takes ${ARGUMENTS[Number(expected)] ?? `${expected} arguments`}, not: ${words}`,
  ],
  [/^unknown option '(-\w)'$/, (letter) => kcatAnswer(letter) ?? `there is no option ${letter}`],
  [
    /^unknown option '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/s,
    (option, near) => `there is no option ${option}${suggestion(near)}`,
  ],
  [
    /^unknown command '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/s,
    (word, near) => `there is no command ${JSON.stringify(word)}${suggestion(near)}`,
  ],
]

function inOurWords(message: string): string {
  const bare = message.replace(/^error: /, '')
  for (const [pattern, words] of REWRITINGS) {
    const found = pattern.exec(bare)
    if (found !== null) return words(...found.slice(1)).replace(/\.$/, '')
  }
  return bare
}

function lowerFirst(text: string): string {
  return text
    .replace(/^Allowed choices are (.*?)\.?$/, 'expected one of $1')
    .replace(/^Expected /, 'expected ')
}

function suggestion(near: string | undefined): string {
  return near === undefined ? '' : `: did you mean ${near.replace(/^one of /, '')}?`
}
