/**
 * Sends a page of records, of one partition or of a whole topic: its memory, its form, its link to the
 * next. Reading it is `records/page.ts`.
 */

import type { FastifyInstance } from 'fastify'
import { SpoolError } from '../../../client/api/errors.ts'
import { JSON_TYPE, MSGPACK_TYPE } from '../../../client/api/media-types.ts'
import type { BrokerContext } from '../../context.ts'
import { HeldBytes } from '../limits/byte-budget.ts'
import { indentJson } from '../records/indent-json.ts'
import { readPage } from '../records/page.ts'
import { JsonPage, MsgpackPage } from '../records/page-body.ts'
import { nextLink, partitionTail, topicTail } from '../records/page-place.ts'
import { RawReply } from '../records/raw-reply.ts'
import { readPlaces } from '../records/read-places.ts'
import type { Reading } from '../records/reading.ts'
import { untilGone } from '../records/until-gone.ts'

/** Reads and sends the page. Rejects, with nothing sent, with a SpoolError. */
export async function sendPage(
  app: FastifyInstance,
  context: BrokerContext,
  { call, partitions, isTopic, plan }: Reading,
): Promise<void> {
  const { settings, clock, replicas } = context
  const { query, reply, request } = call
  const isMsgpack = call.answerType === MSGPACK_TYPE
  if (isMsgpack && query.as !== undefined) {
    throw new SpoolError('INVALID_REQUEST', 'as= does not go with MessagePack, which has the bytes')
  }
  const held = new HeldBytes(app.face.queuedBytes)
  try {
    const page = await untilGone(reply.raw, app.face.closing, (signal) =>
      readPage({
        places: (now) => readPlaces(partitions, plan, now),
        plan,
        body: isMsgpack ? new MsgpackPage() : new JsonPage(plan.as),
        tail: isTopic ? topicTail : partitionTail,
        clock,
        purgatory: replicas.purgatory,
        maxDecompressedBytes: settings.decompressedBytesMax,
        signal,
        hold: (bytes) => held.resize(bytes),
      }),
    )
    const isPretty = query.pretty === true && !isMsgpack
    const payload = isPretty ? Buffer.from(indentJson(page.bytes.toString())) : page.bytes
    held.resize(payload.length)
    const link = nextLink(page, { url: request.raw.url ?? '', plan, isTopic })
    const headers = {
      'content-type': isMsgpack ? MSGPACK_TYPE : JSON_TYPE,
      'content-length': payload.length,
      ...(link === undefined ? {} : { link }),
    }
    const raw = { stalledMsMax: settings.streamStalledMsMax, isClosing: app.face.closing.aborted }
    await new RawReply(reply, 200, headers, raw).endWith([payload])
  } finally {
    held.release()
  }
}
