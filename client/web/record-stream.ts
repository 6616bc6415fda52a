/**
 * Opens the stream of a reader: asks where the partitions stand, then for everything from the reader's
 * places on. One partition is read by its own route, several by the topic's, with the places as a cursor.
 * Also tells a stream that is dead from one that has nothing to say. What its lines say is for
 * `stream-source.ts`.
 */

import { SpoolError } from '../api/errors.ts'
import { NDJSON_TYPE } from '../api/media-types.ts'
import { ROUTES } from '../api/routes.ts'
import type { TopicOffsets } from '../api/schemas/topics.ts'
import { offsetsAnswer } from '../offsets-answer.ts'
import { pathOf, withQuery } from '../paths.ts'
import type { ReadRange, SourceCall, Transport } from '../transport.ts'
import type { FetchExchanges, OpenReply } from './fetch-exchange.ts'
import { LineReader } from './line-reader.ts'
import { cursorOfPlaces, type StreamPlace } from './places-cursor.ts'

export interface StreamConnection {
  readonly transport: Transport
  readonly exchanges: FetchExchanges
  /** How long the broker may take to begin its answer. */
  readonly headTimeoutMs: number
}

/** A partition as far as it was read. */
export interface Place {
  readonly range: ReadRange
  nextOffset: number
  /** Exclusive. */
  until: number
  /** As of the last time the stream was opened. */
  highWatermark: number
}

/** The broker says something every 10 s; a connection that is silent for so long is dead. */
const SILENCE_MS_MAX = 35_000

/** An open stream. */
export class RecordStream {
  readonly #reply: OpenReply
  readonly #lines: LineReader

  constructor(reply: OpenReply) {
    this.#reply = reply
    this.#lines = new LineReader(reply.body)
  }

  /** The lines of the next piece; `undefined` at the end of the body. Rejects when it breaks. */
  async next(): Promise<string[] | undefined> {
    const timer = setTimeout(() => this.#reply.abort(silent()), SILENCE_MS_MAX)
    try {
      return await this.#lines.next()
    } catch (error) {
      throw this.#reply.failureOf(error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Lets go of the connection. */
  abort(): void {
    this.#reply.abort(undefined)
  }
}

/**
 * Opens the stream of `places`, and puts right those that are out of range, where `call` says how.
 *
 * @throws SpoolError of the broker; OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION and
 * INCONSISTENT_TOPIC_ID also from here.
 */
export async function openStream(
  call: SourceCall,
  places: ReadonlyMap<number, Place>,
  { transport, exchanges, headTimeoutMs }: StreamConnection,
  signal: AbortSignal,
): Promise<RecordStream> {
  const offsets = await lookUp(call, transport, signal)
  settle(call, places, offsets)
  const wanted = [...places].filter(([, { nextOffset, until }]) => nextOffset < until)
  const isOne = wanted.length === 1
  const route = isOne ? ROUTES.readPartition : ROUTES.readTopic
  const [partition, place] = wanted[0]!
  const where = isOne
    ? { from: place.nextOffset, until: Number.isFinite(place.until) ? place.until : undefined }
    : { cursor: cursorOfPlaces(call.topicId, allPlaces(offsets, places)) }
  const reply = await exchanges.open({
    method: 'GET',
    path: withQuery(pathOf(route, { topic: call.topic, partition }), {
      ...where,
      follow: true,
      as: 'base64',
      topicId: call.topicId,
    }),
    headers: { accept: NDJSON_TYPE },
    signal,
    timeoutMs: headTimeoutMs,
  })
  return new RecordStream(reply)
}

async function lookUp(
  call: SourceCall,
  transport: Transport,
  signal: AbortSignal,
): Promise<TopicOffsets> {
  const { document } = await transport.request({
    method: 'GET',
    path: pathOf(ROUTES.topicOffsets, { topic: call.topic }),
    query: { at: 'latest' },
    signal,
  })
  const offsets = offsetsAnswer(document)
  if (offsets.topicId === call.topicId) return offsets
  throw new SpoolError(
    'INCONSISTENT_TOPIC_ID',
    `topic ${call.topic} was created anew since the reader began: begin a new reader`,
  )
}

/** Takes over how far the partitions go, and checks the places against it. */
function settle(
  { outOfRange, topic }: SourceCall,
  places: ReadonlyMap<number, Place>,
  offsets: TopicOffsets,
): void {
  const found = new Map(offsets.partitions.map((it) => [it.partition, it]))
  for (const [partition, place] of places) {
    const range = found.get(partition)
    if (range === undefined) {
      throw new SpoolError(
        'UNKNOWN_TOPIC_OR_PARTITION',
        `topic ${topic} has no partition ${partition}, but ${offsets.partitions.length}`,
      )
    }
    const { logStartOffset, highWatermark } = range
    place.highWatermark = highWatermark
    const { nextOffset, until } = place
    if (nextOffset >= until || (nextOffset >= logStartOffset && nextOffset <= highWatermark)) {
      continue
    }
    if (outOfRange === undefined) throw outside(partition, nextOffset, range)
    place.nextOffset = outOfRange === 'earliest' ? logStartOffset : highWatermark
  }
}

/** A cursor names every partition: one it does not name is read from its beginning. */
function allPlaces(
  { partitions }: TopicOffsets,
  places: ReadonlyMap<number, Place>,
): StreamPlace[] {
  return partitions.map(({ partition, highWatermark }) => {
    const place = places.get(partition)
    return place === undefined || place.nextOffset >= place.until
      ? { partition, nextOffset: highWatermark, endOffset: highWatermark }
      : { partition, nextOffset: place.nextOffset, endOffset: place.until }
  })
}

function outside(
  partition: number,
  offset: number,
  { logStartOffset, highWatermark }: { logStartOffset: number; highWatermark: number },
): SpoolError {
  return new SpoolError(
    'OFFSET_OUT_OF_RANGE',
    `partition ${partition} has offsets from ${logStartOffset} to before ${highWatermark}, not ${offset}; outOfRange: 'earliest' or 'latest' goes on from there`,
    { extensions: { partition, logStartOffset, highWatermark } },
  )
}

function silent(): SpoolError {
  return new SpoolError(
    'NETWORK_EXCEPTION',
    `the stream said nothing for ${SILENCE_MS_MAX / 1_000} s, not even that it is alive`,
  )
}
