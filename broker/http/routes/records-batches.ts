/**
 * The binary routes, `POST /v1/produce` and `POST /v1/fetch`: record batches go in and out as they are on
 * disk, sliced from one body and written as separate buffers, never packed or copied. What a batch must
 * be is the engine's; what is wrong with one is in its place in the answer and does not hold up others.
 */

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ENVELOPE_BYTES_MAX, frameEnvelope, readFrame } from '../../../client/api/batch-frame.ts'
import { SpoolError, withOutcome } from '../../../client/api/errors.ts'
import { BATCHES_TYPE } from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import {
  FetchEnvelope,
  type FetchResults,
  ProduceEnvelope,
  type ProduceResults,
} from '../../../client/api/schemas/envelopes.ts'
import type { BrokerContext } from '../../context.ts'
import type { FetchedPartition } from '../../partition/fetch-request.ts'
import { type Answer, addRoute, type Call } from '../add-route.ts'
import { type BodyLimits, checkLength, readBody } from '../limits/body-reader.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { LargeBuffers } from '../limits/large-buffers.ts'
import { BatchAppender, type BatchFate } from '../records/append-batches.ts'
import { RawReply } from '../records/raw-reply.ts'
import { untilGone } from '../records/until-gone.ts'
import { Check } from '../validation.ts'

type FetchRoute = typeof ROUTES.fetchBatches
type ProduceRoute = typeof ROUTES.produceBatches

export function registerBatches(app: FastifyInstance, context: BrokerContext): void {
  const buffers = new LargeBuffers()
  registerProduceBatches(app, context, buffers)
  registerFetchBatches(app, context, buffers)
}

function registerProduceBatches(
  app: FastifyInstance,
  context: BrokerContext,
  buffers: LargeBuffers,
): void {
  const check = new Check(ProduceEnvelope, 'field')
  const limits = bodyLimits(context, context.settings.httpBodyBytesMax, 'http.body.bytes.max')
  let appender: BatchAppender | undefined

  /** What a request brings, its envelope checked: nothing is appended before. */
  const read = async (request: FastifyRequest, held: HeldBytes) => {
    try {
      const body = await readBody(request.raw, limits, held, context.clock, buffers)
      const { envelope, batches } = readFrame(body)
      const wish = check.passes(envelope)
      return { body, wish, batches: sliced(wish, batches) }
    } catch (error) {
      throw withOutcome(error, 'refused')
    }
  }

  const handle = async ({ request }: Call<ProduceRoute>): Promise<Answer> => {
    const held = new HeldBytes(app.face.queuedBytes)
    try {
      const { body, wish, batches } = await read(request, held)
      appender ??= new BatchAppender(context.replicas, context.clock)
      const fates = await appender.append(batches, wish)
      if (wish.acks !== 0 && fates.every(isSettled)) buffers.giveBack(body)
      const failed = fates.some((fate) => fate.error !== undefined)
      if (wish.acks === 0 && !failed) return { status: 202 }
      const results = fates.map((fate, i) => {
        const { topic } = wish.batches[i]!
        return produceResult(topic, context.topics.get(topic)?.topicId, fate)
      })
      return { contentType: BATCHES_TYPE, payload: frameEnvelope({ results }) }
    } finally {
      held.release()
    }
  }
  addRoute(app, context, ROUTES.produceBatches, {
    appends: true,
    before: ({ mediaType, request }) => {
      checkType(mediaType)
      checkLength(request.raw, limits)
    },
    handle,
  })
}

/** True when the log has done with the batch: after a time-out it may still be about to write it. */
function isSettled({ error }: BatchFate): boolean {
  return error === undefined || error.outcome === 'refused'
}

/** The batches of the envelope, each a view of the body. */
function sliced(wish: ProduceEnvelope, batches: Buffer) {
  let at = 0
  const slices = wish.batches.map(({ topic, topicId, partition, bytes }) => {
    const start = at
    at += bytes
    return { topic, topicId, partition, bytes: batches.subarray(start, at) }
  })
  if (at === batches.length) return slices
  throw new SpoolError(
    'INVALID_REQUEST',
    `the envelope announces ${at} bytes of batches, ${batches.length} follow it`,
    { outcome: 'refused' },
  )
}

function produceResult(
  topic: string,
  topicId: string | undefined,
  fate: BatchFate,
): ProduceResults['results'][number] {
  const { partition } = fate
  const place = { topic, ...(topicId === undefined ? {} : { topicId }), partition }
  if (fate.error !== undefined) return { ...place, error: batchError(fate.error) }
  const { baseOffset, lastOffset, logAppendTime, duplicate } = fate.append
  return {
    ...place,
    baseOffset,
    lastOffset,
    logAppendTime,
    durability: fate.durability,
    ...(duplicate ? { duplicate } : {}),
  }
}

