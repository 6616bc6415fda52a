/** What became of commits: a document where all were taken, an error that lists them where some were not. */

import { SpoolError } from '../../../client/api/errors.ts'
import type { CommitReply, CommittedOffset } from '../../../client/api/schemas/groups.ts'
import type { CommitResult } from '../../groups/group-event.ts'

/**
 * The reply. Throws SpoolError of the first refusal, `partial` where others were taken, with `offsets`: what
 * became of each, in the order of the request.
 */
export function commitReply(results: readonly CommitResult[]): CommitReply {
  const failed = results.filter(({ error }) => error !== undefined)
  const [first] = failed
  if (first?.error === undefined) return { offsets: results.map(committed) }
  const { code, detail } = first.error
  const isPartial = failed.length < results.length
  throw new SpoolError(
    code,
    failed.length === 1
      ? detail
      : `${failed.length} of ${results.length} commits are refused; the first: ${detail}`,
    {
      outcome: isPartial ? 'partial' : 'refused',
      extensions: { offsets: results.map(refusedOrCommitted) },
    },
  )
}

/** A topic that is gone has no name any more. */
function refusedOrCommitted(result: CommitResult) {
  const { topic, ...rest } = committed(result)
  return topic === '' ? { topicId: result.topicId, ...rest } : { topic, ...rest }
}

function committed({ topic, partition, offset, error }: CommitResult): CommittedOffset {
  return {
    topic,
    partition,
    ...(offset < 0 ? {} : { offset }),
    ...(error === undefined ? {} : { error }),
  }
}
