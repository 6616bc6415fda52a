/**
 * When to try again, as pure arithmetic: exponential backoff with jitter, the broker's `Retry-After`, and
 * which errors are worth it. `pause` is the one thing here that waits.
 */

import { SpoolError } from './api/errors.ts'

export interface Backoff {
  readonly retryBackoffMs: number
  readonly retryBackoffMsMax: number
}

/** A broker that asks for more patience than this is asked again anyway. */
const RETRY_AFTER_MS_MAX = 30_000

/**
 * How long to wait before the attempt after `failures` failed ones (at least 1). `random` is in [0, 1):
 * between half of the step and the whole of it, so that many clients do not come back together.
 */
export function retryDelayMs(
  failures: number,
  backoff: Backoff,
  random: number,
  error?: SpoolError,
): number {
  const doublings = Math.min(failures - 1, 30)
  const step = Math.min(backoff.retryBackoffMs * 2 ** doublings, backoff.retryBackoffMsMax)
  const jittered = step / 2 + (step / 2) * random
  const askedMs = (error?.retryAfterS ?? 0) * 1_000
  return Math.max(jittered, Math.min(askedMs, RETRY_AFTER_MS_MAX))
}

/**
 * True when the same request may succeed later and it is not for the caller to see to it first: a topic
 * that is missing, or another one now, stays so until somebody makes it.
 */
export function isWorthRetrying(error: SpoolError): boolean {
  if (NEEDS_SOMEBODY.has(error.code)) return false
  return error.retriable
}

const NEEDS_SOMEBODY = new Set<string>([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
])

/** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

export interface RetryOptions {
  readonly backoff: Backoff
  /** No new attempt begins after this long. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `attempt` until it succeeds, fails with an error that is not worth another try, or the time is up:
 * then the last error is thrown. For requests that change nothing.
 */
export async function retried<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const endsAt = performance.now() + options.timeoutMs
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof SpoolError) || !isWorthRetrying(error)) throw error
      const delayMs = retryDelayMs(failures, options.backoff, Math.random(), error)
      if (performance.now() + delayMs >= endsAt) throw error
      await pause(delayMs, options.signal)
    }
  }
}
