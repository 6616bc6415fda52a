/**
 * A produce request as its head describes it: what the body is, where its records go, what an
 * acknowledgement must mean. Everything that can be refused without the body is refused here. Parameters
 * that do not fit together are refused too: nothing is ignored.
 */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { SpoolError } from '../../../client/api/errors.ts'
import type { QueryOf } from '../../../client/api/route.ts'
import type { ROUTES } from '../../../client/api/routes.ts'
import { TIMEOUT_MS_DEFAULT } from '../../../client/api/schemas/records.ts'
import type { Acks } from '../../partition/partition.ts'
import type { Topic } from '../../topics/topic.ts'
import { announcedLength } from '../limits/body-reader.ts'
import { shown } from '../validation.ts'
import { type BodyKind, bodyKindOf, isUpload } from './body-kind.ts'
import { type JsonPointer, parsePointer } from './json-pointer.ts'
import { NO_HEADERS, type ProducedHeader, type ValueReading } from './produced-record.ts'
import {
  CONTENT_TYPE_NAME,
  decodeHeaderValue,
  HEADER_PREFIX,
  KEY_HEADER,
  PARTITION_HEADER,
  recordHeadersOf,
  TIMESTAMP_HEADER,
  TOMBSTONE_HEADER,
} from './raw-headers.ts'

export type ProduceQuery = QueryOf<typeof ROUTES.produceRecords>

