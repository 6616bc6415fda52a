/** MessagePack and frames: counts beyond the end, extensions, depth, lengths that lie. */

import { Packr } from 'msgpackr'
import { fetchRaw, frame, frameOf, produceRaw } from '../binary-requests.ts'
import { type CaseGroup, expecting, request } from '../hostile-case.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true })

const text = (value: string) => [0xa0 + value.length, ...Buffer.from(value)]
/** A map of one member, `value`, whose packed bytes are given. */
const withValue = (...packed: number[]) => Buffer.from([0x81, ...text('value'), ...packed])

const PACKED: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['an array of 2^32-1', Buffer.from([0xdd, 255, 255, 255, 255])],
  ['a map of 2^32-1', Buffer.from([0xdf, 255, 255, 255, 255])],
  ['a text of 2^32-1 bytes', withValue(0xdb, 255, 255, 255, 255)],
  ['binary of 2^32-1 bytes', withValue(0xc6, 255, 255, 255, 255)],
  [
    'an array of 60,000 in 100 bytes',
    Buffer.concat([Buffer.from([0xdc, 0xea, 0x60]), Buffer.alloc(100)]),
  ],
  ['arrays 200,000 deep', Buffer.alloc(200_000, 0x91)],
  ['maps 200,000 deep', Buffer.alloc(200_000, 0x81)],
  ['a timestamp extension', withValue(0xd6, 0xff, 0, 0, 0, 0)],
  ['an extension of the library (records)', withValue(0xd4, 0x72, 0x40)],
  ['an extension of 2^32-1 bytes', withValue(0xc9, 255, 255, 255, 255, 1)],
  ['the marker that is never used', withValue(0xc1)],
  ['bytes after the end', Buffer.concat([withValue(0xc0), Buffer.from([0xc0])])],
  ['half a value', withValue(0xcf, 0, 0)],
  ['a text that is no UTF-8', withValue(0xa1, 0xff)],
  ['a name that is no UTF-8', Buffer.from([0x81, 0xa1, 0xff, 0xc0])],
  ['JSON', Buffer.from('{"value":1}')],
]

const PACKED_RECORDS: readonly (readonly [string, Buffer])[] = [
  ['a name twice', Buffer.from([0x82, ...text('value'), 1, ...text('value'), 2])],
  ['__proto__', Buffer.from([0x82, ...text('value'), 1, ...text('__proto__'), 0x80])],
  ['a number as a name', Buffer.from([0x82, ...text('value'), 1, 7, 1])],
  ['NaN', withValue(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0)],
  ['Infinity', withValue(0xca, 0x7f, 0x80, 0, 0)],
  [
    'a timestamp of 2^63',
    Buffer.from([0x82, ...text('value'), 1, ...text('timestamp'), 0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0]),
  ],
  [
    'a partition of 0.5',
    Buffer.from([
      0x82,
      ...text('value'),
      1,
      ...text('partition'),
      0xcb,
      0x3f,
      0xe0,
      0,
      0,
      0,
      0,
      0,
      0,
    ]),
  ],
  [
    'a key of 1.5',
    Buffer.from([0x82, ...text('value'), 1, ...text('key'), 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
  ],
]

const post = (body: Buffer) =>
  request('POST /v1/topics/untouched/records', {
    headers: { 'content-type': 'application/msgpack' },
    body,
  })

export const PACKED_BODIES: CaseGroup = {
  name: 'records in MessagePack',
  cases: [
    ...PACKED.map(([name, body]) => expecting(name, post(body), 400, 'INVALID_REQUEST')),
    ...PACKED_RECORDS.map(([name, body]) => expecting(name, post(body), [400, 422])),
  ],
}

const envelope = (more: object = {}, batch: object = {}) => ({
  acks: 'all',
  timeoutMs: 5_000,
  batches: [{ topic: 'untouched', partition: 0, bytes: 0, ...batch }],
  ...more,
})
const withMember = (name: string, value: unknown) =>
  new Map<string, unknown>(Object.entries(envelope())).set(name, value)

const FRAMES: readonly (readonly [string, Buffer])[] = [
  ['an empty body', Buffer.alloc(0)],
  ['three bytes', Buffer.from([0, 0, 0])],
  ['a length and nothing', Buffer.from([0, 0, 0, 0])],
  ['a length of 2^32-1', Buffer.from([255, 255, 255, 255])],
  ['a length of 2^31', Buffer.from([128, 0, 0, 0, 0x80])],
  ['a length one too long', Buffer.from([0, 0, 0, 2, 0x80])],
  ['bytes nobody announced', frame(envelope(), Buffer.alloc(5))],
  ['fewer bytes than announced', frame(envelope({}, { bytes: 500 }), Buffer.alloc(5))],
  ['a size of -1', frame(envelope({}, { bytes: -1 }))],
  ['a size of 2^60', frame(envelope({}, { bytes: 2n ** 60n }))],
  ['a size of NaN', frame(envelope({}, { bytes: Number.NaN }))],
  ['a size as a text', frame(envelope({}, { bytes: '0' }))],
  ['an unknown member', frame(envelope({ leader: 1 }))],
  ['__proto__', frame(withMember('__proto__', { acks: 1 }))],
  ['constructor', frame(withMember('constructor', {}))],
  ['no batches', frame(envelope({ batches: [] }))],
  ['batches that are a map', frame(envelope({ batches: {} }))],
  [
    'a member twice',
    frameOf(
      Buffer.concat([
        Buffer.from([0x84]),
        packr.pack(envelope()).subarray(1),
        Buffer.from([...text('acks'), 0]),
      ]),
    ),
  ],
  ['an extension', frame(envelope({ at: new Date(0) }))],
  ['arrays 200,000 deep', frameOf(Buffer.alloc(200_000, 0x91))],
  ['an array of 2^32-1', frameOf(Buffer.from([0xdd, 255, 255, 255, 255]))],
  ['nil', frameOf(Buffer.from([0xc0]))],
  ['a number', frameOf(Buffer.from([7]))],
  ['JSON', Buffer.from('{"acks":1}')],
]

export const FRAMING: CaseGroup = {
  name: 'frames of the binary routes',
  cases: [
    ...FRAMES.map(([name, body]) => expecting(`produce, ${name}`, produceRaw(body), [400, 413])),
    ...FRAMES.map(([name, body]) => expecting(`fetch, ${name}`, fetchRaw(body), [400, 413])),
    expecting(
      'produce, JSON as its type',
      request('POST /v1/produce', { headers: { 'content-type': 'application/json' }, body: '{}' }),
      415,
    ),
    expecting('fetch, no type', request('POST /v1/fetch', { body: '{}' }), 415),
    expecting(
      'fetch, an envelope of 9 MiB',
      fetchRaw(frameOf(Buffer.alloc(9 << 20))),
      413,
      'REQUEST_TOO_LARGE',
      { isClosed: true },
    ),
    expecting(
      'produce, 10,001 batches',
      produceRaw(frame(envelope({ batches: Array(10_001).fill(envelope().batches[0]) }))),
      400,
    ),
  ],
}
