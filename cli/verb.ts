/**
 * What every verb that talks to a broker has in common: the options that say which broker and how to
 * print, and the way from a command line to an exit code. A verb is a function of its `VerbCall`; its file
 * is loaded when it is called, so that the help and the completion of all verbs cost none of them.
 */

import { type Command, Option } from 'commander'
import { brokerUrl, type ConnectionOptions, DEFAULT_URL } from './connection.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { endAsInterrupted } from './interruption.ts'
import { duration } from './option-values.ts'
import { Output } from './output.ts'

export const GLOBAL_GROUP = 'Options of every verb:'

/** The global options as they were meant, wherever they were said. */
export interface GlobalOptions extends ConnectionOptions {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly hasColor: boolean
  /** What a command printed for the user to run needs in order to reach the same broker: ` -b URL`, or nothing. */
  readonly flagsToRepeat: string
}

/** One call of a verb. `Options` are its own; `words` its arguments, as the verb declared them. */
export interface VerbCall<Options = Readonly<Record<string, unknown>>> {
  /** Such as `topics create`. */
  readonly name: string
  readonly words: readonly unknown[]
  readonly options: Options
  readonly global: GlobalOptions
  readonly output: Output
}

/** Rejects with whatever went wrong: `failure.ts` has the sentences. */
export type Verb<Options> = (call: VerbCall<Options>) => Promise<ExitCode>

/** Adds the options of every verb to one; those it has of its own stay. Returns the command. */
export function withGlobalOptions(command: Command): Command {
  const options = [
    new Option('-b, --url <url>', `the broker, as URL or host:port (SPOOL_URL, ${DEFAULT_URL})`),
    new Option('--token-file <file>', "holds the broker's token (SPOOL_TOKEN_FILE)"),
    new Option('--timeout <time>', 'for one request, such as 5s (30s)').argParser(duration),
    new Option('--json', 'print JSON, errors too'),
    new Option('-q, --quiet', 'print results only'),
    new Option('--no-color', 'no colors (also NO_COLOR)'),
  ]
  for (const option of options) {
    const isTaken = command.options.some(
      (own) => own.long === option.long || (option.short && own.short === option.short),
    )
    if (!isTaken) command.addOption(option.helpGroup(GLOBAL_GROUP))
  }
  return command
}

/** Gives a command its work: `load` imports the verb's file. */
export function runs<Options>(command: Command, load: () => Promise<Verb<Options>>): Command {
  return command.action(async (...given: unknown[]) => {
    const name = nameOf(command)
    const spoken = spokenOptions(command)
    let code: ExitCode
    try {
      const call = verbCall<Options>(command, name, spoken, given.slice(0, -2))
      code = await (await load())(call)
    } catch (error) {
      code = reportFailure(error, {
        verb: name,
        isJson: spoken.json === true,
        url: (spoken.url as string | undefined) || process.env.SPOOL_URL || DEFAULT_URL,
        flagsToRepeat: flagsToRepeat(spoken),
      })
    }
    if (code === exitCodes.interrupted) await endAsInterrupted()
    process.exitCode = code
  })
}

/** The words after `spool` that name a command. */
export function nameOf(command: Command): string {
  const names: string[] = []
  for (let at: Command | null = command; at?.parent != null; at = at.parent)
    names.unshift(at.name())
  return names.join(' ')
}

/** Options of the command and of those above it; what was said nearest to the end counts. */
function spokenOptions(command: Command): Readonly<Record<string, unknown>> {
  const chain: Command[] = []
  for (let at: Command | null = command; at !== null; at = at.parent) chain.unshift(at)
  const said: Record<string, unknown> = {}
  for (const each of chain) {
    for (const [name, value] of Object.entries(each.opts())) {
      // A default does not undo what was said before the verb.
      const isDefault = each.getOptionValueSource(name) === 'default'
      if (!isDefault || !(name in said)) said[name] = value
    }
  }
  return said
}

function verbCall<Options>(
  command: Command,
  name: string,
  spoken: Readonly<Record<string, unknown>>,
  words: readonly unknown[],
): VerbCall<Options> {
  const global = globalOptions(spoken)
  const output = new Output({
    isJson: global.isJson,
    isQuiet: global.isQuiet,
    hasColor: global.hasColor,
  })
  return { name, words, options: command.opts() as Options, global, output }
}

export function globalOptions(spoken: Readonly<Record<string, unknown>>): GlobalOptions {
  const { SPOOL_URL, SPOOL_TOKEN_FILE, NO_COLOR } = process.env
  const urlWord = spoken.url as string | undefined
  const tokenWord = spoken.tokenFile as string | undefined
  return {
    url:
      urlWord !== undefined
        ? brokerUrl(urlWord, 'option --url')
        : brokerUrl(SPOOL_URL || DEFAULT_URL, 'SPOOL_URL'),
    tokenFile: tokenWord ?? (SPOOL_TOKEN_FILE || undefined),
    timeoutMs: spoken.timeout as number | undefined,
    isJson: spoken.json === true,
    isQuiet: spoken.quiet === true,
    hasColor: spoken.color !== false && !NO_COLOR,
    flagsToRepeat: flagsToRepeat(spoken),
  }
}

/** What the environment says it says to the next command too. */
function flagsToRepeat({ url, tokenFile }: Readonly<Record<string, unknown>>): string {
  const flags = url === undefined ? '' : ` -b ${shellWord(String(url))}`
  return tokenFile === undefined ? flags : `${flags} --token-file ${shellWord(String(tokenFile))}`
}

/** The word as a shell takes it: quoted where it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
