/**
 * Asking before something is deleted. A person at a terminal is asked; where nobody can answer, `--yes`
 * must have been given. The question goes to stderr: stdout is for results.
 */

import { createInterface } from 'node:readline'
import { interruption } from './interruption.ts'
import { UsageError } from './usage-error.ts'

/**
 * True when it may be done. Anything but `y` or `yes` is a no, the end of the input too.
 *
 * @throws UsageError where nobody can be asked; the interruption's reason after Ctrl-C.
 */
export async function isConfirmed(question: string, saidYes: boolean): Promise<boolean> {
  if (saidYes) return true
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new UsageError(
      'nobody can be asked here whether to go on: give --yes, or --help for more',
    )
  }
  const signal = interruption()
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      // In raw mode the terminal gives us Ctrl-C as a key, not as a signal.
      lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
      lines.on('close', () => resolve(''))
      lines.question(`${question} [y/N] `, resolve)
    })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
