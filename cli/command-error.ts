/** A command that could not do its work, told in one sentence for the person who typed it, with an exit code. */

import type { ExitCode } from './exit-codes.ts'

export interface CommandErrorOptions {
  readonly exitCode: ExitCode
  /** What to type or look at next: a line of its own under the sentence. */
  readonly nextStep?: string
  /** A `SpoolError` gives its problem document. */
  readonly cause?: unknown
}

export class CommandError extends Error {
  readonly exitCode: ExitCode
  readonly nextStep: string | undefined

  constructor(message: string, { exitCode, nextStep, cause }: CommandErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CommandError'
    this.exitCode = exitCode
    this.nextStep = nextStep
  }
}
