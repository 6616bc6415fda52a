/**
 * Reading one partition: `GET …/partitions/{p}/records`, as a page (JSON, MessagePack), or as an NDJSON
 * stream to the end of what there is. Reading moves nothing: the client keeps its place (`nextOffset`).
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import {
  EVENT_STREAM_TYPE,
  JSON_TYPE,
  MSGPACK_TYPE,
  NDJSON_TYPE,
} from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import { addRoute, type Call, queryTextOf } from '../add-route.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { indentJson } from '../records/indent-json.ts'
import { sendNdjson } from '../records/ndjson-stream.ts'
import { JsonPage, MsgpackPage, type Page, readPage } from '../records/page.ts'
import { RawReply } from '../records/raw-reply.ts'
import { type ReadPlan, readPlan } from '../records/read-plan.ts'
import { untilGone } from '../records/until-gone.ts'

type ReadCall = Call<typeof ROUTES.readPartition>

export function registerRead(app: FastifyInstance, context: BrokerContext): void {
  const { settings, clock } = context
  const maxDecompressedBytes = settings.decompressedBytesMax
  const rawOptions = () => ({
    stalledMsMax: settings.streamStalledMsMax,
    isClosing: app.face.closing.aborted,
  })

  const page = async (call: ReadCall, partition: Partition, plan: ReadPlan): Promise<undefined> => {
    const isMsgpack = call.answerType === MSGPACK_TYPE
    const number = partition.partition
    const body = isMsgpack ? new MsgpackPage(number) : new JsonPage(number, plan)
    const held = new HeldBytes(app.face.queuedBytes)
    const hold = (bytes: number) => held.resize(bytes)
    try {
      const read = await untilGone(call.reply.raw, app.face.closing, (signal) =>
        readPage({ partition, plan, body, clock, maxDecompressedBytes, signal, hold }),
      )
      const isPretty = call.query.pretty === true && !isMsgpack
      const payload = isPretty ? Buffer.from(indentJson(read.body.toString())) : read.body
      held.resize(payload.length)
      const headers = {
        'content-type': isMsgpack ? MSGPACK_TYPE : JSON_TYPE,
        'content-length': payload.length,
        ...nextPage(call.request.raw.url ?? '', read),
      }
      await new RawReply(call.reply, 200, headers, rawOptions()).endWith([payload])
    } finally {
      held.release()
    }
    return undefined
  }

  const stream = async (
    call: ReadCall,
    partition: Partition,
    plan: ReadPlan,
  ): Promise<undefined> => {
    const { reply } = call
    const free = app.face.waiting.take()
    const held = new HeldBytes(app.face.queuedBytes)
    const hold = (bytes: number) => held.resize(bytes)
    try {
      const raw = rawOptions()
      await untilGone(reply.raw, app.face.closing, (signal) =>
        sendNdjson({ partition, plan, reply, clock, maxDecompressedBytes, raw, signal, hold }),
      )
    } finally {
      held.release()
      free()
    }
    return undefined
  }

  addRoute(app, context, ROUTES.readPartition, {
    before: ({ answerType }) => {
      if (answerType === EVENT_STREAM_TYPE) throw laterStream()
    },
    handle: (call) => {
      const { params, query, answerType } = call
      const partition = context.replicas.partition(params.topic, params.partition)
      if (query.topicId !== undefined) partition.checkTopicId(query.topicId)
      if (answerType === MSGPACK_TYPE && query.as !== undefined) {
        throw new SpoolError(
          'INVALID_REQUEST',
          'as= does not go with MessagePack, which has the bytes',
        )
      }
      const isStream = answerType === NDJSON_TYPE
      const plan = readPlan(query, isStream, lastEventId(call))
      return isStream ? stream(call, partition, plan) : page(call, partition, plan)
    },
  })
  addRoute(app, context, ROUTES.readTopic, {
    handle: ({ params }) => {
      const { name, partitions } = context.topics.require(params.topic)
      throw new SpoolError(
        'NOT_IMPLEMENTED',
        `reading all partitions at once is not served by this version of the broker; read /v1/topics/${name}/partitions/{p}/records with p from 0 to ${partitions - 1}`,
      )
    },
  })
}

/**
 * The header that leads to the page after this one: the same, but for where it begins, and `until` as the
 * offset it meant. None after the page that reached `until`, so that who follows it comes to an end.
 */
function nextPage(url: string, { nextOffset, endOffset }: Page): { link?: string } {
  if (nextOffset >= endOffset) return {}
  const query = new URLSearchParams(queryTextOf(url))
  query.set('from', String(nextOffset))
  if (Number.isFinite(endOffset)) query.set('until', String(endOffset))
  return { link: `<${url.split('?', 1)[0]}?${query}>; rel="next"` }
}

/** The header `Last-Event-ID`: where a stream was cut. */
function lastEventId({ request }: Pick<ReadCall, 'request'>): string | undefined {
  return request.headers['last-event-id'] as string | undefined
}

function laterStream(): SpoolError {
  return new SpoolError(
    'NOT_IMPLEMENTED',
    `${EVENT_STREAM_TYPE} is not served by this version of the broker; ${NDJSON_TYPE} streams what there is, waitMs= waits for more`,
  )
}
