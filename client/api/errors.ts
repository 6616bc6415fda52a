/**
 * How an error travels: `SpoolError` is what the broker throws and what the client throws again, and the
 * problem document (RFC 9457) is what it looks like over HTTP. Numbers and statuses come from the one
 * table in `error-table.ts`. Nothing here sends anything.
 */

import { ERRORS, type ErrorCode, type ErrorRow, isErrorCode } from './error-table.ts'

export { ERRORS, type ErrorCode, type ErrorRow, isErrorCode }

/**
 * What became of a failed write: `refused`, not in the log and never will be; `unknown`, may or may not
 * be there; `partial`, some of it is (the problem's `offsets` say which).
 */
export type FailureOutcome = 'refused' | 'unknown' | 'partial'

export interface SpoolErrorOptions {
  readonly outcome?: FailureOutcome
  /** Further members of the problem document, such as `errors` or `logStartOffset`. */
  readonly extensions?: Readonly<Record<string, unknown>>
  /** Seconds after which to try again; becomes `Retry-After`. */
  readonly retryAfterS?: number
  /** Further headers of an HTTP answer, such as `allow`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error with a name of the table. `detail` gives the values that matter and what to do. */
export class SpoolError extends Error {
  readonly code: ErrorCode
  readonly detail: string
  readonly outcome: FailureOutcome | undefined
  readonly extensions: Readonly<Record<string, unknown>>
  readonly retryAfterS: number | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, detail: string, options: SpoolErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SpoolError'
    this.code = code
    this.detail = detail
    this.outcome = options.outcome
    this.extensions = options.extensions ?? {}
    this.retryAfterS = options.retryAfterS
    this.headers = options.headers ?? {}
  }

  get httpStatus(): number {
    return ERRORS[this.code].httpStatus
  }

  get kafkaCode(): number {
    return ERRORS[this.code].kafkaCode
  }

  get retriable(): boolean {
    return ERRORS[this.code].retriable
  }
}

/** `application/problem+json`, RFC 9457, with our members beside the standard ones. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly retriable: boolean
  readonly outcome?: FailureOutcome
  readonly [extension: string]: unknown
}

/** The problem document of an error. The fixed members win over extensions of the same name. */
export function toProblem(error: SpoolError): ProblemDocument {
  const { httpStatus, retriable, title } = ERRORS[error.code]
  return {
    type: `urn:spool:problem:${error.code}`,
    title,
    status: httpStatus,
    code: error.code,
    detail: error.detail,
    retriable,
    ...(error.outcome === undefined ? {} : { outcome: error.outcome }),
    ...withoutFixedMembers(error.extensions),
  }
}

const FIXED_MEMBERS = new Set(['type', 'title', 'status', 'code', 'detail', 'retriable', 'outcome'])

function withoutFixedMembers(extensions: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(extensions).filter(([name]) => !FIXED_MEMBERS.has(name)))
}

/** The shape of the log engine's error, told by structure: this room does not import the engine. */
interface StorageErrorLike {
  readonly code: string
  readonly message: string
  readonly outcome?: FailureOutcome | undefined
  readonly values?: Readonly<Record<string, number | string>>
}

function isStorageErrorLike(error: unknown): error is Error & StorageErrorLike {
  return (
    error instanceof Error && error.name === 'StorageError' && 'code' in error && 'values' in error
  )
}

/**
 * Turns whatever was thrown into an `SpoolError`. The log engine's errors keep their code, message and
 * values; anything else is `UNKNOWN_SERVER_ERROR` with a fixed sentence: its own message may name
 * paths or secrets and stays in `cause`, for the log.
 */
export function spoolErrorFrom(error: unknown): SpoolError {
  if (error instanceof SpoolError) return error
  if (isStorageErrorLike(error) && isErrorCode(error.code)) {
    return new SpoolError(error.code, error.message, {
      ...(error.outcome === undefined ? {} : { outcome: error.outcome }),
      extensions: error.values ?? {},
      ...(ERRORS[error.code].httpStatus === 503 ? { retryAfterS: 1 } : {}),
      cause: error,
    })
  }
  return new SpoolError(
    'UNKNOWN_SERVER_ERROR',
    'the broker failed while it handled this request; its log says why',
    { cause: error },
  )
}

/**
 * Reads a problem document back, as a client gets it, with the seconds of its answer's `Retry-After`.
 * Unknown codes become `UNKNOWN_SERVER_ERROR`.
 */
export function spoolErrorFromProblem(
  problem: Readonly<Record<string, unknown>>,
  retryAfterS?: number,
): SpoolError {
  const { code, detail, outcome, title, ...rest } = problem
  return new SpoolError(
    isErrorCode(code) ? code : 'UNKNOWN_SERVER_ERROR',
    String(detail ?? title ?? 'no detail was given'),
    {
      ...(outcome === 'refused' || outcome === 'unknown' || outcome === 'partial'
        ? { outcome }
        : {}),
      ...(retryAfterS === undefined ? {} : { retryAfterS }),
      extensions: withoutFixedMembers(rest),
    },
  )
}

/** The error as an SpoolError that says an outcome: its own, or `outcome`. */
export function withOutcome(thrown: unknown, outcome: FailureOutcome): SpoolError {
  const error = spoolErrorFrom(thrown)
  if (error.outcome !== undefined) return error
  const { code, detail, extensions, headers, retryAfterS, cause } = error
  return new SpoolError(code, detail, {
    outcome,
    extensions,
    headers,
    cause,
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  })
}
