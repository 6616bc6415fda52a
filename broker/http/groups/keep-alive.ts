/**
 * While a request waits on behalf of a member, the member is there: its session is kept alive, and the wait
 * ends when the group has something new for it. Owns the timer and the signal; the wait is its caller's.
 */

import type { Timer } from '../../../storage/clock.ts'
import type { BrokerContext } from '../../context.ts'
import type { MemberReply } from '../../groups/group-event.ts'

export interface Lease {
  /** Aborted when the member should look again: the group moved, it is a member no more, or `signal` says so. */
  readonly signal: AbortSignal
  end(): void
}

/** The shortest session allowed has so many of our signs of life in it. */
const SIGNS_PER_SESSION = 3

/** How often the broker heartbeats for a member that a request of its waits for. */
export function signOfLifeMs(
  { settings }: Pick<BrokerContext, 'settings'>,
  { heartbeatIntervalMs }: Pick<MemberReply, 'heartbeatIntervalMs'>,
): number {
  return Math.min(heartbeatIntervalMs, settings.groupSessionMsMin / SIGNS_PER_SESSION)
}

export function keepAlive(
  context: BrokerContext,
  groupId: string,
  member: MemberReply,
  signal: AbortSignal,
): Lease {
  const { groups, clock } = context
  const { memberId, memberEpoch } = member
  const wake = new AbortController()
  const everyMs = signOfLifeMs(context, member)
  let timer: Timer | undefined
  const beat = () => {
    timer = clock.after(everyMs, () => {
      groups
        .run(groupId, { kind: 'heartbeat', memberId, memberEpoch, owned: null })
        .then((reply) => {
          // The wait may have ended while the answer was on its way: nobody is there any more.
          if (wake.signal.aborted) return
          if (reply.isChanged || reply.memberEpoch !== memberEpoch) end()
          else beat()
        }, end)
    })
  }
  const end = () => {
    timer?.cancel()
    wake.abort()
  }
  const unsubscribe = groups.subscribe(groupId, memberId, end)
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  else beat()
  return {
    signal: wake.signal,
    end() {
      unsubscribe()
      signal.removeEventListener('abort', end)
      end()
    },
  }
}