/** An idempotent producer's stamp on the one batch of a request. */
export interface ProducerStamp {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

export interface ProducePlan {
  readonly topic: Topic
  readonly kind: BodyKind
  readonly as: ValueReading
  readonly acks: Acks
  readonly timeoutMs: number
  /** For every record that asks for none itself; -1: by key. */
  readonly partition: number
  /** For every record that has none itself. */
  readonly key: Buffer | null
  readonly keyFrom: JsonPointer | undefined
  readonly timestampFrom: JsonPointer | undefined
  /** Uploads: go on after a malformed line. */
  readonly skipsErrors: boolean
  readonly producer: ProducerStamp | undefined
  readonly expectOffset: number | undefined
  /** Raw values only. */
  readonly headers: readonly ProducedHeader[]
  /** Raw values only; -1: the time of arrival. */
  readonly timestamp: number
  readonly isTombstone: boolean
}

/** Every header of ours begins so. */
const SPOOL_PREFIX = 'spool-'
const PRODUCER_ID_HEADER = 'spool-producer-id'
const PRODUCER_EPOCH_HEADER = 'spool-producer-epoch'
const SEQUENCE_HEADER = 'spool-sequence'

const INT32_MAX = 2 ** 31 - 1
const INT16_MAX = 2 ** 15 - 1

/** The plan of a request; throws SpoolError 400 or 415. Whether the partition exists is not asked here. */
export function producePlan(
  topic: Topic,
  query: ProduceQuery,
  mediaType: string | undefined,
  message: IncomingMessage,
): ProducePlan {
  const { headers } = message
  const isTombstone = tombstone(message)
  const kind =
    isTombstone && mediaType === undefined && query.body !== 'lines'
      ? 'value'
      : bodyKindOf(mediaType, headers['content-type'], query.body)
  if (isTombstone && kind !== 'value') throw onlyFor(TOMBSTONE_HEADER, 'a raw body')
  checkSpoolHeaders(headers, kind)
  const raw = rawParts(message, kind)
  checkCombination(query, kind)
  const producer = producerStamp(headers)
  const partition = onePartition(query.partition, raw.partition)
  checkSingleBatch(query, kind, partition, producer)
  if (query.key !== undefined && raw.key !== null) throw together('key', KEY_HEADER)
  if (query.keyFrom !== undefined && (raw.key !== null || query.key !== undefined)) {
    throw together('keyFrom', raw.key === null ? 'key' : KEY_HEADER)
  }
  if (query.timestampFrom !== undefined && raw.timestamp >= 0) {
    throw together('timestampFrom', TIMESTAMP_HEADER)
  }
  return {
    topic,
    kind,
    as: query.as ?? 'auto',
    acks: query.acks ?? 'all',
    timeoutMs: query.timeoutMs ?? TIMEOUT_MS_DEFAULT,
    partition,
    key: query.key === undefined ? raw.key : Buffer.from(query.key),
    keyFrom: pointer('keyFrom', query.keyFrom),
    timestampFrom: pointer('timestampFrom', query.timestampFrom),
    skipsErrors: query.onError === 'skip',
    producer,
    expectOffset: query.expectOffset,
    headers: raw.headers,
    timestamp: raw.timestamp,
    isTombstone,
  }
}

interface RawParts {
  readonly key: Buffer | null
  readonly headers: readonly ProducedHeader[]
  readonly timestamp: number
  readonly partition: number
}

const NO_PARTS: RawParts = { key: null, headers: NO_HEADERS, timestamp: -1, partition: -1 }

/** What the `spool-…` headers say of a raw value. */
function rawParts(message: IncomingMessage, kind: BodyKind): RawParts {
  const { headers, rawHeaders } = message
  if (kind !== 'value') return NO_PARTS
  const own = recordHeadersOf(rawHeaders)
  const contentType = headers['content-type']
  if (contentType !== undefined) {
    const value = Buffer.from(contentType, 'latin1')
    own.unshift({ name: Buffer.from(CONTENT_TYPE_NAME), value })
  }
  const key = headers[KEY_HEADER]
  return {
    key: key === undefined ? null : decodeHeaderValue(KEY_HEADER, single(KEY_HEADER, key)),
    headers: own,
    timestamp: integerHeader(headers, TIMESTAMP_HEADER, Number.MAX_SAFE_INTEGER) ?? -1,
    partition: integerHeader(headers, PARTITION_HEADER, INT32_MAX) ?? -1,
  }
}

/** Those that describe a raw value, beside `spool-header-<name>`. */
const RAW_HEADERS: ReadonlySet<string> = new Set([KEY_HEADER, TIMESTAMP_HEADER, PARTITION_HEADER])
const OTHER_HEADERS: ReadonlySet<string> = new Set([
  TOMBSTONE_HEADER,
  PRODUCER_ID_HEADER,
  PRODUCER_EPOCH_HEADER,
  SEQUENCE_HEADER,
])

/** A header of ours that means nothing here would lose what it was meant to say: it is refused. */
function checkSpoolHeaders(headers: IncomingHttpHeaders, kind: BodyKind): void {
  for (const name in headers) {
    if (!name.startsWith(SPOOL_PREFIX) || OTHER_HEADERS.has(name)) continue
    if (!RAW_HEADERS.has(name) && !name.startsWith(HEADER_PREFIX)) {
      const known = [...RAW_HEADERS, `${HEADER_PREFIX}<name>`, ...OTHER_HEADERS]
      throw invalid(`the header ${shown(name)} is not known here; these are: ${known.join(', ')}`)
    }
    if (kind !== 'value') throw onlyFor(name, 'a raw body')
  }
}

/** `spool-tombstone: true`, which goes with an empty body only. */
function tombstone(message: IncomingMessage): boolean {
  const value = message.headers[TOMBSTONE_HEADER]
  if (value === undefined || value === 'false') return false
  if (value !== 'true') throw invalid(`the header ${TOMBSTONE_HEADER} is ${shown(value)}, not true`)
  if (announcedLength(message) !== 0) {
    throw invalid(`${TOMBSTONE_HEADER}: true goes with an empty body (Content-Length: 0)`)
  }
  return true
}

function checkCombination(query: ProduceQuery, kind: BodyKind): void {
  const isRecords = kind === 'json' || kind === 'msgpack' || kind === 'ndjson'
  if (query.as !== undefined && !isRecords) throw onlyFor('as', 'body=record')
  if (query.keyFrom !== undefined && isRecords) throw onlyFor('keyFrom', 'body=lines or body=value')
  if (query.timestampFrom !== undefined && isRecords) {
    throw onlyFor('timestampFrom', 'body=lines or body=value')
  }
  if (query.onError !== undefined && !isUpload(kind)) throw onlyFor('onError', 'NDJSON and lines')
}

/** A sequence and an expected offset are of one partition and one batch. */
function checkSingleBatch(
  query: ProduceQuery,
  kind: BodyKind,
  partition: number,
  producer: ProducerStamp | undefined,
): void {
  const name =
    producer !== undefined
      ? PRODUCER_ID_HEADER
      : query.expectOffset !== undefined
        ? 'expectOffset'
        : undefined
  if (name === undefined) return
  if (producer !== undefined && query.expectOffset !== undefined)
    throw together(name, 'expectOffset')
  if (partition < 0) throw invalid(`${name} needs partition=: it is about one partition`)
  if (isUpload(kind))
    throw invalid(`${name} does not go with NDJSON or lines: it is about one batch`)
}

function producerStamp(headers: IncomingHttpHeaders): ProducerStamp | undefined {
  const producerId = integerHeader(headers, PRODUCER_ID_HEADER, Number.MAX_SAFE_INTEGER)
  const producerEpoch = integerHeader(headers, PRODUCER_EPOCH_HEADER, INT16_MAX)
  const baseSequence = integerHeader(headers, SEQUENCE_HEADER, INT32_MAX)
  if (producerId === undefined && producerEpoch === undefined && baseSequence === undefined) {
    return undefined
  }
  if (producerId === undefined || producerEpoch === undefined || baseSequence === undefined) {
    throw invalid(
      `${PRODUCER_ID_HEADER}, ${PRODUCER_EPOCH_HEADER} and ${SEQUENCE_HEADER} go together`,
    )
  }
  return { producerId, producerEpoch, baseSequence }
}

function onePartition(fromQuery: number | undefined, fromHeader: number): number {
  if (fromQuery === undefined) return fromHeader
  if (fromHeader >= 0 && fromHeader !== fromQuery) throw together('partition', PARTITION_HEADER)
  return fromQuery
}

function pointer(name: string, text: string | undefined): JsonPointer | undefined {
  if (text === undefined) return undefined
  const parsed = parsePointer(text)
  if (parsed !== undefined) return parsed
  throw new SpoolError(
    'INVALID_REQUEST',
    `query parameter ${name} is ${shown(text)}, which is not a JSON Pointer such as /user/id`,
    { outcome: 'refused', extensions: { field: name } },
  )
}

function integerHeader(
  headers: IncomingHttpHeaders,
  name: string,
  max: number,
): number | undefined {
  const text = headers[name]
  if (text === undefined) return undefined
  const value = /^(?:0|[1-9]\d{0,15})$/.test(single(name, text)) ? Number(text) : Number.NaN
  if (value <= max) return value
  throw invalid(`the header ${name} is ${shown(text)}, not an integer from 0 to ${max}`)
}

function single(name: string, value: string | string[]): string {
  if (typeof value === 'string') return value
  throw invalid(`the header ${name} is given more than once`)
}

function onlyFor(name: string, what: string): SpoolError {
  return invalid(`${name} goes only with ${what}`)
}

function together(name: string, other: string): SpoolError {
  return invalid(`${name} and ${other} say the same thing: give one`)
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail, { outcome: 'refused' })
}
