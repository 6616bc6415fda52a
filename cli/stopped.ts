/** What is said when reading stopped before its end: by Ctrl-C, or at records that can not be read. */

import { SpoolError } from '../client/api/errors.ts'
import { CommandError } from './command-error.ts'
import { exitCodeOf } from './failure.ts'
import { interruption } from './interruption.ts'
import type { VerbCall } from './verb.ts'

/** The next offset of each partition. */
type NextOffsets = Readonly<Record<number, number>>

/** Records that can not be read or printed need not be the end: what comes after them can. */
export function withNextStep(
  error: unknown,
  nextOffsets: NextOffsets,
  goOn: (from: NextOffsets) => string,
): unknown {
  if (!(error instanceof SpoolError)) return error
  const { partition, nextOffset } = error.extensions
  if (typeof partition !== 'number' || typeof nextOffset !== 'number') return error
  return new CommandError(error.detail, {
    exitCode: exitCodeOf(error),
    nextStep: `to go on after it: ${goOn({ ...nextOffsets, [partition]: nextOffset })}`,
    cause: error,
  })
}

/** How far it got, and the command that goes on. `more` is for the document of `--json`. */
export function sayInterrupted(
  { name, global: { isJson, isQuiet } }: VerbCall<unknown>,
  { nextStep, ...more }: { readonly nextStep: string; readonly [more: string]: unknown },
): void {
  if (isJson) {
    const detail = (interruption().reason as Error).message
    const document = { verb: name, code: 'INTERRUPTED', detail, ...more, nextStep }
    process.stderr.write(`${JSON.stringify(document)}\n`)
  } else if (!isQuiet) {
    process.stderr.write(`to go on: ${nextStep}\n`)
  }
}
