/**
 * What a person is told when a verb failed: one sentence, beginning with the command, and under it the
 * next step where one is known. With `--json` the same as a problem document on stderr. Owns the way from
 * an error to an exit code; prints nothing on stdout.
 */

import { SpoolError, toProblem } from '../client/api/errors.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { isInterrupted } from './interruption.ts'
import { UsageError } from './usage-error.ts'

export interface FailureContext {
  /** Such as `topics create`. */
  readonly verb: string
  readonly isJson: boolean
  /** Where the broker was looked for. */
  readonly url: string
}

/** Prints the failure to stderr; the exit code. Throws again what is a fault of ours. */
export function reportFailure(error: unknown, context: FailureContext): ExitCode {
  if (error instanceof UsageError) {
    const nextStep = `spool ${context.verb} --help shows what it takes`
    print(context, error.message, nextStep, usageProblem(error.message))
    return exitCodes.usage
  }
  if (isInterrupted() && isAbort(error)) return exitCodes.interrupted
  if (!(error instanceof SpoolError)) throw error
  const { sentence, nextStep } = explained(error, context)
  print(context, sentence, nextStep, toProblem(error))
  return exitCodeOf(error)
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** The problem document of a command that was typed wrong; it never reached a broker. */
export function usageProblem(detail: string): Readonly<Record<string, unknown>> {
  const title = 'The command is not valid'
  return { type: 'urn:spool:problem:USAGE', title, code: 'USAGE', detail, retriable: false }
}

function print(
  { verb, isJson }: FailureContext,
  sentence: string,
  nextStep: string | undefined,
  problem: Readonly<Record<string, unknown>>,
): void {
  process.stderr.write(
    isJson
      ? `${JSON.stringify({ verb, ...problem, ...(nextStep === undefined ? {} : { nextStep }) })}\n`
      : `spool ${verb}: ${sentence}\n${nextStep === undefined ? '' : `  ${nextStep}\n`}`,
  )
}

/** Codes that mean "nobody is there to ask", now or in time. */
const UNREACHABLE = new Set<string>([
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'BROKER_NOT_READY',
  'BROKER_STOPPING',
])

/** The exit code for an error of the table. */
export function exitCodeOf(error: SpoolError): ExitCode {
  if (UNREACHABLE.has(error.code)) return exitCodes.unreachable
  switch (error.httpStatus) {
    case 400:
      return exitCodes.usage
    case 401:
    case 403:
      return exitCodes.notAllowed
    case 404:
    case 410:
      return error.code === 'ROUTE_NOT_FOUND' ? exitCodes.failed : exitCodes.notFound
    default:
      return exitCodes.failed
  }
}

interface Explanation {
  readonly sentence: string
  readonly nextStep?: string | undefined
}

/** The broker speaks to programs; a person at a command line is told in commands. */
function explained(error: SpoolError, { verb, url }: FailureContext): Explanation {
  const sentence = error.detail
  switch (error.code) {
    case 'NETWORK_EXCEPTION':
      return {
        sentence: `no broker answers at ${url} (${causeOf(error)})`,
        nextStep: 'start one with: spool serve; or say where it is with --url or SPOOL_URL',
      }
    case 'REQUEST_TIMED_OUT':
      return { sentence, nextStep: 'try again, or give it longer with --timeout 2m' }
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return missing(error)
    case 'UNAUTHORIZED':
      return {
        sentence: `the broker at ${url} wants a token: ${sentence}`,
        nextStep: "give the file with the broker's token: --token-file FILE or SPOOL_TOKEN_FILE",
      }
    case 'TOPIC_ALREADY_EXISTS':
      return verb === 'topics create'
        ? { sentence, nextStep: 'to take it as it is: --if-not-exists' }
        : { sentence }
    case 'ROUTE_NOT_FOUND':
      return { sentence, nextStep: `what answers at ${url} may be no broker, or an older one` }
    default:
      return { sentence }
  }
}

/** `there is no topic NAME; …` is how the broker says it; a missing partition is said otherwise. */
function missing({ detail }: SpoolError): Explanation {
  const topic = /^there is no topic ([\w.-]+)/.exec(detail)?.[1]
  if (topic === undefined) return { sentence: detail }
  return {
    sentence: `there is no topic ${topic}`,
    nextStep: `create it with: spool topics create ${topic}; see what there is with: spool topics list`,
  }
}

/** The system's own word for a failed connection, such as ECONNREFUSED, in words where we have them. */
function causeOf(error: SpoolError): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException
    if (at !== error && typeof code === 'string') return CAUSES[code] ?? code
  }
  return error.detail
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host can not be looked up now',
  EHOSTUNREACH: 'the host can not be reached',
  ENETUNREACH: 'the network can not be reached',
  ETIMEDOUT: 'connecting took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  UND_ERR_SOCKET: 'the connection was cut',
}
