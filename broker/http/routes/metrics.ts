/** What Prometheus scrapes. What is counted is `broker/metrics.ts`. */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerMetrics(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.metrics, {
    // A scraper asks for OpenMetrics in versions of its own; the text format is what all of them read.
    choosesType: true,
    handle: async () => ({
      contentType: app.face.metrics.contentType,
      payload: await app.face.metrics.render(),
    }),
  })
}
