/**
 * Records over HTTP: what is produced, what a page of them holds. Produced records are read from their
 * text by the broker itself, so that values are stored as sent; the schemas here say their shape.
 */

import type { Static } from '@sinclair/typebox'
import { strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import { Problem } from './problem.ts'
import { Durability, ErrorName, Offset, PartitionNumber, Timestamp, TopicName } from './scalars.ts'

/** Records in one page, at most and by default. */
export const PAGE_LIMIT_MAX = 10_000
export const PAGE_LIMIT_DEFAULT = 500
/** Decompressed bytes read for one page, at most and by default. */
export const PAGE_BYTES_MAX = 64 * 1024 * 1024
export const PAGE_BYTES_DEFAULT = 1024 * 1024
/** How long one request may wait. */
export const WAIT_MS_MAX = 30_000
/** How long a write may wait for its acknowledgement, at most and by default. */
export const TIMEOUT_MS_MAX = 300_000
export const TIMEOUT_MS_DEFAULT = 30_000
/** Errors listed in one answer. */
export const ERRORS_LISTED_MAX = 100
/** A cursor is opaque, and no longer than this. */
export const CURSOR_CHARACTERS_MAX = 8 * 1024
/** All `spool-key` and `spool-header-…` of a reply, names and values: what goes beyond is left out. */
export const RECORD_HEADER_BYTES_MAX = 8 * 1024

export const Base64 = strictObject(
  { base64: Type.String() },
  { description: 'Bytes that are no text.' },
)

const TextOrBytes = Type.Union([Type.String(), Base64])

const Header = Type.Tuple([Type.String(), Type.Union([TextOrBytes, Type.Null()])])

/** One record to append. */
export const ProducedRecord = strictObject({
  key: Type.Optional(
    Type.Union([Type.String(), Type.Integer(), Base64, Type.Null()], {
      description: 'Text, an integer (its decimal text), {"base64": …} or null.',
    }),
  ),
  value: Type.Any({
    description:
      'Required. Text is stored as its UTF-8, {"base64": …} as those bytes, null as a tombstone, anything else as its own JSON text.',
  }),
  headers: Type.Optional(
    Type.Union([
      Type.Record(Type.String(), Type.Union([TextOrBytes, Type.Null()])),
      Type.Array(Header),
    ]),
  ),
  partition: Type.Optional(PartitionNumber),
  timestamp: Type.Optional(
    Type.Union([Timestamp, Type.String()], {
      description: 'Milliseconds since 1970, or RFC 3339 with a zone. Absent: now.',
    }),
  ),
})

export const ProducedRecords = Type.Union([
  ProducedRecord,
  strictObject({ records: Type.Array(ProducedRecord, { minItems: 1 }) }),
])

/**
 * What became of one record: an offset, or (outcome `partial`) an error. The timestamp is left out of the
 * answer to a repeat.
 */
export const AppendedRecord = strictObject({
  partition: PartitionNumber,
  offset: Type.Optional(Offset),
  timestamp: Type.Optional(Timestamp),
  error: Type.Optional(strictObject({ code: ErrorName, detail: Type.String() })),
})

export const ProduceReply = strictObject({
  topic: TopicName,
  durability: Durability,
  inSyncReplicas: Type.Integer({ minimum: 1 }),
  offsets: Type.Array(AppendedRecord),
  duplicate: Type.Optional(
    Type.Boolean({ description: 'True: these were appended before; the first offsets are given.' }),
  ),
})

/** The document after an upload of lines. */
export const UploadReply = strictObject({
  topic: TopicName,
  lines: Type.Integer({ minimum: 0 }),
  appended: Type.Integer({ minimum: 0 }),
  refused: Type.Integer({ minimum: 0 }),
  resumeAtLine: Type.Integer({
    minimum: 1,
    description: 'Send again from this line on to go on. Lines count from 1.',
  }),
  durability: Type.Optional(Durability),
  partitions: Type.Optional(
    Type.Array(
      strictObject({
        partition: PartitionNumber,
        count: Type.Integer({ minimum: 0 }),
        firstOffset: Offset,
        lastOffset: Offset,
      }),
      { description: 'Absent with acks=0: nobody waited for offsets.' },
    ),
  ),
  errors: Type.Array(
    strictObject({
      line: Type.Integer({ minimum: 1 }),
      code: ErrorName,
      detail: Type.String(),
    }),
    { maxItems: ERRORS_LISTED_MAX },
  ),
})

/** One record as it is read. */
export const ReadRecord = strictObject({
  partition: PartitionNumber,
  offset: Offset,
  timestamp: Timestamp,
  key: Type.Union([TextOrBytes, Type.Null()]),
  value: Type.Any({ description: 'By as=: embedded JSON, text, {"base64": …} or null.' }),
  headers: Type.Array(Header),
})

/** Longer than any text in a query needs to be; the request line has a limit of its own. */
export const TEXT_CHARACTERS_MAX = 4_096

const Text = (description: string) =>
  Type.Optional(Type.String({ maxLength: TEXT_CHARACTERS_MAX, description }))

/** Which records a reading route gives: those that pass all that are said. */
export const RECORD_FILTER = {
  key: Text('Only records with this key.'),
  header: Text('Only records with this header: name:value.'),
  contains: Text('Only records whose value contains this text.'),
}

export const ValueView = Type.Optional(
  Type.Union([Type.Literal('auto'), Type.Literal('json'), Type.Literal('base64')], {
    description: 'How bytes become JSON values.',
  }),
)

/** A line of a stream that is no record. */
export const StreamControl = Type.Union([
  strictObject({
    checkpoint: Type.String({
      maxLength: CURSOR_CHARACTERS_MAX,
      description: 'Where the reader is; at the beginning, and at least every 10 s.',
    }),
  }),
  strictObject({ problem: Problem }, { description: 'What went wrong: the stream is over.' }),
  strictObject({
    end: strictObject({
      cursor: Type.String({ maxLength: CURSOR_CHARACTERS_MAX }),
      reason: Type.Union([
        Type.Literal('limit'),
        Type.Literal('until'),
        Type.Literal('latest'),
        Type.Literal('stopping'),
      ]),
    }),
  }),
])

export const PartitionPage = strictObject({
  records: Type.Array(ReadRecord),
  nextOffset: Offset,
  highWatermark: Offset,
  logStartOffset: Offset,
})

export const TopicPage = strictObject({
  records: Type.Array(ReadRecord),
  cursor: Type.String({ maxLength: CURSOR_CHARACTERS_MAX }),
  partitions: Type.Array(
    strictObject({
      partition: PartitionNumber,
      nextOffset: Offset,
      highWatermark: Offset,
      logStartOffset: Offset,
    }),
  ),
})

export type ProduceReply = Static<typeof ProduceReply>
export type AppendedRecord = Static<typeof AppendedRecord>
export type UploadReply = Static<typeof UploadReply>
export type PartitionPage = Static<typeof PartitionPage>
export type TopicPage = Static<typeof TopicPage>
