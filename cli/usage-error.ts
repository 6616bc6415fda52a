/** A command that can not be run as it was typed; the message is one sentence for the person who typed it. */

import { CommandError } from './command-error.ts'
import { exitCodes } from './exit-codes.ts'

export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, { exitCode: exitCodes.usage })
    this.name = 'UsageError'
  }
}
