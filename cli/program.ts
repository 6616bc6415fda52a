/**
 * The verbs of `spool` other than `serve`, put together: help, groups, and what is said about a command
 * that can not be understood. Each verb declares its words in a file of its own and does its work in
 * another, loaded when it is called. `serve` is declared here for the help; `main.ts` takes it before
 * this file is loaded.
 */

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { declareCompletion } from './completion-options.ts'
import { declareConsume } from './consume-options.ts'
import { exitCodeRows, exitCodes } from './exit-codes.ts'
import { usageProblem } from './failure.ts'
import { declareProduce } from './produce-options.ts'
import { declareTopics } from './topics-options.ts'
import { GLOBAL_GROUP, nameOf, runs, withGlobalOptions } from './verb.ts'

const LAST_GROUP = 'This command:'
/** Wider help is hard to read, narrower breaks its examples. */
const HELP_COLUMNS = 100

/** Runs the verb named by `words`. Sets the exit code. */
export async function runProgram(words: readonly string[]): Promise<void> {
  const program = buildProgram()
  const asked = helpWords(words)
  if (asked[0] === 'serve') {
    const { serve } = await import('./serve.ts')
    return serve(asked.slice(1))
  }
  try {
    await program.parseAsync([...asked], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return
    process.exitCode = exitCodes.usage
    // The help that commander shows for a missing verb is all there is to say.
    if (error.code !== 'commander.help') sayMisunderstood(program, asked, error)
  }
}

/** `spool help topics create` is `spool topics create --help`. */
function helpWords(words: readonly string[]): readonly string[] {
  return words[0] === 'help' ? [...words.slice(1), '--help'] : words
}

/** The whole program, for running it, completing its words and writing its page in `docs/`. */
export function buildProgram(): Command {
  const program = new Command('spool')
    .description('A disk-backed, partitioned message broker: run one, write to it, read from it.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .addHelpCommand(
      new Command('help')
        .argument('[verb...]')
        .description('show what a verb takes')
        .helpGroup(LAST_GROUP),
    )
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({
      helpWidth: Math.min(process.stdout.columns ?? HELP_COLUMNS, HELP_COLUMNS),
      styleTitle: (title) => `\x1b[1m${title}\x1b[22m`,
    })
  program.commandsGroup('Records:')
  declareProduce(program)
  declareConsume(program)
  program.commandsGroup('Topics:')
  declareTopics(program)
  program.commandsGroup('Brokers:')
  program
    .command('serve')
    .description('run a broker (spool serve --help lists its settings)')
    .helpOption(false)
  declareLog(program)
  program.commandsGroup(LAST_GROUP)
  declareCompletion(program, buildProgram)
  for (const verb of leaves(program)) {
    if (!OWN_OPTIONS_ONLY.has(nameOf(verb))) withGlobalOptions(verb)
  }
  withGlobalOptions(program)
  program.addHelpText('after', EPILOGUE)
  return program
}

/** Verbs that ask no broker. */
const OWN_OPTIONS_ONLY = new Set(['serve', 'log dump', 'completion', '__complete', 'help'])

/** The commands that do something, in the order of the help. */
export function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

const EPILOGUE = `
Examples:
  $ spool serve                                        # a broker here, its data in ./spool-data
  $ spool topics create access --partitions 4
  $ spool produce access --from-file access.ndjson --key-from /user
  $ spool consume access -o -10 -e                     # the last ten records of each partition
  $ spool consume access -f '%p/%o %k %s\\n'            # go on as records come

Exit codes:
${exitCodeRows('others')
  .map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`)
  .join('\n')}

spool help VERB shows what a verb takes: spool help topics create`

function version(): string {
  // This file is in cli/, or in dist/cli/ of the package.
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
      if (manifest.name === 'spool') return manifest.version
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return 'unknown'
}

/** One sentence for a command that is not one, in the form of every other failure. */
function sayMisunderstood(
  program: Command,
  words: readonly string[],
  { message }: CommanderError,
): void {
  const command = spokenCommand(program, words)
  const sentence = inOurWords(message)
  if (words.includes('--json')) {
    process.stderr.write(
      `${JSON.stringify({ verb: nameOf(command), ...usageProblem(sentence) })}\n`,
    )
    return
  }
  const name = ['spool', nameOf(command)].join(' ').trim()
  process.stderr.write(`${name}: ${sentence}\n  ${name} --help shows what it takes\n`)
}

/** Commander's sentence in the form of ours: what was typed, and what is expected. */
function inOurWords(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(
      /^option '(?:-\w, )?(--[\w-]+)[^']*' argument '(.*)' is invalid\. /s,
      (_, flag: string, word: string) => `${flag} ${JSON.stringify(word)}: `,
    )
    .replace(
      /^command-argument value '(.*)' is invalid for argument '(.*)'\. /s,
      (_, word: string, name: string) => `${name} ${JSON.stringify(word)}: `,
    )
    .replace(/: Allowed choices are (.*)$/, ': expected one of $1')
    .replace(/: Expected /, ': expected ')
    .replace(/\n\(Did you mean (.*)\)$/, ': did you mean $1')
    .replace(/\.$/, '')
}

/** The deepest command that the words name. */
function spokenCommand(program: Command, words: readonly string[]): Command {
  let at = program
  for (const word of words) {
    const next = at.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (next !== undefined) at = next
    else if (!word.startsWith('-')) break
  }
  return at
}

function declareLog(program: Command): void {
  const log = program
    .command('log')
    .description('look into log files, without a broker')
    .helpCommand(false)
  const dump = log
    .command('dump')
    .description('show what files of a log hold; reads only, and needs no lock')
    .argument('<path>', 'a data directory, a partition directory, or one file of a log')
    .option('--records', 'show every record, not only the batches')
    .option('--verify', 'show nothing but what is wrong, and a summary')
    .option('--json', 'one JSON object a line')
    .addHelpText('after', '\nExample:\n  $ spool log dump spool-data --verify')
  runs<Readonly<Record<string, boolean>>>(dump, async () => {
    const { dumpLog } = await import('./log-dump.ts')
    return ({ words, options }) => dumpLog(String(words[0]), options)
  })
}

export { GLOBAL_GROUP }
