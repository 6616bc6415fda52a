/**
 * The verbs of `spool` other than `serve`, put together: help, groups, and what is said about a command
 * that can not be understood. Each verb declares its words in a file of its own and does its work in
 * another, loaded when it is called. `serve` is declared here for the help; `main.ts` takes it before
 * this file is loaded.
 */

import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { declareCompletion } from './completion-options.ts'
import { declareConsume } from './consume-options.ts'
import { exitCodeRows, exitCodes } from './exit-codes.ts'
import { printUsageProblem } from './failure.ts'
import { declareGroups } from './groups-options.ts'
import { declareLog } from './log-dump-options.ts'
import { Misunderstood } from './misunderstood.ts'
import { declareProduce } from './produce-options.ts'
import { declareReplay } from './replay-options.ts'
import { declareTopics } from './topics-options.ts'
import { nameOf, withGlobalOptions } from './verb.ts'

const LAST_GROUP = 'This command:'
/** Wider help is hard to read, narrower breaks its examples. */
const HELP_COLUMNS = 100

/** Runs the verb named by `words`. Sets the exit code. */
export async function runProgram(words: readonly string[]): Promise<void> {
  const program = buildProgram()
  try {
    const asked = helpWords(program, words)
    if (asked[0] === 'serve') {
      const { serve } = await import('./serve.ts')
      return await serve(asked.slice(1))
    }
    await program.parseAsync([...asked], { from: 'user' })
  } catch (error) {
    if (!(error instanceof Misunderstood)) throw error
    if (error.exitCode === 0) return
    process.exitCode = exitCodes.usage
    // The help that is shown for a missing verb is all there is to say.
    if (error.code === 'commander.help') return
    printUsageProblem({ verb: error.verb, isJson: words.includes('--json') }, error.sentence)
  }
}

/** Words with verbs below them. */
const HAVE_VERBS = new Set(['topics', 'groups'])

/** `spool help topics create` and `spool topics help create` are `spool topics create --help`. */
function helpWords(program: Command, words: readonly string[]): readonly string[] {
  const at = words.indexOf('help')
  if (at !== 0 && (at !== 1 || !HAVE_VERBS.has(words[0]!))) return words
  const named = words.toSpliced(at, 1)
  let command = program
  for (const word of named) {
    if (word.startsWith('-')) break
    const next = command.commands.find(
      (each) => each.name() === word || each.aliases().includes(word),
    )
    // Left to the program, whose answer names what may have been meant.
    if (next === undefined) return named
    command = next
  }
  return [...named, '--help']
}

/**
 * The whole program, for running it, completing its words and writing its page in `docs/`. Help is wrapped
 * at `columns`; a terminal that does not know its size says 0.
 */
export function buildProgram({ columns = process.stdout.columns } = {}): Command {
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
    .configureOutput({ outputError: () => {} })
    .configureHelp({
      helpWidth: Math.min(columns || HELP_COLUMNS, HELP_COLUMNS),
      styleTitle: (title) => `\x1b[1m${title}\x1b[22m`,
    })
  program.commandsGroup('Records:')
  declareProduce(program)
  declareConsume(program)
  declareReplay(program)
  program.commandsGroup('Topics:')
  declareTopics(program)
  program.commandsGroup('Consumer groups:')
  declareGroups(program)
  program.commandsGroup('Brokers:')
  program
    .command('serve')
    .description('run a broker (spool serve --help lists its settings)')
    .helpOption(false)
  declareLog(program)
  program.commandsGroup(LAST_GROUP)
  declareCompletion(program)
  for (const command of commandsOf(program)) {
    if (!ASKS_NO_BROKER.has(nameOf(command))) withGlobalOptions(command)
    command.exitOverride((error) => {
      throw new Misunderstood(command, error)
    })
  }
  program.addHelpText('after', EPILOGUE)
  return program
}

/** The command and all below it, in the order of the help. */
export function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)]
}

const ASKS_NO_BROKER = new Set(['serve', 'log', 'log dump', 'completion', 'help'])

const EPILOGUE = `
Examples:
  $ spool serve                                        # a broker here, its data in ./spool-data
  $ spool topics create access --partitions 4
  $ spool produce access --from-file access.ndjson --key-from /user
  $ spool consume access -o -10 -e                     # the last ten records of each partition
  $ spool consume access -f '%p/%o %k %s\\n'            # go on as records come
  $ spool groups reset billing --to -PT1H              # a group of workers, back by an hour
  $ spool replay access --from -PT1H --into test       # the last hour once more, elsewhere

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
