/** The routes that write and read records. */

import {
  BATCHES_TYPE,
  BYTES_TYPE,
  EVENT_STREAM_TYPE,
  JSON_TYPE,
  MSGPACK_TYPE,
  NDJSON_TYPE,
} from '../media-types.ts'
import { defineRoute } from '../route.ts'
import { Type } from '../schema.ts'
import { Acks, FetchEnvelope, ProduceEnvelope } from '../schemas/envelopes.ts'
import {
  CURSOR_CHARACTERS_MAX,
  PAGE_BYTES_DEFAULT,
  PAGE_BYTES_MAX,
  PAGE_LIMIT_DEFAULT,
  PAGE_LIMIT_MAX,
  PartitionPage,
  ProducedRecords,
  ProduceReply,
  RECORD_FILTER,
  ReadRecord,
  StreamControl,
  TEXT_CHARACTERS_MAX,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
  TopicPage,
  UploadReply,
  ValueView,
  WAIT_MS_MAX,
} from '../schemas/records.ts'
import { Offset, PartitionNumber, Position, TopicId, TopicName } from '../schemas/scalars.ts'

const Text = (description: string) =>
  Type.Optional(Type.String({ maxLength: TEXT_CHARACTERS_MAX, description }))

const USE_POST = 'records are appended with POST: with curl, -X POST -T FILE (-T alone sends PUT)'

/** How a reading route takes its place, its limits and its filters. */
const READ_QUERY = {
  from: Type.Optional(Position),
  until: Type.Optional(Position),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: `Records, counted after filtering: in a page ${PAGE_LIMIT_DEFAULT} when absent and at most ${PAGE_LIMIT_MAX}; in a stream no limit when absent.`,
    }),
  ),
  maxBytes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: PAGE_BYTES_MAX,
      description: `Decompressed bytes read for a page; ${PAGE_BYTES_DEFAULT} when absent. At least one batch is read.`,
    }),
  ),
  waitMs: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: WAIT_MS_MAX,
      description: 'How long to wait for a matching record when there is none.',
    }),
  ),
  outOfRange: Type.Optional(
    Type.Union([Type.Literal('earliest'), Type.Literal('latest')], {
      description:
        'Where to start in a partition that does not have the offset of `from` or the cursor; absent: 416.',
    }),
  ),
  as: ValueView,
  ...RECORD_FILTER,
  follow: Type.Optional(
    Type.Boolean({
      description:
        'NDJSON: go on past the end, with control lines, until `until` or `limit` if one is given. An event stream always does.',
    }),
  ),
  control: Type.Optional(
    Type.Boolean({ description: 'NDJSON: control lines also in a stream that ends.' }),
  ),
  cursor: Type.Optional(
    Type.String({
      maxLength: CURSOR_CHARACTERS_MAX,
      description:
        'Where an earlier page or stream ended; beats from. Opaque, and does not expire.',
    }),
  ),
  topicId: Type.Optional(TopicId),
}

const STREAMS = {
  [NDJSON_TYPE]: Type.Union([ReadRecord, StreamControl], {
    description: 'A line each; control lines only with follow=true or control=true.',
  }),
  [EVENT_STREAM_TYPE]: Type.String({
    description:
      'Records as events without a name; `checkpoint`, `problem` and `end` are control events.',
  }),
}

const READ_HEADERS = { 'last-event-id': 'Where a stream was cut; beats cursor and from.' }

const READ_DESCRIPTION =
  'A page (JSON, MessagePack) by default. `Accept: application/x-ndjson` streams the records up to the end of the moment it began, and no more: it ends cleanly when it is complete, and is cut when it is not. With `follow=true` it goes on, and with that or `control=true` lines without `offset` are control lines: `{"checkpoint": cursor}` (also every 10 s), `{"problem": …}`, `{"end": {cursor, reason}}`. `Accept: text/event-stream` always goes on, until `until` or `limit` if one is given.'

const READ_RESPONSES = {
  204: { description: 'The Last-Event-ID is that of an `end` event: there is nothing more.' },
}

