/** Ids for producers that append once only. */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerProducers(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.createProducer, {
    handle: async () => ({ status: 201, document: await context.producerIds.next() }),
  })
}
