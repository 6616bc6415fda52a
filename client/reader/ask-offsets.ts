/** Asks the broker which offset a position means in each partition, again and again while it is away. */

import { ROUTES } from '../api/routes.ts'
import type { TopicOffsets } from '../api/schemas/topics.ts'
import type { ClientContext } from '../client-context.ts'
import { offsetsAnswer } from '../offsets-answer.ts'
import { pathOf } from '../paths.ts'
import { retried } from '../retry.ts'

/** `GET /v1/topics/{topic}/offsets`. Rejects with `SpoolError`, or the signal's reason. */
export type AskOffsets = (at: string) => Promise<TopicOffsets>

export function offsetsAsker(
  { transport, settings }: ClientContext,
  topic: string,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): AskOffsets {
  const path = pathOf(ROUTES.topicOffsets, { topic })
  return async (at) => {
    const ask = () => transport.request({ method: 'GET', path, query: { at }, signal })
    const { document } = await retried(ask, { backoff: settings, timeoutMs, signal })
    return offsetsAnswer(document)
  }
}
