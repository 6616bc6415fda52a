/**
 * How a stream looks: as lines (NDJSON) or as events (`text/event-stream`). Both have the records, and
 * beside them what a reader must know: where it is (a checkpoint, also the heartbeat), what went wrong, and
 * that the stream ended.
 *
 *     NDJSON   {"partition":0,"offset":7,…}          SSE   id: <cursor>            (over one partition)
 *                                                         data: {"partition":0,"offset":7,…}
 *
 *              {"checkpoint":"<cursor>"}                  event: checkpoint       (id alone where it must
 *                                                         id: <cursor>             be told often)
 *                                                         data: "<cursor>"
 *
 *              {"problem":{…}}                            event: problem
 *                                                         data: {…}
 *
 *              {"end":{"cursor":"…","reason":"…"}}        event: end
 *                                                         id: <cursor>
 *                                                         data: {"cursor":"…","reason":"…"}
 *
 * JSON on one line has no line break inside, so that neither framing can be broken by a value.
 * Source of the event framing: the HTML standard, "Server-sent events".
 */

import type { SpoolError } from '../../../client/api/errors.ts'
import { toProblem } from '../../../client/api/errors.ts'
import { EVENT_STREAM_TYPE, NDJSON_TYPE } from '../../../client/api/media-types.ts'
import type { RecordCursor } from '../../../storage/record/batch-reader.ts'
import type { ByteWriter } from '../records/byte-writer.ts'
import { encodeCursor } from '../records/cursor.ts'
import type { RecordFilter } from '../records/record-filter.ts'
import { RecordView, type View } from '../records/record-view.ts'
import type { Rendering } from './chunk.ts'

/** Why a stream ended: what was asked for is complete, or the broker stops and the reader should come again. */
export type EndReason = 'limit' | 'until' | 'latest' | 'stopping'

/** How soon a browser connects again after a stream was cut. */
const RETRY_MS = 1_000

export interface StreamFormat {
  readonly headers: Readonly<Record<string, string>>
  /** What a stream begins with. */
  opening(cursor: string): Buffer
  /** Where the reader is, for a client that wants to know (and so that the connection is not taken for dead). */
  checkpoint(cursor: string): Buffer
  /** Where the reader is, as briefly as possible. */
  place(cursor: string): Buffer
  problem(error: SpoolError): Buffer
  /** `cursor` is where to go on; `endCursor`, of a reading that is complete, says that there is nothing to come again for. */
  end(reason: EndReason, cursor: string, endCursor: string): Buffer
}

/** Proxies that collect an answer before they pass it on would hold records back. */
function headersOf(type: string): Readonly<Record<string, string>> {
  return { 'content-type': type, 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
}

export const NDJSON_FORMAT: StreamFormat = {
  headers: headersOf(NDJSON_TYPE),
  opening: (cursor) => line({ checkpoint: cursor }),
  checkpoint: (cursor) => line({ checkpoint: cursor }),
  place: (cursor) => line({ checkpoint: cursor }),
  problem: (error) => line({ problem: toProblem(error) }),
  end: (reason, cursor) => line({ end: { cursor, reason } }),
}

export const EVENT_FORMAT: StreamFormat = {
  headers: headersOf(EVENT_STREAM_TYPE),
  opening: (cursor) =>
    Buffer.concat([Buffer.from(`retry: ${RETRY_MS}\n`), event('checkpoint', cursor, cursor)]),
  checkpoint: (cursor) => event('checkpoint', cursor, cursor),
  place: (cursor) => Buffer.from(`id: ${cursor}\n\n`),
  problem: (error) => event('problem', undefined, toProblem(error)),
  end: (reason, cursor, endCursor) => event('end', endCursor, { cursor, reason }),
}

function line(document: object): Buffer {
  return Buffer.from(`${JSON.stringify(document)}\n`)
}

function event(name: string, id: string | undefined, data: unknown): Buffer {
  const idLine = id === undefined ? '' : `id: ${id}\n`
  return Buffer.from(`event: ${name}\n${idLine}data: ${JSON.stringify(data)}\n\n`)
}

/** What makes the records of two streams the same bytes. */
export interface RecordLook {
  readonly as: View
  readonly filter: RecordFilter | undefined
  /** The filter's words: functions can not be compared. */
  readonly filterKey: string
  readonly isEvents: boolean
}

/** What an event over one partition has for an id: its own place, and where the reading ends if that is known. */
export interface EventId {
  readonly topicId: string
  /** Exclusive; infinite where there is none. */
  readonly until: number
}

/** Records as lines, or as events; `id` is for events of a stream over one partition. */
export function recordRendering(look: RecordLook, id?: EventId): Rendering {
  const { as, filter, filterKey, isEvents } = look
  const view = new RecordView(as, true)
  if (!isEvents) {
    return {
      key: JSON.stringify(['line', as, filterKey]),
      filter,
      write(writer, partition, cursor) {
        view.write(writer, partition, cursor)
        writer.ascii('\n')
      },
    }
  }
  return {
    key: JSON.stringify(['event', id !== undefined, id?.until ?? 0, as, filterKey]),
    filter,
    write(writer, partition, cursor) {
      if (id !== undefined) writeId(writer, id, partition, cursor)
      writer.ascii('data: ')
      view.write(writer, partition, cursor)
      writer.ascii('\n\n')
    },
  }
}

function writeId(
  writer: ByteWriter,
  { topicId, until }: EventId,
  partition: number,
  { offset }: RecordCursor,
): void {
  const nextOffset = offset + 1
  const place = Number.isFinite(until)
    ? { partition, nextOffset, endOffset: Math.max(until, nextOffset) }
    : { partition, nextOffset }
  writer.ascii('id: ')
  writer.ascii(encodeCursor({ topicId, places: [place], isEnd: false }))
  writer.ascii('\n')
}
