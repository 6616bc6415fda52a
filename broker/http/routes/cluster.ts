/** The cluster as its metadata has it. URLs are those brokers advertise, never what a client sent. */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { addRoute } from '../add-route.ts'

export function registerCluster(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.cluster, {
    handle: () => {
      const { clusterId, controllerId, brokers } = context.clusterImage()
      const list = [...brokers.values()].sort((a, b) => a.nodeId - b.nodeId)
      return {
        document: {
          clusterId,
          controllerId,
          brokers: list.map(({ nodeId, url }) => ({ brokerId: nodeId, url })),
        },
      }
    },
  })
}
