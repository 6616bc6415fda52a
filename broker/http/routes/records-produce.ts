/**
 * `POST /v1/topics/{topic}/records`: records come in, from one value to an endless file. The head of the
 * request decides what the body is (`records/produce-plan.ts`); a body that ends is read whole, checked
 * whole and then appended, an upload is appended as it arrives (`records/upload.ts`).
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { SpoolError, withOutcome } from '../../../client/api/errors.ts'
import { NDJSON_TYPE } from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { BrokerContext } from '../../context.ts'
import { refuseInternalTopic, unknownTopic } from '../../topics/topic-name.ts'
import { type Answer, addRoute, type Call } from '../add-route.ts'
import { announcedLength, type BodyLimits, checkLength, readBody } from '../limits/body-reader.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { BatchAppender, type BatchFate } from '../records/append-batches.ts'
import { isUpload } from '../records/body-kind.ts'
import { type ProducePlan, producePlan } from '../records/produce-plan.ts'
import { produceAnswer } from '../records/produce-reply.ts'
import { readRecords } from '../records/read-records.ts'
import { RecordRules } from '../records/record-rules.ts'
import { RequestBatches } from '../records/request-batches.ts'
import { Upload } from '../records/upload.ts'
import { ProgressReply, sendUploadDocument, uploadDocument } from '../records/upload-reply.ts'

type ProduceRoute = typeof ROUTES.produceRecords
type ProduceCall = Call<ProduceRoute>

/** The plan goes from the check of the head to the handler on the request itself: a map of requests costs more than all checks. */
const PLAN = Symbol('plan')
type PlannedRequest = FastifyRequest & { [PLAN]?: ProducePlan }

export function registerProduce(app: FastifyInstance, context: BrokerContext): void {
  const { settings, clock } = context
  const limits: BodyLimits = {
    bytesMax: settings.httpBodyBytesMax,
    setting: 'http.body.bytes.max',
    idleMs: settings.httpIdleMsMax,
    totalMs: settings.httpRequestMsMax,
  }
  // Made by the first request: while the broker recovers there is nothing to append to.
  let appender: BatchAppender | undefined

  /** Everything that can be refused from the head. */
  const before = ({ params, query, mediaType, answerType, request }: Omit<ProduceCall, 'body'>) => {
    const topic = context.topics.get(params.topic)
    if (topic === undefined) throw unknownTopic(params.topic)
    refuseInternalTopic(topic.name)
    const plan = producePlan(topic, query, mediaType, request.raw)
    if (plan.partition >= 0) context.replicas.partition(topic.name, plan.partition)
    if (!isUpload(plan.kind)) {
      if (answerType === NDJSON_TYPE) {
        throw new SpoolError('NOT_ACCEPTABLE', `only uploads are answered with ${NDJSON_TYPE}`)
      }
      checkLength(request.raw, limits)
      if (plan.kind === 'value') checkValueLength(request, topic.config.log.maxMessageBytes)
    }
    ;(request as PlannedRequest)[PLAN] = plan
  }

  /** The records of a body that ends, read and checked whole: nothing is appended before. */
  const recordsOf = async (
    plan: ProducePlan,
    request: FastifyRequest,
    held: HeldBytes,
  ): Promise<RequestBatches> => {
    try {
      const body = await readBody(request.raw, limits, held, clock)
      const records = new RequestBatches(plan, new RecordRules(plan.topic), {
        random: context.random,
        bodyBytes: body.length,
        now: clock.now(),
      })
      readRecords(plan, body, records)
      return records
    } catch (error) {
      throw withOutcome(error, 'refused')
    }
  }

  const produce = async (plan: ProducePlan, { request, query }: ProduceCall): Promise<Answer> => {
    const held = new HeldBytes(app.face.queuedBytes)
    try {
      const records = await recordsOf(plan, request, held)
      appender ??= new BatchAppender(context.replicas, clock)
      const fates = await appendAll(appender, plan, records)
      return produceAnswer(plan.topic.name, fates, records, query.pretty === true)
    } finally {
      held.release()
    }
  }

  const upload = async (plan: ProducePlan, call: ProduceCall): Promise<undefined> => {
    const { request, reply, query } = call
    const run = new Upload(plan, request.raw, context, app.face.queuedBytes)
    const progress =
      call.answerType === NDJSON_TYPE ? new ProgressReply(request, reply, run, clock) : undefined
    const end = await run.run(app.face.closing)
    const answer = uploadDocument(plan, end, run.state())
    if (progress === undefined) {
      sendUploadDocument(answer, end, query.pretty === true, request, reply)
    } else progress.end(answer, end)
    return undefined
  }

  addRoute(app, context, ROUTES.produceRecords, {
    appends: true,
    before,
    handle: (call) => {
      const plan = (call.request as PlannedRequest)[PLAN]!
      return isUpload(plan.kind) ? upload(plan, call) : produce(plan, call)
    },
  })
}

async function appendAll(
  appender: BatchAppender,
  plan: ProducePlan,
  { batches }: RequestBatches,
): Promise<BatchFate[]> {
  const topic = plan.topic.name
  const { topicId } = plan.topic
  if (batches.length === 1) {
    const { partition, builder } = batches[0]!
    return [await appender.appendOne({ topic, topicId, partition, bytes: builder.build() }, plan)]
  }
  return appender.append(
    batches.map(({ partition, builder }) => ({
      topic,
      topicId,
      partition,
      bytes: builder.build(),
    })),
    plan,
  )
}

/** A raw value that says its length is refused before it is sent. */
function checkValueLength(request: FastifyRequest, bytesMax: number): void {
  const length = announcedLength(request.raw)
  if (length === undefined || length <= bytesMax) return
  throw new SpoolError(
    'MESSAGE_TOO_LARGE',
    `the value has ${length} bytes; max.message.bytes is ${bytesMax}`,
    { outcome: 'refused', headers: { connection: 'close' } },
  )
}
