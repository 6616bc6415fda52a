/**
 * `spool produce`: appends lines of stdin or of files to a topic.
 */

import { type ExitCode, exitCodes } from './exit-codes.ts'
import type { ProduceWords } from './produce-options.ts'

/** Runs the verb; the exit code. */
export async function produce(_topic: string, _words: ProduceWords): Promise<ExitCode> {
  return exitCodes.failed
}
