/**
 * Reading: `GET …/partitions/{p}/records` for one partition, `GET …/topics/{topic}/records` for all of a
 * topic; as a page (`records-page.ts`) or as a stream, by `Accept`. Reading moves nothing: the client
 * keeps its place.
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { EVENT_STREAM_TYPE, NDJSON_TYPE } from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import { addRoute } from '../add-route.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { sendNdjson } from '../records/ndjson-stream.ts'
import { readPlan } from '../records/read-plan.ts'
import type { ReadCall, Reading } from '../records/reading.ts'
import { untilGone } from '../records/until-gone.ts'
import { sendPage } from './records-page.ts'

export function registerRead(app: FastifyInstance, context: BrokerContext): void {
  const read = async (
    call: ReadCall,
    partitions: readonly Partition[],
    isTopic: boolean,
  ): Promise<undefined> => {
    const { query, answerType, request } = call
    if (query.topicId !== undefined) partitions[0]!.checkTopicId(query.topicId)
    const isStream = answerType === NDJSON_TYPE
    if (answerType === EVENT_STREAM_TYPE || (isStream && isTopic)) throw laterStream(answerType)
    // Node joins headers of one name: this one is never an array.
    const lastEventId = request.headers['last-event-id'] as string | undefined
    const plan = readPlan(query, isStream, lastEventId)
    const reading = { call, partitions, isTopic, plan }
    await (isStream ? sendStream(app, context, reading) : sendPage(app, context, reading))
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

async function sendStream(
  app: FastifyInstance,
  { settings, clock }: BrokerContext,
  { call: { reply }, partitions, plan }: Reading,
): Promise<void> {
  const maxDecompressedBytes = settings.decompressedBytesMax
  const raw = { stalledMsMax: settings.streamStalledMsMax, isClosing: app.face.closing.aborted }
  const partition = partitions[0]!
  const free = app.face.waiting.take()
  const held = new HeldBytes(app.face.queuedBytes)
  const hold = (bytes: number) => held.resize(bytes)
  try {
    await untilGone(reply.raw, app.face.closing, (signal) =>
      sendNdjson({ partition, plan, reply, clock, maxDecompressedBytes, raw, signal, hold }),
    )
  } finally {
    held.release()
    free()
  }
}

function laterStream(type: string): SpoolError {
  return new SpoolError(
    'NOT_IMPLEMENTED',
    `${type} is not served here by this version of the broker`,
  )
}
