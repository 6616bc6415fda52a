/** Why an upload can not go on, with the way out. */

import { CommandError } from '../command-error.ts'
import { exitCodes } from '../exit-codes.ts'

export function beginAgain(sentence: string): CommandError {
  const nextStep = '--restart loads everything, from the beginning'
  return new CommandError(sentence, { exitCode: exitCodes.failed, nextStep })
}