export const RECORD_ROUTES = {
  produceRecords: defineRoute({
    method: 'POST',
    path: '/v1/topics/{topic}/records',
    operationId: 'produceRecords',
    tag: 'Produce',
    summary: 'Append records',
    description:
      'JSON and msgpack: one record or {records}. NDJSON: a record a line, endless. Anything else: the body is the value of one record. Every failure says its outcome.',
    params: { topic: TopicName },
    query: {
      acks: Type.Optional(Acks),
      partition: Type.Optional(PartitionNumber),
      key: Text('The key of the record, where the body does not give one.'),
      timeoutMs: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: TIMEOUT_MS_MAX,
          description: `How long to wait for the acknowledgement; ${TIMEOUT_MS_DEFAULT} when absent.`,
        }),
      ),
      body: Type.Optional(
        Type.Union([Type.Literal('record'), Type.Literal('value'), Type.Literal('lines')], {
          description:
            'record: the body describes records; value: it is one value; lines: each line is a value.',
        }),
      ),
      as: Type.Optional(
        Type.Union([Type.Literal('auto'), Type.Literal('json')], {
          description: 'json: every value that is not null is stored as JSON text.',
        }),
      ),
      keyFrom: Text('body=lines: a JSON Pointer to the key in each line.'),
      timestampFrom: Text('body=lines: a JSON Pointer to the timestamp in each line.'),
      onError: Type.Optional(
        Type.Union([Type.Literal('stop'), Type.Literal('skip')], {
          description: 'Uploads: what to do after a malformed line; stop when absent.',
        }),
      ),
      expectOffset: Type.Optional(Offset),
    },
    headers: {
      'spool-producer-id': 'With epoch and sequence: append once only. Needs partition=.',
      'spool-producer-epoch': 'See spool-producer-id.',
      'spool-sequence': 'The sequence of the first record in its partition.',
      'spool-key': 'Raw bodies: the key, percent-encoded UTF-8.',
      'spool-timestamp': 'Raw bodies: milliseconds since 1970.',
      'spool-partition': 'Raw bodies: the partition.',
      'spool-tombstone': 'Raw bodies: true, with an empty body, is a null value.',
    },
    body: {
      kind: 'stream',
      schema: ProducedRecords,
      content: {
        [JSON_TYPE]: ProducedRecords,
        [NDJSON_TYPE]: ProducedRecords,
        [MSGPACK_TYPE]: ProducedRecords,
        '*/*': 'bytes',
      },
      isRequired: false,
    },
    responses: {
      200: {
        description: 'Appended; for an upload, what became of its lines.',
        content: {
          [JSON_TYPE]: Type.Union([ProduceReply, UploadReply]),
          [NDJSON_TYPE]: UploadReply,
        },
      },
      202: { description: 'acks=0: taken, and nothing promised.' },
    },
    otherMethods: { PUT: USE_POST, PATCH: USE_POST },
  }),
  readPartition: defineRoute({
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}/records',
    operationId: 'readPartition',
    tag: 'Consume',
    summary: 'Read one partition: a page or a stream',
    description: `${READ_DESCRIPTION} The id of each event is the cursor after it.`,
    params: { topic: TopicName, partition: PartitionNumber },
    query: READ_QUERY,
    headers: READ_HEADERS,
    responses: {
      200: {
        description: 'A page, or a stream by Accept.',
        content: { [JSON_TYPE]: PartitionPage, ...STREAMS, [MSGPACK_TYPE]: PartitionPage },
        headers: { Link: 'rel="next": the next page.' },
      },
      ...READ_RESPONSES,
    },
  }),
  readTopic: defineRoute({
    method: 'GET',
    path: '/v1/topics/{topic}/records',
    operationId: 'readTopic',
    tag: 'Consume',
    summary: 'Read all partitions: a page or a stream',
    description: `No order between partitions, and none is starved. Over several partitions a position is no offset: earliest, latest, the last N of each, a time, or a cursor. Partitions added later are read from their beginning; a topic made anew is 410. ${READ_DESCRIPTION} Over several partitions an event has no id; an id alone comes after each chunk of records and every second: records since the last id come again after a reconnect.`,
    params: { topic: TopicName },
    query: READ_QUERY,
    headers: READ_HEADERS,
    responses: {
      200: {
        description: 'A page, or a stream by Accept.',
        content: { [JSON_TYPE]: TopicPage, ...STREAMS, [MSGPACK_TYPE]: TopicPage },
        headers: { Link: 'rel="next": the next page.' },
      },
      ...READ_RESPONSES,
    },
    otherMethods: { PUT: USE_POST },
  }),
  readRecord: defineRoute({
    method: 'GET',
    path: '/v1/topics/{topic}/partitions/{partition}/records/{offset}',
    operationId: 'readRecord',
    tag: 'Consume',
    summary: 'Read one record: raw, or as a document by Accept',
    params: { topic: TopicName, partition: PartitionNumber, offset: Offset },
    query: { as: READ_QUERY.as, topicId: READ_QUERY.topicId },
    responses: {
      200: {
        description: 'The value, under its own content type; or the record.',
        content: { [BYTES_TYPE]: 'bytes', [JSON_TYPE]: ReadRecord, [MSGPACK_TYPE]: ReadRecord },
        headers: {
          ETag: 'Of this record in this shape.',
          'spool-key': 'Percent-encoded.',
          'spool-timestamp': 'Milliseconds since 1970.',
          'spool-headers-omitted': 'How many headers did not fit.',
        },
      },
      204: { description: 'The value is null.' },
      304: { description: 'If-None-Match has it.' },
    },
    hasHead: true,
  }),
  produceBatches: defineRoute({
    method: 'POST',
    path: '/v1/produce',
    operationId: 'produceBatches',
    tag: 'Produce',
    summary: 'Append record batches as they are',
    body: {
      kind: 'stream',
      schema: ProduceEnvelope,
      content: { [BATCHES_TYPE]: 'bytes' },
      isRequired: true,
      description:
        'A 4-byte big-endian length, the envelope in msgpack, then the batches as raw bytes.',
    },
    responses: {
      200: {
        description: 'What became of each batch, in the same framing.',
        content: { [BATCHES_TYPE]: 'bytes' },
      },
      202: { description: 'acks=0: taken, and nothing promised.' },
    },
  }),
  fetchBatches: defineRoute({
    method: 'POST',
    path: '/v1/fetch',
    operationId: 'fetchBatches',
    tag: 'Consume',
    summary: 'Read record batches as they are',
    body: {
      kind: 'stream',
      schema: FetchEnvelope,
      content: { [BATCHES_TYPE]: 'bytes' },
      isRequired: true,
      description: 'A 4-byte big-endian length and the envelope in msgpack.',
    },
    responses: {
      200: {
        description: 'What was found, in the same framing, with the batches after it.',
        content: { [BATCHES_TYPE]: 'bytes' },
      },
    },
  }),
} as const
