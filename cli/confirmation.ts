/**
 * Asking before something is deleted. A person at a terminal is asked; where nobody can answer, `--yes`
 * must have been given. The question goes to stderr: stdout is for results.
 */

import { createInterface } from 'node:readline'
import { CommandError } from './command-error.ts'
import { exitCodes } from './exit-codes.ts'
import { interruption } from './interruption.ts'
import { printable } from './printable.ts'
import { UsageError } from './usage-error.ts'

export interface Confirmation {
  /** What would happen, in lines. */
  readonly facts: readonly string[]
  readonly question: string
  /** What is said after a no. */
  readonly refusal: string
  readonly isJson: boolean
}

/**
 * Resolves when it may be done. Anything but `y` or `yes` is a no, the end of the input too.
 *
 * @throws UsageError where nobody can be asked; CommandError after a no; the interruption's reason after
 * Ctrl-C.
 */
export async function confirm({ facts, question, refusal, isJson }: Confirmation): Promise<void> {
  const canBeAsked = process.stdin.isTTY === true && process.stderr.isTTY === true
  if (canBeAsked || !isJson) {
    for (const fact of facts) process.stderr.write(`${printable(fact)}\n`)
  }
  if (!canBeAsked) {
    throw new UsageError('nobody can be asked here whether that is meant: say so with --yes')
  }
  const signal = interruption()
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      // In raw mode the terminal gives us Ctrl-C as a key, not as a signal.
      lines.on('SIGINT', () => {
        process.stderr.write('\n')
        process.kill(process.pid, 'SIGINT')
      })
      lines.on('close', () => resolve(''))
      lines.question(`${question} [y/N] `, resolve)
    })
    if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    lines.close()
  }
  throw new CommandError(refusal, { exitCode: exitCodes.failed })
}
