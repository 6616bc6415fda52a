/** Work that nobody needs once its client went away or the broker stops: a signal that says so. */

import type { ServerResponse } from 'node:http'

/** Runs `work` with a signal aborted when the connection of `response` ends or `closing` is aborted. */
export async function untilGone<Result>(
  response: ServerResponse,
  closing: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const gone = new AbortController()
  const abort = () => gone.abort()
  response.on('close', abort)
  closing.addEventListener('abort', abort)
  if (closing.aborted) abort()
  try {
    return await work(gone.signal)
  } finally {
    response.off('close', abort)
    closing.removeEventListener('abort', abort)
  }
}
