/**
 * Where things are in a topic's partitions: which offset a position means, and trimming the start.
 */

import type { FastifyInstance } from 'fastify'
import { ApiError } from '../../../client/api/errors.ts'
import { type Position, parsePosition, positionTime } from '../../../client/api/positions.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { TopicOffsets } from '../../../client/api/schemas/topics.ts'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import { refuseInternalTopic } from '../../topics/topic-name.ts'
import { addRoute } from '../add-route.ts'

export function registerOffsets(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.topicOffsets, {
    handle: async ({ params, query }) => {
      const position = parsePosition(query.at, 'query parameter at')
      const topic = context.topics.require(params.topic)
      if (position.kind === 'offset' && topic.partitions > 1) {
        throw new ApiError(
          'INVALID_REQUEST',
          `at=${query.at}: topic ${topic.name} has ${topic.partitions} partitions, and an offset means a record of one only`,
        )
      }
      const partitions: TopicOffsets['partitions'] = []
      for (let number = 0; number < topic.partitions; number++) {
        const partition = context.replicas.partition(topic.name, number)
        partitions.push(await resolve(partition, position, context.clock.now()))
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

/**
 * The offset a position means now, in [logStartOffset, highWatermark]. A time without a record at or
 * after it means the high watermark. Throws OFFSET_OUT_OF_RANGE for an offset outside.
 */
async function resolve(
  partition: Partition,
  position: Position,
  now: number,
): Promise<TopicOffsets['partitions'][number]> {
  const { partition: number, logStartOffset, highWatermark } = partition
  const place = { partition: number, logStartOffset, highWatermark }
  const time = positionTime(position, now)
  if (time !== undefined) {
    const found = await partition.offsetForTime(time)
    return found === undefined
      ? { ...place, offset: highWatermark }
      : { ...place, offset: found.offset, timestamp: found.timestamp }
  }
  if (position.kind === 'earliest') return { ...place, offset: logStartOffset }
  if (position.kind === 'last') {
    return { ...place, offset: Math.max(logStartOffset, highWatermark - position.count) }
  }
  if (position.kind !== 'offset') return { ...place, offset: highWatermark }
  if (position.offset >= logStartOffset && position.offset <= highWatermark) {
    return { ...place, offset: position.offset }
  }
  throw new ApiError(
    'OFFSET_OUT_OF_RANGE',
    `partition ${number} has offsets from ${logStartOffset} to before ${highWatermark}, not ${position.offset}`,
    { extensions: { logStartOffset, highWatermark } },
  )
}
