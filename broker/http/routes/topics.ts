/**
 * Topics over HTTP: list, create, describe, change, delete. What is allowed and when it is durable is
 * the topic service's; here requests become its calls and topics become documents.
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { TOPIC_LIST_LIMIT_DEFAULT } from '../../../client/api/route-table/topics.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type {
  PartitionDescription,
  TopicDescription,
  TopicSummary,
} from '../../../client/api/schemas/topics.ts'
import { isCompacted } from '../../../storage/config.ts'
import type { BrokerContext } from '../../context.ts'
import type { Topic } from '../../topics/topic.ts'
import { addRoute } from '../add-route.ts'

export function registerTopics(app: FastifyInstance, context: BrokerContext): void {
  registerList(app, context)
  addRoute(app, context, ROUTES.createTopic, {
    handle: async ({ body }) => created(context, await context.topics.create(body)),
  })
  addRoute(app, context, ROUTES.putTopic, {
    handle: async ({ params, body }) => {
      const request = { ...body, name: params.topic }
      const { topic, created: isNew } = await context.topics.createOrConfirm(request)
      return isNew ? created(context, topic) : { document: describe(context, topic) }
    },
  })
  addRoute(app, context, ROUTES.describeTopic, {
    handle: ({ params }) => ({ document: describe(context, context.topics.require(params.topic)) }),
  })
  addRoute(app, context, ROUTES.alterTopic, {
    before: ({ params }) => void context.topics.require(params.topic),
    handle: async ({ params, body }) => {
      if (body.config === undefined && body.partitions === undefined) {
        throw new SpoolError(
          'INVALID_REQUEST',
          'nothing to change: give config, partitions or both',
        )
      }
      return { document: describe(context, await context.topics.alter(params.topic, body)) }
    },
  })
  addRoute(app, context, ROUTES.deleteTopic, {
    handle: async ({ params }) => {
      await context.topics.delete(params.topic)
      return { status: 204 }
    },
  })
}

function registerList(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.listTopics, {
    handle: ({ query }) => {
      const limit = query.limit ?? TOPIC_LIST_LIMIT_DEFAULT
      const internal = query.internal ?? false
      const after = query.after ?? ''
      const rest = context.topics.list({ internal }).filter((topic) => topic.name > after)
      const page = rest.slice(0, limit)
      const last = page.at(-1)
      if (last === undefined || page.length === rest.length) {
        return { document: { topics: page.map(summarize) } }
      }
      // A name needs no escaping in a URL: see TopicName.
      const next = `/v1/topics?after=${last.name}&limit=${limit}${internal ? '&internal=true' : ''}`
      return {
        headers: { link: `<${next}>; rel="next"` },
        document: { topics: page.map(summarize), next: last.name },
      }
    },
  })
}

function created(context: BrokerContext, topic: Topic) {
  return {
    status: 201,
    headers: { location: `/v1/topics/${topic.name}` },
    document: describe(context, topic),
  }
}

function summarize(topic: Topic): TopicSummary {
  const { name, topicId, partitions, replicationFactor, isInternal } = topic
  return { name, topicId, partitions, replicationFactor, isInternal }
}

function describe(context: BrokerContext, topic: Topic): TopicDescription {
  const { name, topicId, replicationFactor, isInternal } = topic
  const settings = context.topics.describeConfig(topic)
  return {
    name,
    topicId,
    replicationFactor,
    isInternal,
    config: Object.fromEntries(
      settings.map(({ key, value, source, sentence }) => [
        key,
        { value, source, description: sentence },
      ]),
    ),
    partitions: Array.from({ length: topic.partitions }, (_, partition) =>
      describePartition(context, name, partition),
    ),
  }
}

/** A partition whose log could not be opened is described too, without offsets. */
function describePartition(
  context: BrokerContext,
  topic: string,
  partition: number,
): PartitionDescription {
  const image = context.clusterImage().partition(topic, partition)
  const place = {
    partition,
    leader: image?.leader ?? -1,
    leaderEpoch: image?.leaderEpoch ?? -1,
    replicas: [...(image?.replicas ?? [])],
    inSyncReplicas: [...(image?.inSyncReplicas ?? [])],
  }
  const served = context.replicas.find(topic, partition)
  if (served === undefined) {
    const unknown = { logStartOffset: null, highWatermark: null, logEndOffset: null }
    return { ...place, isOffline: true, ...unknown, sizeBytes: null }
  }
  const { isOffline, logStartOffset, highWatermark, logEndOffset, sizeBytes } = served
  const known = { ...place, isOffline, logStartOffset, highWatermark, logEndOffset, sizeBytes }
  if (!isCompacted(served.config.log)) return known
  const { dirtyRatio, failure = null } = served.compaction
  return { ...known, compaction: { dirtyRatio, failure } }
}
