/** Being a member of a group over HTTP: join, be looked at, heartbeat, leave. */

import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { HeartbeatReply } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { MemberReply } from '../../groups/group-event.ts'
import { unknownMember } from '../../groups/group-refusals.ts'
import { addRoute } from '../add-route.ts'
import { assignmentOf, ownedOf } from '../groups/assignment.ts'
import { checkPartitionCount, listLimits } from '../groups/document-limits.ts'
import { memberDetails, startAt } from '../groups/joining.ts'
import { memberDescription } from '../groups/member-description.ts'

export function registerGroupMembers(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.joinGroup, {
    handle: async ({ params: { group }, body, request }) => {
      const details = memberDetails(body, request)
      const joined = await context.groups.run(group, {
        kind: 'join',
        memberId: body.memberId ?? randomUUID(),
        ...(body.instanceId === undefined ? {} : { instanceId: body.instanceId }),
        details,
        ...(await startAt(context, group, body)),
      })
      const document = {
        ...(await memberDocument(context, group, joined)),
        sessionTimeoutMs: body.sessionTimeoutMs ?? context.settings.groupSessionMs,
      }
      const path = `/v1/groups/${encodeURIComponent(group)}/members/${encodeURIComponent(joined.memberId)}`
      return { status: 201, headers: { location: path }, document }
    },
  })
  addRoute(app, context, ROUTES.describeMember, {
    handle: async ({ params: { group, memberId } }) => {
      const { members } = await context.groups.describe(group)
      const member = members.find((each) => each.memberId === memberId)
      if (member === undefined) throw unknownMember(group, memberId)
      return { document: memberDescription(member) }
    },
  })
  addRoute(app, context, ROUTES.heartbeat, {
    limits: listLimits(context),
    handle: async ({ params: { group, memberId }, body: { memberEpoch, owned } }) => {
      checkPartitionCount(context, 'owned', owned?.length ?? 0)
      const reply = await context.groups.run(group, {
        kind: 'heartbeat',
        memberId,
        memberEpoch,
        owned: owned === undefined ? null : ownedOf(context, owned),
      })
      return { document: await memberDocument(context, group, reply) }
    },
  })
  addRoute(app, context, ROUTES.leaveGroup, {
    handle: async ({ params: { group, memberId }, query }) => {
      const isTemporary = query.temporary === true
      await context.groups.run(group, { kind: 'leave', memberId, isTemporary })
      return { status: 204 }
    },
  })
}

async function memberDocument(
  context: BrokerContext,
  group: string,
  { memberId, memberEpoch, heartbeatIntervalMs, assignment }: MemberReply,
): Promise<HeartbeatReply> {
  return {
    memberId,
    memberEpoch,
    heartbeatIntervalMs,
    assignment: await assignmentOf(context, group, assignment),
  }
}
