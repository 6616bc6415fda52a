/**
 * The verbs of `spool` other than `serve`, declared. Each one's work is in its own file, loaded when it
 * is called. `serve` is declared too, for the help, but `main.ts` takes it before this file is loaded.
 */

import { Command, CommanderError } from 'commander'
import { exitCodes } from './exit-codes.ts'

/** Runs the verb named by `words`. Sets the exit code. */
export async function runProgram(words: readonly string[]): Promise<void> {
  const program = new Command('spool')
    .description('A disk-backed, partitioned message broker.')
    .exitOverride()
  program
    .command('serve')
    .description('run a broker (spool serve --help lists its settings)')
    .helpOption(false)
  addLogVerbs(program)
  try {
    await program.parseAsync([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  }
}

function addLogVerbs(program: Command): void {
  const log = program.command('log').description('look into log files, without a broker')
  log
    .command('dump')
    .description('show what files of a log hold; reads only, and needs no lock')
    .argument('<path>', 'a data directory, a partition directory, or one file of a log')
    .option('--records', 'show every record, not only the batches')
    .option('--verify', 'show nothing but what is wrong, and a summary')
    .option('--json', 'one JSON object a line')
    .action(async (path: string, options: object) => {
      const { dumpLog } = await import('./log-dump.ts')
      process.exitCode = await dumpLog(path, options)
    })
}
