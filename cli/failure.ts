/**
 * What a person is told when a verb failed: one sentence, beginning with the command, and under it the
 * next step where one is known. With `--json` the same as a problem document on stderr. Owns the way from
 * an error to an exit code; prints nothing on stdout.
 */

import { SpoolError, toProblem } from '../client/api/errors.ts'
import { CommandError } from './command-error.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { isInterrupted } from './interruption.ts'
import { printable } from './printable.ts'
import { UsageError } from './usage-error.ts'

export interface FailureContext {
  /** Such as `topics create`; empty for `spool` itself. */
  readonly verb: string
  readonly isJson: boolean
  /** Where the broker was looked for. */
  readonly url: string
  /** What a command to type next needs to reach the same broker: ` -b URL`, or nothing. */
  readonly flagsToRepeat: string
}

/** Prints the failure to stderr; the exit code. Throws again what is a fault of ours. */
export function reportFailure(error: unknown, context: FailureContext): ExitCode {
  if (error instanceof UsageError) {
    printUsageProblem(context, error.message)
    return error.exitCode
  }
  if (error instanceof CommandError) {
    const { message, nextStep, exitCode, cause } = error
    const problem = cause instanceof SpoolError ? toProblem(cause) : failedProblem(message)
    printFailure(context, { sentence: inWordsOfTheCommandLine(message), nextStep }, problem)
    return exitCode
  }
  if (isInterrupted() && isAbort(error)) return exitCodes.interrupted
  if (error instanceof SpoolError) {
    printFailure(context, explained(error, context), toProblem(error))
    return exitCodeOf(error)
  }
  if (isOfTheSystem(error)) {
    printFailure(context, { sentence: error.message }, failedProblem(error.message))
    return exitCodes.failed
  }
  throw error
}

/** A command that was typed wrong; it never reached a broker. */
export function printUsageProblem(
  context: Pick<FailureContext, 'verb' | 'isJson'>,
  sentence: string,
): void {
  const name = ['spool', context.verb].join(' ').trim()
  const nextStep = `${name} --help shows what it takes`
  printFailure(
    context,
    { sentence, nextStep },
    ownProblem('USAGE', 'The command is not valid', sentence),
  )
}

function failedProblem(detail: string): Readonly<Record<string, unknown>> {
  return ownProblem('FAILED', 'The command failed', detail)
}

/** A problem document for what no broker said. */
function ownProblem(
  code: string,
  title: string,
  detail: string,
): Readonly<Record<string, unknown>> {
  return { type: `urn:spool:problem:${code}`, title, code, detail, retriable: false }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** A file that may not be read, a disk that is full: the system's own sentence says it. */
function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

interface Explanation {
  readonly sentence: string
  readonly nextStep?: string | undefined
}

function printFailure(
  { verb, isJson }: Pick<FailureContext, 'verb' | 'isJson'>,
  { sentence, nextStep }: Explanation,
  problem: Readonly<Record<string, unknown>>,
): void {
  if (isJson) {
    const document = { verb, ...problem, ...(nextStep === undefined ? {} : { nextStep }) }
    process.stderr.write(`${JSON.stringify(document)}\n`)
    return
  }
  const name = ['spool', verb].join(' ').trim()
  const lines = [`${name}: ${sentence}`, ...(nextStep === undefined ? [] : [`  ${nextStep}`])]
  // Sentences repeat what was typed and what a broker said.
  process.stderr.write(`${lines.map(printable).join('\n')}\n`)
}

/** Codes that mean "nobody is there to ask", now or in time. */
const UNREACHABLE = new Set<string>([
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'BROKER_NOT_READY',
  'BROKER_STOPPING',
  'COORDINATOR_LOAD_IN_PROGRESS',
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
    case 416:
      return error.code === 'ROUTE_NOT_FOUND' ? exitCodes.failed : exitCodes.notFound
    default:
      return exitCodes.failed
  }
}

/** The broker speaks to programs; a person at a command line is told in commands. */
function explained(error: SpoolError, context: FailureContext): Explanation {
  const { verb, url } = context
  const sentence = inWordsOfTheCommandLine(error.detail)
  switch (error.code) {
    case 'NETWORK_EXCEPTION':
      return {
        sentence: `no broker answers at ${url} (${causeOf(error)})`,
        nextStep: 'start one with: spool serve; or say where it is with --url or SPOOL_URL',
      }
    case 'REQUEST_TIMED_OUT':
      return { sentence, nextStep: 'try again, or give it longer with --timeout 2m' }
    case 'BROKER_NOT_READY':
    case 'BROKER_STOPPING':
    case 'COORDINATOR_LOAD_IN_PROGRESS':
      return { sentence, nextStep: 'try again in a moment' }
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return missing(sentence, context)
    case 'GROUP_ID_NOT_FOUND':
      return missingGroup(sentence, context)
    case 'UNAUTHORIZED':
      return {
        sentence: `the broker at ${url} wants a token: ${sentence}`,
        nextStep: "give the file with the broker's token: --token-file FILE or SPOOL_TOKEN_FILE",
      }
    case 'TOPIC_ALREADY_EXISTS':
      return existing(sentence, context)
    case 'OFFSET_OUT_OF_RANGE':
      return outOfRange(sentence, verb)
    case 'ROUTE_NOT_FOUND':
      return { sentence, nextStep: `what answers at ${url} may be no broker, or an older one` }
    default:
      return { sentence }
  }
}

/** Options and arguments are what was typed, not parameters and fields of a request. */
function inWordsOfTheCommandLine(detail: string): string {
  return detail.replace(/^at=(\S+): /, '--at $1: ').replaceAll(/\bas=(auto|base64)/g, '--as $1')
}

/** `there is no group NAME; …` is how the broker says it. */
function missingGroup(sentence: string, { verb, flagsToRepeat }: FailureContext): Explanation {
  const list = `see what there is with: spool groups list${flagsToRepeat}`
  return {
    sentence: sentence.replace(/; a group begins .*$/, ''),
    nextStep: verb === 'groups delete' ? `${list}; if that is fine: --if-exists` : list,
  }
}

/** Those that read say where from, each in its own word. */
function outOfRange(sentence: string, verb: string): Explanation {
  const option = { consume: '-o', replay: '--from' }[verb]
  if (option === undefined) return { sentence }
  const nextStep = `begin elsewhere with ${option}, or add: --out-of-range earliest`
  return { sentence, nextStep }
}

/** `topic NAME exists already`, or `topic NAME exists, but …` where it is not as it was asked for. */
function existing(sentence: string, { flagsToRepeat }: FailureContext): Explanation {
  const topic = /^topic ([\w.-]+) exists, but/.exec(sentence)?.[1]
  return topic === undefined
    ? { sentence, nextStep: 'to take it as it is: --if-not-exists' }
    : { sentence, nextStep: `see how it is with: spool topics describe ${topic}${flagsToRepeat}` }
}

/** `there is no topic NAME; …` is how the broker says it; a missing partition is said otherwise. */
function missing(sentence: string, { verb, flagsToRepeat }: FailureContext): Explanation {
  const topic = /^there is no topic ([\w.-]+)/.exec(sentence)?.[1]
  if (topic === undefined) return { sentence }
  const list = `spool topics list${flagsToRepeat}`
  const isToBeDeleted = verb === 'topics delete'
  return {
    sentence: `there is no topic ${topic}`,
    nextStep: isToBeDeleted
      ? `see what there is with: ${list}; if that is fine: --if-exists`
      : `create it with: spool topics create ${topic}${flagsToRepeat}; see what there is with: ${list}`,
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
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there speaks no TLS: http:// instead of https://',
}
