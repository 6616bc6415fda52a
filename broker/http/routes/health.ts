/**
 * Whether the process lives, and whether it serves. Open to everyone, so they say nothing else.
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerHealth(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.live, { handle: () => ({ document: { status: 'live' } }) })
  addRoute(app, context, ROUTES.ready, {
    handle: () => {
      if (context.isReady() && !app.face.closing.aborted) return { document: { status: 'ready' } }
      throw new SpoolError('BROKER_NOT_READY', 'the broker is recovering its logs or stopping', {
        retryAfterS: 1,
      })
    },
  })
}
