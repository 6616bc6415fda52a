/**
 * What becomes of the process when stdout can not be written to any more. `spool … | head` closes our
 * stdout: that is an end, not an error. A disk that is full is one. Some verbs have something to put in
 * order before.
 */

import { exitCodes } from './exit-codes.ts'

/** Who reads our stdout knows nothing of it and does not wait. */
const LEAVING_MS_MAX = 5_000

let leaving: (() => Promise<void>) | undefined
let isLeaving = false

/** `work` is done before the process ends because its stdout did; within a few seconds. */
export function beforeLeaving(work: (() => Promise<void>) | undefined): void {
  leaving = work
}

/** For `process.stdout.on('error', …)`. */
export function onStandardOutputError(error: NodeJS.ErrnoException): void {
  if (isLeaving) return
  isLeaving = true
  const isEnd = error.code === 'EPIPE'
  if (!isEnd) process.stderr.write(`spool: stdout can not be written to: ${error.message}\n`)
  const exit = () => process.exit(isEnd ? exitCodes.done : exitCodes.failed)
  if (leaving === undefined) exit()
  setTimeout(exit, LEAVING_MS_MAX)
  leaving?.().then(exit, exit)
}
