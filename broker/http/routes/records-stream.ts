/**
 * Sends records as a stream, of one partition or of a whole topic: NDJSON or events. The stream itself is
 * `../streams/`.
 */

import type { FastifyInstance } from 'fastify'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import type { Answer } from '../add-route.ts'
import type { ReadCall } from '../records/reading.ts'
import { streamPlan } from '../streams/plan.ts'
import { StreamPlaces } from '../streams/stream-places.ts'

/** Sends the stream; resolves when it is over. Rejects, with nothing sent, with a SpoolError. */
export async function sendStream(
  app: FastifyInstance,
  { replicas, clock }: BrokerContext,
  call: ReadCall,
  where: { readonly partitions: readonly Partition[]; readonly isTopic: boolean },
  lastEventId: string | undefined,
): Promise<Answer | undefined> {
  const plan = streamPlan(call.query, call.answerType, lastEventId)
  if (plan.isAfterEnd) {
    where.partitions[0]!.checkTopicId(plan.cursor!.topicId)
    return { status: 204 }
  }
  await app.face.streams.send({
    manner: plan,
    reply: call.reply,
    begin: (surroundings, signal) =>
      StreamPlaces.begin({ plan, replicas, clock, surroundings, signal, ...where }),
  })
  return undefined
}
