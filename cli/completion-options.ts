/** The words of `spool completion`. What its scripts ask (`spool __complete`) is taken by `main.ts`. */

import { Argument, type Command } from 'commander'
import { exitCodes } from './exit-codes.ts'
import { runs } from './verb.ts'

export function declareCompletion(program: Command): void {
  const completion = program
    .command('completion')
    .description('print a script that completes the words of spool in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
It completes verbs, options and their values, and asks the broker for the names of topics.

Examples:
  $ source <(spool completion bash)                    # in ~/.bashrc, to have it always
  $ source <(spool completion zsh)                     # in ~/.zshrc, after compinit
  $ spool completion fish > ~/.config/fish/completions/spool.fish`,
    )
  runs(completion, async () => {
    const { completionScript } = await import('./completion/scripts.ts')
    return async ({ words }) => {
      process.stdout.write(completionScript(words[0] as 'bash' | 'zsh' | 'fish'))
      return exitCodes.done
    }
  })
}
