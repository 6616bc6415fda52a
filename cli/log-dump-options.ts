/** The words of `spool log dump`. */

import type { Command } from 'commander'
import { runs } from './verb.ts'

export interface DumpOptions {
  readonly records?: boolean
  readonly verify?: boolean
  readonly json?: boolean
}

/** Declares `log` on the program. */
export function declareLog(program: Command): void {
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
    .addHelpText(
      'after',
      `
Exits with 1 if anything in the files is wrong. Beside a running broker, what it is just writing may show
as an unfinished tail, which is no fault.

Examples:
  $ spool log dump spool-data --verify
  $ spool log dump spool-data/access-0 --records --json | jq .value`,
    )
  runs<DumpOptions>(dump, async () => {
    const { dumpLog } = await import('./log-dump.ts')
    return ({ words, options }) => dumpLog(String(words[0]), options)
  })
}