function batchError({ code, detail, outcome }: SpoolError) {
  if (outcome === 'refused' || outcome === 'unknown') return { code, detail, outcome }
  return { code, detail }
}

function registerFetchBatches(
  app: FastifyInstance,
  context: BrokerContext,
  buffers: LargeBuffers,
): void {
  const check = new Check(FetchEnvelope, 'field')
  const limits = bodyLimits(context, ENVELOPE_BYTES_MAX + 4, 'the limit for such an envelope')

  const handle = async (call: Call<FetchRoute>): Promise<undefined> => {
    const { request, reply } = call
    const held = new HeldBytes(app.face.queuedBytes)
    try {
      const frame = readFrame(await readBody(request.raw, limits, held, context.clock))
      if (frame.batches.length > 0) {
        throw new SpoolError('INVALID_REQUEST', 'nothing follows the envelope of a fetch')
      }
      const wish = check.passes(frame.envelope)
      refuseReplicaFields(wish)
      const envelopeBytes = held.bytes
      const memory = {
        // Held before it is read: a hundred readers at once are to be refused, not to be found out.
        allocate: (bytes: number) => {
          held.growTo(held.bytes + bytes)
          return buffers.take(bytes)
        },
        letGo: () => held.resize(envelopeBytes),
      }
      const fetched = await untilGone(reply.raw, app.face.closing, (signal) =>
        context.replicas.fetch({ ...wish, ...memory, signal }),
      )
      await sendFetched(call, fetched, held)
    } finally {
      held.release()
    }
    return undefined
  }

  const sendFetched = async (
    { reply }: Call<FetchRoute>,
    fetched: readonly FetchedPartition[],
    held: HeldBytes,
  ): Promise<void> => {
    const batches = fetched.map(({ bytes }) => bytes)
    const head = frameEnvelope({ partitions: fetched.map(fetchResult) })
    const size = batches.reduce((sum, { length }) => sum + length, head.length)
    held.growTo(size)
    const raw = new RawReply(
      reply,
      200,
      { 'content-type': BATCHES_TYPE, 'content-length': size },
      {
        stalledMsMax: context.settings.streamStalledMsMax,
        isClosing: app.face.closing.aborted,
      },
    )
    await raw.endWith([head, ...batches])
    // Of a connection that broke we do not know whether the system still reads.
    if (raw.isSent) for (const bytes of batches) buffers.giveBack(bytes)
  }

  addRoute(app, context, ROUTES.fetchBatches, {
    before: ({ mediaType, request }) => {
      checkType(mediaType)
      checkLength(request.raw, limits)
    },
    handle,
  })
}

function fetchResult(fetched: FetchedPartition): FetchResults['partitions'][number] {
  const { topic, topicId, partition, bytes, error } = fetched
  const { highWatermark, lastStableOffset, logStartOffset } = fetched
  const isKnown = highWatermark >= 0
  return {
    topic,
    ...(topicId === undefined ? {} : { topicId }),
    partition,
    ...(isKnown ? { highWatermark, lastStableOffset, logStartOffset } : {}),
    bytes: bytes.length,
    ...(error === undefined ? {} : { error: batchError(error) }),
  }
}

/** Only a broker of the cluster may send what moves the high watermark, and none is known yet. */
function refuseReplicaFields(wish: FetchEnvelope): void {
  const isReplica = wish.partitions.some(
    ({ lastFetchedEpoch, flushedOffset }) =>
      lastFetchedEpoch !== undefined || flushedOffset !== undefined,
  )
  if (!isReplica) return
  throw new SpoolError(
    'CLUSTER_AUTHORIZATION_FAILED',
    'lastFetchedEpoch and flushedOffset are for brokers of the cluster only',
  )
}

function bodyLimits(context: BrokerContext, bytesMax: number, setting: string): BodyLimits {
  const { httpIdleMsMax, httpRequestMsMax } = context.settings
  return { bytesMax, setting, idleMs: httpIdleMsMax, totalMs: httpRequestMsMax }
}

function checkType(mediaType: string | undefined): void {
  if (mediaType === BATCHES_TYPE) return
  throw new SpoolError(
    'UNSUPPORTED_MEDIA_TYPE',
    `this route takes ${BATCHES_TYPE}; records in JSON go to /v1/topics/{topic}/records`,
    { outcome: 'refused' },
  )
}
