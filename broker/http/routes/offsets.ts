/**
 * Where things are in a topic's partitions: which offset a position means, and trimming the start.
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { TopicOffsets } from '../../../client/api/schemas/topics.ts'
import type { BrokerContext } from '../../context.ts'
import { refuseInternalTopic } from '../../topics/topic-name.ts'
import { addRoute } from '../add-route.ts'
import { positionOf, resolvePosition } from '../resolve-position.ts'

export function registerOffsets(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.topicOffsets, {
    handle: async ({ params, query }) => {
      const position = positionOf(query.at, 'query parameter', 'at')
      const topic = context.topics.require(params.topic)
      if (position.kind === 'offset' && topic.partitions > 1) {
        throw new SpoolError(
          'INVALID_REQUEST',
          `at=${query.at}: topic ${topic.name} has ${topic.partitions} partitions, and an offset means a record of one only`,
        )
      }
      const partitions: TopicOffsets['partitions'] = []
      for (let number = 0; number < topic.partitions; number++) {
        const partition = context.replicas.partition(topic.name, number)
        const found = await resolvePosition(partition, position, context.clock.now())
        const { logStartOffset, highWatermark } = partition
        partitions.push({ partition: number, logStartOffset, highWatermark, ...found })
      }
      return { document: { topic: topic.name, topicId: topic.topicId, partitions } }
    },
  })
  addRoute(app, context, ROUTES.deleteRecords, {
    handle: async ({ params, query }) => {
      const { topic } = params
      refuseInternalTopic(topic)
      const partition = context.replicas.partition(topic, params.partition)
      const logStartOffset = await partition.deletePrefix(query.before)
      return { document: { topic, partition: params.partition, logStartOffset } }
    },
  })
}
