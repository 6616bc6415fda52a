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
  // One that stands behind others of its connection hears nothing of the connection's end.
  const { socket } = response.req
  socket.on('close', abort)
  response.on('close', abort)
  closing.addEventListener('abort', abort)
  if (closing.aborted || socket.destroyed) abort()
  try {
    return await work(gone.signal)
  } finally {
    socket.off('close', abort)
    response.off('close', abort)
    closing.removeEventListener('abort', abort)
  }
}
