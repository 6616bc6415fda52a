/** A worker by polling: one request at a time, nothing to keep open (`groups/poll.ts`). */

import type { FastifyInstance } from 'fastify'
import { JSON_TYPE } from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import { PAGE_LIMIT_DEFAULT } from '../../../client/api/schemas/records.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'
import { pollLimits } from '../groups/document-limits.ts'
import { poll, pollTokenOf } from '../groups/poll.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { indentJson } from '../records/indent-json.ts'
import { RawReply } from '../records/raw-reply.ts'
import { recordFilter } from '../records/record-filter.ts'
import { untilGone } from '../records/until-gone.ts'

export function registerGroupPoll(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.poll, {
    limits: pollLimits(context),
    handle: async ({ params, query, body, reply }) => {
      const member = { groupId: params.group, memberId: params.memberId }
      const owner = { ...member, placesMax: context.settings.partitionsMax }
      const request = {
        ...member,
        after: pollTokenOf(body.after, 'after', owner),
        commit: pollTokenOf(body.commit, 'commit', owner),
        limit: body.limit ?? PAGE_LIMIT_DEFAULT,
        waitMs: body.waitMs ?? 0,
        as: body.as ?? 'auto',
        filter: recordFilter(body, 'field'),
      }
      const held = new HeldBytes(app.face.queuedBytes)
      try {
        const page = await untilGone(reply.raw, app.face.closing, (signal) =>
          poll(request, { context, signal, hold: (bytes) => held.resize(bytes) }),
        )
        const payload = query.pretty === true ? Buffer.from(indentJson(page.toString())) : page
        held.resize(payload.length)
        const headers = { 'content-type': JSON_TYPE, 'content-length': payload.length }
        const { streamStalledMsMax: stalledMsMax } = context.settings
        const raw = { stalledMsMax, isClosing: app.face.closing.aborted }
        await new RawReply(reply, 200, headers, raw).endWith([payload])
      } finally {
        held.release()
      }
      return undefined
    },
  })
}
