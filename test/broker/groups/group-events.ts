/** Events of members as the suites of the machine send them, and what it says when it refuses one. */

import type { GroupEvent, JoinEvent } from '../../../broker/groups/group-event.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { GroupRig } from './group-rig.ts'

export function join(memberId: string, fields: Partial<JoinEvent> = {}): JoinEvent {
  return { kind: 'join', memberId, details: { topics: ['orders'] }, ...fields }
}

export function rigWith(partitions: number, ...members: readonly string[]): GroupRig {
  const rig = new GroupRig()
  rig.createTopic('orders', partitions)
  for (const memberId of members) rig.do(join(memberId))
  return rig
}

export function refusalOf(rig: GroupRig, event: GroupEvent): SpoolError {
  try {
    rig.group.handle(event, rig.moment)
  } catch (error) {
    if (error instanceof SpoolError) return error
    throw error
  }
  throw new Error(`${event.kind} was not refused`)
}

export const beat = (
  memberId: string,
  memberEpoch: number,
  partitions: readonly number[] | null,
  rig: GroupRig,
) =>
  ({
    kind: 'heartbeat',
    memberId,
    memberEpoch,
    owned: partitions && [{ topicId: rig.topics.byName('orders')!.topicId, partitions }],
  }) as const
