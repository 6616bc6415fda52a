/**
 * Every module of routes, in one list. A module puts its routes on the server through `addRoute`:
 *
 *     export function registerTopics(app: FastifyInstance, context: BrokerContext): void {
 *       addRoute(app, context, ROUTES.createTopic, {
 *         before: ({ params }) => …,            // from the head alone, before 100 Continue
 *         handle: async ({ params, query, body }) => ({ status: 201, document: … }),
 *       })
 *     }
 *
 * A route whose body is a `stream` finds it untouched in `request.raw`.
 */

import type { FastifyInstance } from 'fastify'
import type { BrokerContext } from '../context.ts'
import { registerCluster } from './routes/cluster.ts'
import { registerGroups } from './routes/groups.ts'
import { registerGroupCommits } from './routes/groups-commits.ts'
import { registerGroupMembers } from './routes/groups-members.ts'
import { registerGroupPoll } from './routes/groups-poll.ts'
import { registerGroupStream } from './routes/groups-stream.ts'
import { registerHealth } from './routes/health.ts'
import { registerMetrics } from './routes/metrics.ts'
import { registerOffsets } from './routes/offsets.ts'
import { registerOpenApi } from './routes/openapi.ts'
import { registerProducers } from './routes/producers.ts'
import { registerBatches } from './routes/records-batches.ts'
import { registerReadOne } from './routes/records-one.ts'
import { registerProduce } from './routes/records-produce.ts'
import { registerRead } from './routes/records-read.ts'
import { registerTopics } from './routes/topics.ts'
import { registerWelcome } from './routes/welcome.ts'

const MODULES: readonly ((app: FastifyInstance, context: BrokerContext) => void)[] = [
  registerTopics,
  registerOffsets,
  registerProducers,
  registerProduce,
  registerBatches,
  registerRead,
  registerReadOne,
  registerGroups,
  registerGroupMembers,
  registerGroupCommits,
  registerGroupPoll,
  registerGroupStream,
  registerCluster,
  registerHealth,
  registerMetrics,
  registerOpenApi,
  registerWelcome,
]

export function registerRoutes(app: FastifyInstance, context: BrokerContext): void {
  for (const register of MODULES) register(app, context)
}
