/** Consumer groups over HTTP: list, describe, delete, and where they stand. What groups do is `broker/groups/`. */

import type { FastifyInstance } from 'fastify'
import { GROUP_LIST_LIMIT_DEFAULT } from '../../../client/api/route-table/groups.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { GroupDescription, GroupSummary } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { GroupMachine } from '../../groups/group-machine.ts'
import { addRoute } from '../add-route.ts'
import { groupOffsets } from '../groups/group-offsets.ts'
import { memberDescription } from '../groups/member-description.ts'

export function registerGroups(app: FastifyInstance, context: BrokerContext): void {
  registerList(app, context)
  addRoute(app, context, ROUTES.describeGroup, {
    handle: async ({ params }) => {
      const group = await context.groups.describe(params.group)
      const document: GroupDescription = {
        groupId: group.groupId,
        state: group.state,
        epoch: group.groupEpoch,
        assignor: group.assignor,
        members: group.members.map(memberDescription),
        offsets: await groupOffsets(context, group),
      }
      return { document }
    },
  })
  addRoute(app, context, ROUTES.deleteGroup, {
    handle: async ({ params }) => {
      await context.groups.run(params.group, { kind: 'deleteGroup' })
      return { status: 204 }
    },
  })
  addRoute(app, context, ROUTES.groupOffsets, {
    handle: async ({ params, query }) => {
      const group = await context.groups.describe(params.group)
      const offsets = await groupOffsets(context, group, query.topic)
      return { document: { groupId: group.groupId, offsets } }
    },
  })
}

function registerList(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.listGroups, {
    handle: async ({ query }) => {
      const limit = query.limit ?? GROUP_LIST_LIMIT_DEFAULT
      const after = query.after ?? ''
      const { summaries, isWhole } = await context.groups.list((groups) => {
        const rest = groups.filter(({ groupId }) => groupId > after)
        const page = rest.slice(0, limit)
        return {
          summaries: page.map(summarize),
          isWhole: page.length === rest.length,
        }
      })
      const last = summaries.at(-1)
      if (last === undefined || isWhole) return { document: { groups: summaries } }
      const next = `/v1/groups?after=${encodeURIComponent(last.groupId)}&limit=${limit}`
      return {
        headers: { link: `<${next}>; rel="next"` },
        document: { groups: summaries, next: last.groupId },
      }
    },
  })
}

function summarize({ groupId, state, memberCount, epoch }: GroupMachine): GroupSummary {
  return { groupId, state, members: memberCount, epoch }
}
