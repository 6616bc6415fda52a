/**
 * Whatever a reader over `fetch` is streamed, it does not crash, hang on nothing or give records that are
 * none: it fails with a typed error, or opens the stream again where that may help.
 */

import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { connect } from '../../../client/web.ts'
import { collect, failure } from './doors.ts'
import { StandInBroker, type StreamScript, TOPIC } from './stand-in-broker.ts'

const QUICK = { retryBackoffMs: 1, retryBackoffMsMax: 5 }

const record = (offset: number, more: object = {}) =>
  `${JSON.stringify({ partition: 0, offset, timestamp: 1, key: null, value: `v${offset}`, headers: [], ...more })}\n`

const records = (from: number, until: number) =>
  Array.from({ length: until - from }, (_, at) => record(from + at)).join('')

function begin(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'application/x-ndjson' })
}

const whole: StreamScript = (offset, response) => begin(response).end(records(offset, 10))

async function readAll(script: StreamScript) {
  await using broker = await StandInBroker.startStreams(script)
  await using client = connect({ url: broker.url, ...QUICK })
  const reading = collect(client.reader(TOPIC, { until: 'latest' }))
  const found = await reading.then(
    (them) => ({ offsets: them.map(({ offset }) => offset), error: undefined }),
    (error: unknown) => ({ offsets: [], error }),
  )
  return { ...found, asked: broker.asked }
}

const strange: [string, string, string][] = [
  ['text', 'hello\n', 'UNKNOWN_SERVER_ERROR'],
  ['a page', '<html>\n<p>\n', 'UNKNOWN_SERVER_ERROR'],
  ['a number', '5\n', 'UNKNOWN_SERVER_ERROR'],
  ['null', 'null\n', 'UNKNOWN_SERVER_ERROR'],
  ['a list', '[]\n', 'UNKNOWN_SERVER_ERROR'],
  [
    'a record without a value',
    '{"partition":0,"offset":0,"timestamp":1}\n',
    'UNKNOWN_SERVER_ERROR',
  ],
  ['a text for an offset', record(0, { offset: '0' }), 'UNKNOWN_SERVER_ERROR'],
  ['an offset beyond numbers', record(0, { offset: 2 ** 60 }), 'UNKNOWN_SERVER_ERROR'],
  ['a number for a value', record(0, { value: 5 }), 'UNKNOWN_SERVER_ERROR'],
  ['headers that are none', record(0, { headers: { a: 'b' } }), 'UNKNOWN_SERVER_ERROR'],
  ['a header without a name', record(0, { headers: [[null, 'b']] }), 'UNKNOWN_SERVER_ERROR'],
  ['a cursor that is no text', '{"checkpoint":7}\n', 'UNKNOWN_SERVER_ERROR'],
  ['a cursor that is none', '{"checkpoint":"AQIDBA"}\n', 'CORRUPT_MESSAGE'],
  ['an end without a cursor', '{"end":{}}\n', 'UNKNOWN_SERVER_ERROR'],
  ['a problem that is none', '{"problem":"no"}\n', 'UNKNOWN_SERVER_ERROR'],
  ['a problem', '{"problem":{"code":"FORBIDDEN_ORIGIN","detail":"no"}}\n', 'FORBIDDEN_ORIGIN'],
  ['broken batches in the log', '{"problem":{"code":"CORRUPT_MESSAGE"}}\n', 'CORRUPT_MESSAGE'],
]
test.each(strange)('%s ends the reader', async (_, lines, code) => {
  const { error } = await readAll((_offset, response) => begin(response).end(lines))
  expect(error).toMatchObject({ name: 'SpoolError', code })
})

test('bytes that are no text end the reader', async () => {
  const { error } = await readAll((_, response) =>
    begin(response).end(Buffer.from([0x7b, 0xff, 0xfe, 0x0a])),
  )
  expect(error).toMatchObject({ name: 'SpoolError', code: 'CORRUPT_MESSAGE' })
})

test('base64 that is none says which record it is of', async () => {
  await using broker = await StandInBroker.startStreams((_, response) =>
    begin(response).end(records(0, 3) + record(3, { value: { base64: '!' } })),
  )
  await using client = connect({ url: broker.url, ...QUICK })
  const reader = client.reader(TOPIC, { until: 'latest' })
  expect(await failure(collect(reader))).toMatchObject({
    code: 'CORRUPT_MESSAGE',
    extensions: { partition: 0, offset: 3 },
  })
  expect(reader.position()).toEqual({ 0: 3 })
})

test('records nobody asked for are not given', async () => {
  const { offsets } = await readAll((_, response) =>
    begin(response).end(
      record(0) + record(0) + record(0, { partition: 7 }) + records(0, 10) + record(10),
    ),
  )
  expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('control lines of a later broker are passed over', async () => {
  const { offsets } = await readAll((_, response) =>
    begin(response).end(`{"news":{"a":1}}\n${records(0, 10)}`),
  )
  expect(offsets).toHaveLength(10)
})

describe('what may pass is tried again, and nothing comes twice', () => {
  const passing: [string, StreamScript][] = [
    ['a stream that ends early', (_, response) => begin(response).end()],
    ['one that breaks', (_, response) => begin(response).flushHeaders() ?? response.destroy()],
    [
      'one that ends in the middle of a line',
      (offset, response) => begin(response).end(record(offset).slice(0, 20)),
    ],
    ['what stands between', (_, response) => response.writeHead(502).end('bad gateway')],
    [
      'a problem that passes',
      (_, response) => begin(response).end('{"problem":{"code":"BROKER_STOPPING"}}\n'),
    ],
  ]
  test.each(passing)('%s', async (_, script) => {
    const left = [
      script,
      ((offset, response) => begin(response).end(records(offset, 4))) as StreamScript,
      script,
    ]
    const found = await readAll((...call) => (left.shift() ?? whole)(...call))
    expect(found.offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(found.asked).toEqual([0, 0, 4, 4])
  })
})
