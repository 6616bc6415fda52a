/** Committing over HTTP, by token or by offset, and going back or forward. */

import type { FastifyInstance } from 'fastify'
import { SpoolError, withOutcome } from '../../../client/api/errors.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { CommitOffsets, ResetReply } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type * as groups from '../../groups/group-event.ts'
import { decodeToken } from '../../groups/tokens.ts'
import { addRoute } from '../add-route.ts'
import { endOf, endOfToken } from '../groups/assignment.ts'
import { commitReply } from '../groups/commit-reply.ts'
import { listLimits } from '../groups/document-limits.ts'
import { resetTargets } from '../groups/reset-targets.ts'

export function registerGroupCommits(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.commitTokens, {
    appends: true,
    handle: async ({ params: { group }, body }) => {
      const tokens = body.tokens
        .map((token, index) => decodeToken(group, token, `tokens[${index}]`))
        .map((token) => ({ ...token, ...endOfToken(context, token) }))
      const reply = await context.groups.run(group, {
        kind: 'commitTokens',
        tokens,
      })
      return { document: commitReply(reply.results) }
    },
  })
  addRoute(app, context, ROUTES.commitOffsets, {
    appends: true,
    handle: async ({ params: { group }, body }) => {
      const member = memberOf(body)
      const reply = await context.groups.run(group, {
        kind: 'commitOffsets',
        ...(member === undefined ? {} : { member }),
        offsets: body.offsets.map((each) => ({ ...each, ...endOf(context, each) })),
        isCumulative: body.cumulative === true,
      })
      return { document: commitReply(reply.results) }
    },
  })
  addRoute(app, context, ROUTES.resetOffsets, {
    appends: true,
    limits: listLimits(context),
    handle: async ({ params: { group }, body }) => {
      const targets = await resetTargets(context, group, body).catch((error) => {
        throw withOutcome(error, 'refused')
      })
      const dryRun = body.dryRun === true
      const reply = await context.groups.run(group, { kind: 'reset', targets, dryRun })
      return { document: resetDocument(group, dryRun, reply) }
    },
  })
}

function memberOf({ memberId, memberEpoch }: CommitOffsets) {
  if (memberId === undefined && memberEpoch === undefined) return undefined
  if (memberId === undefined || memberEpoch === undefined) {
    const [field, other] =
      memberId === undefined ? ['memberId', 'memberEpoch'] : ['memberEpoch', 'memberId']
    throw new SpoolError('INVALID_REQUEST', `field ${field} is missing: it goes with ${other}`, {
      outcome: 'refused',
      extensions: { field },
    })
  }
  return { memberId, memberEpoch }
}

function resetDocument(groupId: string, dryRun: boolean, reply: groups.ResetReply): ResetReply {
  const { partitions, recordsAgain } = reply
  const place = (offset: 'from' | 'to') => (each: groups.ResetPartition) => ({
    topic: each.topic,
    partition: each.partition,
    offset: each[offset],
  })
  return {
    groupId,
    dryRun,
    from: partitions.map(place('from')),
    to: partitions.map(place('to')),
    partitions: partitions.map(({ clamped, ...each }) => ({
      ...each,
      ...(clamped ? { clamped } : {}),
    })),
    recordsAgain,
  }
}
