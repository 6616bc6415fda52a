/**
 * `GET …/partitions/{p}/records/{offset}`: one record, raw under its own content type, or as a document
 * for who accepts that. A record never changes, so its ETag needs no look at the value; only the topic
 * may be another one by now, which `topicId=` rules out.
 */

import type { FastifyInstance } from 'fastify'
import { packMsgpack } from '../../../client/api/batch-frame.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import {
  BYTES_TYPE,
  JSON_TYPE,
  MSGPACK_TYPE,
  preferredMediaType,
} from '../../../client/api/media-types.ts'
import { ROUTES } from '../../../client/api/routes.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { BrokerContext } from '../../context.ts'
import type { Partition } from '../../partition/partition.ts'
import { type Answer, addRoute, type Call } from '../add-route.ts'
import { HeldBytes, heldUntilSent } from '../limits/byte-budget.ts'
import { ByteWriter } from '../records/byte-writer.ts'
import { indentJson } from '../records/indent-json.ts'
import { msgpackRecord } from '../records/page-body.ts'
import {
  headersOfRecord,
  OFFSET_HEADER,
  PARTITION_HEADER,
  TIMESTAMP_HEADER,
} from '../records/raw-headers.ts'
import { contentOf, safetyHeaders } from '../records/record-content.ts'
import { RecordScan, type ScanOptions } from '../records/record-scan.ts'
import { RecordView } from '../records/record-view.ts'

type OneCall = Call<typeof ROUTES.readRecord>

export function registerReadOne(app: FastifyInstance, context: BrokerContext): void {
  addRoute(app, context, ROUTES.readRecord, {
    choosesType: true,
    handle: async (call) => {
      const { params, query, request } = call
      const partition = context.replicas.partition(params.topic, params.partition)
      if (query.topicId !== undefined) partition.checkTopicId(query.topicId)
      checkPresent(partition, params.offset)
      const { accept } = request.headers
      // Raw also where the accepted type is none of ours: it may be the record's own.
      const type = preferredMediaType(accept, [BYTES_TYPE, JSON_TYPE, MSGPACK_TYPE]) ?? BYTES_TYPE
      if (query.as !== undefined && type !== JSON_TYPE) {
        throw new SpoolError('INVALID_REQUEST', `as= goes with Accept: ${JSON_TYPE}`)
      }
      const caching = cacheHeaders(partition, call, type)
      if (isCached(request.headers['if-none-match'], caching.etag!)) {
        return { status: 304, headers: caching }
      }
      const held = new HeldBytes(app.face.queuedBytes)
      // What is read stays held until the connection has taken the answer, or is no more.
      heldUntilSent(call.reply.raw, held)
      const record = await readOne(partition, params.offset, {
        maxDecompressedBytes: context.settings.decompressedBytesMax,
        hold: (bytes) => held.resize(bytes),
      })
      const answer =
        type === BYTES_TYPE ? rawAnswer(partition, record, call) : shown(call, type, record)
      return { ...answer, headers: { ...answer.headers, ...caching } }
    },
  })
}

/** Throws 404 beyond the end and 410 below the start. */
function checkPresent(partition: Partition, offset: number): void {
  const { highWatermark, logStartOffset } = partition
  if (offset >= highWatermark) {
    throw new SpoolError(
      'RECORD_NOT_FOUND',
      `offset ${offset} is not written yet: the next one is ${highWatermark}`,
      { extensions: { logStartOffset, highWatermark } },
    )
  }
  if (offset < logStartOffset) throw gone(partition, offset)
}

async function readOne(
  partition: Partition,
  offset: number,
  limits: Pick<ScanOptions, 'maxDecompressedBytes' | 'hold'>,
): Promise<RecordCursor> {
  const scan = new RecordScan({ partition, from: offset, filter: undefined, ...limits })
  if (await scan.nextBatch(offset + 1)) {
    const record = scan.nextRecord(offset + 1)
    if (record?.offset === offset) return record
  }
  throw gone(partition, offset)
}

function gone(partition: Partition, offset: number): SpoolError {
  const { logStartOffset, highWatermark } = partition
  return new SpoolError(
    'RECORD_GONE',
    offset < logStartOffset
      ? `the record at offset ${offset} is no longer kept; the first kept is ${logStartOffset}`
      : `the record at offset ${offset} was removed by compaction: there is a later one with its key, or it deleted one`,
    { extensions: { logStartOffset, highWatermark } },
  )
}

function cacheHeaders(
  partition: Partition,
  { params, query, reply }: OneCall,
  type: string,
): Record<string, string> {
  // CORS may have said already that the answer differs by Origin.
  const vary = reply.getHeader('vary')
  const shape =
    type === BYTES_TYPE
      ? 'raw'
      : type === MSGPACK_TYPE
        ? 'msgpack'
        : `json-${query.as ?? 'auto'}${query.pretty === true ? '-pretty' : ''}`
  return {
    etag: `"${partition.topicId}.${params.partition}.${params.offset}.${shape}"`,
    vary: vary === undefined ? 'Accept' : `${vary}, Accept`,
    'cache-control':
      query.topicId === undefined ? 'private, no-cache' : 'private, max-age=86400, immutable',
  }
}

function isCached(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

function rawAnswer(
  partition: Partition,
  record: RecordCursor,
  { request, reply }: OneCall,
): Answer {
  const { accept } = request.headers
  const value = record.value()
  const content = contentOf(value ?? Buffer.alloc(0), record.headers())
  const recordHeaders = value === null ? record.headers() : content.headers
  const mediaType = content.contentType.split(';', 1)[0]!.trim().toLowerCase()
  // Before any of its headers is set: a refusal carries nothing of the record.
  if (value !== null && preferredMediaType(accept, [BYTES_TYPE, mediaType]) === undefined) {
    const types = [...new Set([mediaType, JSON_TYPE, MSGPACK_TYPE])]
    throw new SpoolError('NOT_ACCEPTABLE', `the record can be had as ${types.join(', ')}`)
  }
  for (const [name, values] of headersOfRecord(record.key(), recordHeaders)) {
    reply.header(name, values)
  }
  const headers = {
    [TIMESTAMP_HEADER]: String(record.timestamp),
    [PARTITION_HEADER]: String(partition.partition),
    [OFFSET_HEADER]: String(record.offset),
  }
  if (value === null) return { status: 204, headers }
  const { contentType } = content
  return { headers: { ...headers, ...safetyHeaders(contentType) }, contentType, payload: value }
}

function shown({ params, query }: OneCall, type: string, record: RecordCursor): Answer {
  if (type === MSGPACK_TYPE) {
    return { contentType: type, payload: packMsgpack(msgpackRecord(params.partition, record)) }
  }
  const writer = new ByteWriter()
  new RecordView(query.as ?? 'auto', false).write(writer, params.partition, record)
  writer.ascii('\n')
  const json = writer.take()
  // As bytes: to a text Fastify would add a charset, which JSON types do not have.
  const payload = query.pretty === true ? Buffer.from(indentJson(json.toString())) : json
  return { contentType: type, payload }
}
