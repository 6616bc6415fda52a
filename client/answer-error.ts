/**
 * What went wrong, from an HTTP answer that is no success: a problem document of the broker, or whatever
 * something between (a proxy's page, a redirect) answered instead. Pure; every transport uses it.
 */

import type { ErrorCode, FailureOutcome } from './api/errors.ts'
import { SpoolError, spoolErrorFromProblem } from './api/errors.ts'
import { mediaTypeOf, PROBLEM_TYPE } from './api/media-types.ts'

export interface FailedAnswer {
  /** Not 2xx. */
  readonly status: number
  readonly contentType: string | undefined
  readonly retryAfter: string | undefined
  readonly location: string | undefined
  readonly text: string
  /** True for a request that changes something: not knowing its fate is `outcome: 'unknown'`. */
  readonly isWrite: boolean
}

/** Of a stranger's page, enough to recognise it by. */
const TEXT_SHOWN_MAX = 200
/** A broker's sentence is far shorter; whoever poses as one is not to fill a log. */
const DETAIL_CHARACTERS_MAX = 4_096

export function answerError(answer: FailedAnswer): SpoolError {
  const retryAfterS = retryAfterSeconds(answer.retryAfter, Date.now())
  const problem = problemOf(answer)
  if (problem !== undefined) return spoolErrorFromProblem(problem, retryAfterS)
  const { status, location } = answer
  const isRedirect = status >= 300 && status < 400 && location !== undefined
  const detail = isRedirect
    ? `status ${status} leads to ${shown(location)}: redirects are not followed, connect to the broker itself`
    : `status ${status} without a problem document, so not from the broker: ${shown(answer.text) || 'no text'}`
  const code = CODES[status] ?? 'UNKNOWN_SERVER_ERROR'
  const outcome: FailureOutcome | undefined = answer.isWrite
    ? status < 500
      ? 'refused'
      : 'unknown'
    : undefined
  return new SpoolError(code, detail, {
    extensions: { status },
    ...(outcome === undefined ? {} : { outcome }),
    ...(retryAfterS === undefined ? {} : { retryAfterS }),
  })
}

/** What stands between answers these when the broker is away, or when it does not let us through. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHORIZED',
  404: 'ROUTE_NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  408: 'REQUEST_BODY_TIMEOUT',
  413: 'REQUEST_TOO_LARGE',
  429: 'LIMIT_EXCEEDED',
  502: 'NETWORK_EXCEPTION',
  503: 'NETWORK_EXCEPTION',
  504: 'NETWORK_EXCEPTION',
}

function problemOf({ contentType, text }: FailedAnswer): Record<string, unknown> | undefined {
  if (mediaTypeOf(contentType) !== PROBLEM_TYPE) return undefined
  try {
    const problem: unknown = JSON.parse(text)
    if (typeof problem !== 'object' || problem === null || Array.isArray(problem)) return undefined
    const { detail } = problem as { detail?: unknown }
    const isLong = typeof detail === 'string' && detail.length > DETAIL_CHARACTERS_MAX
    return isLong
      ? { ...problem, detail: `${detail.slice(0, DETAIL_CHARACTERS_MAX)}…` }
      : { ...problem }
  } catch {
    return undefined
  }
}

/** The beginning of a text in one line, without what a terminal would obey. */
function shown(text: string): string {
  const start = text.slice(0, TEXT_SHOWN_MAX * 4)
  const line = start.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return line.length > TEXT_SHOWN_MAX ? `${line.slice(0, TEXT_SHOWN_MAX)}…` : line
}

/** Seconds of a `Retry-After`, which is a number of them or a date (RFC 9110, section 10.2.3). */
export function retryAfterSeconds(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1_000))
}
