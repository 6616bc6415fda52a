/** A member as people see it, in its group's description and by itself. */

import type { MemberDescription } from '../../../client/api/schemas/groups.ts'
import type * as groups from '../../groups/group-event.ts'
import { flat } from './assignment.ts'

export function memberDescription(member: groups.MemberDescription): MemberDescription {
  const { target: _target, assignor: _assignor, assignment, revoking, topics, ...rest } = member
  const places = (of: readonly groups.AssignedTopic[]) =>
    flat(of).map(({ topic, partition }) => ({ topic, partition }))
  return {
    ...rest,
    topics: [...topics],
    assignment: places(assignment),
    revoking: places(revoking),
  }
}
