/** What a whole answer of undici's is: a success or which error, and its headers. */

import { answerError } from '../answer-error.ts'
import type { SpoolError } from '../api/errors.ts'
import type { WholeAnswer } from './http-exchange.ts'

export function isSuccess({ status }: WholeAnswer): boolean {
  return status >= 200 && status < 300
}

/** By name, the first where a header came twice. */
export function headerOf({ headers }: WholeAnswer): (name: string) => string | undefined {
  return (name) => {
    const value = headers[name.toLowerCase()]
    return Array.isArray(value) ? value[0] : value
  }
}

/** What an answer that is no success says. */
export function answerErrorOf(answer: WholeAnswer, isWrite: boolean): SpoolError {
  const header = headerOf(answer)
  return answerError({
    status: answer.status,
    contentType: header('content-type'),
    retryAfter: header('retry-after'),
    location: header('location'),
    text: answer.body.toString('utf8', 0, PROBLEM_BYTES_READ_MAX),
    isWrite,
  })
}

/** A problem document of a broker lists a hundred errors at most. */
const PROBLEM_BYTES_READ_MAX = 1024 * 1024
