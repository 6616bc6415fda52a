/**
 * Finds the verb and runs it. `serve` is a path of its own so that a broker starts without loading a
 * command line library; every other verb is declared in `program.ts`.
 */

import { exitCodes } from './exit-codes.ts'
import { onStandardOutputError } from './reader-left.ts'

/** Runs `spool` with the words after its name. Sets the exit code; does not throw. */
export async function main(words: readonly string[]): Promise<void> {
  const [verb, ...rest] = words
  // Remarks that nobody reads are no reason to stop.
  process.stderr.on('error', () => {})
  try {
    if (verb === 'serve') {
      // Whoever started the broker may stop listening to it; it goes on.
      process.stdout.on('error', () => {})
      const { serve } = await import('./serve.ts')
      await serve(rest)
      return
    }
    process.stdout.on('error', onStandardOutputError)
    if (verb === '__complete') {
      const { answerCompletion } = await import('./completion/answer.ts')
      await answerCompletion(rest)
    } else {
      const { runProgram } = await import('./program.ts')
      await runProgram(words)
    }
  } catch (error) {
    process.stderr.write(`spool: ${(error as Error).stack ?? String(error)}\n`)
    process.exitCode = exitCodes.failed
  }
}
