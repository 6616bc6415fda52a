/** Waiting for work that may take too long, or may not matter any more. The work itself goes on. */

import { TIMER_MS_MAX } from '../option-checks.ts'

export const NEVER_MS = Number.POSITIVE_INFINITY

/** Resolves with the work's end, at `endsAtMs`, or when it is aborted, whichever comes first; rejects as the work does. */
export async function within(work: unknown, endsAtMs: number, signal?: AbortSignal): Promise<void> {
  if (work === undefined) return
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const leftMs = Math.max(0, endsAtMs - performance.now())
  const timer =
    endsAtMs === NEVER_MS ? undefined : setTimeout(resolve, Math.min(leftMs, TIMER_MS_MAX))
  const end = () => resolve()
  signal?.addEventListener('abort', end)
  if (signal?.aborted) resolve()
  try {
    await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
}
