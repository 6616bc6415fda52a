/**
 * Where a poll goes on: which places of the token it came with (`after`) are still good. The rule is that of
 * commits: the member has had the partition ever since the token was given. What was another's meanwhile, or
 * was rewound, goes on at what is committed.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { MemberReply } from '../../groups/group-event.ts'
import { epochOf } from '../../groups/partition-epochs.ts'
import { placeKey } from '../../groups/place-key.ts'
import type { PollToken } from './poll-token.ts'

/** `topic id/partition` → the next offset to read, for what the token is good for. */
export type PlacesReached = ReadonlyMap<string, number>

export const POLL_AGAIN = 'poll without after, and begin at what is committed'

/**
 * @throws SpoolError FENCED_MEMBER_EPOCH when the member has partitions of the token, and none of them since
 * then: the group was rewound, and whoever polls must know that its records come again.
 */
export function placesReached(after: PollToken | undefined, member: MemberReply): PlacesReached {
  const reached = new Map<string, number>()
  if (after === undefined) return reached
  const { memberId, memberEpoch, assignmentEpochs } = member
  if (after.memberEpoch > memberEpoch) {
    throw fenced(
      `its epoch ${after.memberEpoch} is beyond that of member ${memberId}, ${memberEpoch}`,
    )
  }
  let lost = 0
  for (const { topicId, partition, offset } of after.places) {
    const since = epochOf(assignmentEpochs, topicId, partition)
    if (since === undefined) continue
    if (since <= after.memberEpoch) reached.set(placeKey({ topicId, partition }), offset)
    else lost++
  }
  if (lost > 0 && reached.size === 0) {
    throw fenced(
      `its epoch is ${after.memberEpoch}, from before what member ${memberId} has now came to it; since then the group was rewound, or others had it`,
    )
  }
  return reached
}

function fenced(why: string): SpoolError {
  return new SpoolError(
    'FENCED_MEMBER_EPOCH',
    `field after is of no use any more: ${why}; ${POLL_AGAIN}`,
    {
      extensions: { field: 'after' },
    },
  )
}
