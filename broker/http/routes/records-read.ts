/**
 * Reading: `GET …/partitions/{p}/records` for one partition, `GET …/topics/{topic}/records` for all of a
 * topic; as a page (`records-page.ts`) or as a stream (`records-stream.ts`), by `Accept`. Reading moves
 * nothing: the client keeps its place.
 */

import type { FastifyInstance } from 'fastify'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import { type Answer, addRoute } from '../add-route.ts'
import { pagePlan } from '../records/read-plan.ts'
import type { ReadCall } from '../records/reading.ts'
import { isStreamType } from '../streams/plan.ts'
import { sendPage } from './records-page.ts'
import { sendStream } from './records-stream.ts'

export function registerRead(app: FastifyInstance, context: BrokerContext): void {
  const read = async (
    call: ReadCall,
    partitions: readonly Partition[],
    isTopic: boolean,
  ): Promise<Answer | undefined> => {
    const { query, answerType, request } = call
    if (query.topicId !== undefined) partitions[0]!.checkTopicId(query.topicId)
    // Node joins headers of one name: this one is never an array.
    const lastEventId = request.headers['last-event-id'] as string | undefined
    if (isStreamType(answerType)) {
      return await sendStream(app, context, call, { partitions, isTopic }, lastEventId)
    }
    const plan = pagePlan(query, lastEventId)
    await sendPage(app, context, { call, partitions, isTopic, plan })
    return undefined
  }

  addRoute(app, context, ROUTES.readPartition, {
    handle: (call) => {
      const { topic, partition } = call.params
      return read(call, [context.replicas.partition(topic, partition)], false)
    },
  })
  addRoute(app, context, ROUTES.readTopic, {
    handle: (call) => read(call, context.replicas.partitionsOf(call.params.topic), true),
  })
}
