/** Paths and queries: names that would leave a directory, numbers out of bounds, things said twice. */

import { type CaseGroup, expecting, request, type Sent } from '../hostile-case.ts'

const get = (path: string): Sent => request(`GET ${path}`)
const raw = (target: string | Buffer): Sent => ({
  pieces: [
    Buffer.concat([
      Buffer.from('GET '),
      Buffer.from(target as string, 'latin1'),
      Buffer.from(' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    ]),
  ],
})
const shortened = (path: string) =>
  path.length > 60 ? `${path.slice(0, 60)}… (${path.length})` : path

/** Refused one way or another, and nothing of the machine shown. */
const PATHS_REFUSED = [
  '/v1/topics/%2e%2e%2f',
  '/v1/topics/..%2f..%2fetc%2fpasswd',
  '/v1/topics/%252e%252e%252f',
  '/v1/topics/../../etc/passwd',
  '/../../../../etc/passwd',
  '/v1/topics/%2e',
  '/v1/topics/.',
  '/v1/topics/..',
  '/v1/topics/%00',
  '/v1/topics/a%00b',
  '/v1/topics/%ff',
  '/v1/topics/%c0%ae%c0%ae',
  '/v1/topics/%',
  '/v1/topics/%zz',
  '/v1/topics/a%2fb',
  '/v1/topics/a%5cb',
  '/v1/topics/a%0d%0aX-Evil:1',
  '/v1/topics/%1b%5b2J',
  '/v1/topics/%e2%80%aefdp',
  '/v1/topics/%d0%b0',
  '/v1/topics/%EF%BC%8E%EF%BC%8E',
  `/v1/topics/${'a'.repeat(250)}`,
  `/v1/topics/${'%61'.repeat(250)}`,
  `/v1/topics/${'x'.repeat(10_240)}`,
  `/v1/topics/${'a/'.repeat(5_000)}`,
  '/v1//topics',
  '//v1/topics',
  '/v1/topics;evil=1',
  '/v1/topics/untouched/partitions/-1/records',
  '/v1/topics/untouched/partitions/2147483648/records',
  '/v1/topics/untouched/partitions/1e0/records',
  '/v1/topics/untouched/partitions/0x0/records',
  '/v1/topics/untouched/partitions/00/records',
  '/v1/topics/untouched/partitions/2/records',
  '/v1/topics/untouched/partitions/0/records/-1',
  '/v1/topics/untouched/partitions/0/records/9007199254740992',
  '/v1/topics/untouched/partitions/0/records/NaN',
  '/v1/topics/__proto__',
  '/v1/topics/constructor',
  '/v1/topics/hasOwnProperty',
  '/__proto__',
  '/constructor/prototype',
]

export const PATHS: CaseGroup = {
  name: 'paths',
  cases: [
    ...PATHS_REFUSED.map((path) =>
      expecting(shortened(path), get(path), [400, 404, 414], undefined, {
        hasNot: /root:|X-Evil:1\r/,
      }),
    ),
    expecting(
      'bytes that are no text',
      raw(Buffer.from('/v1/topics/\xff\xfe', 'latin1')),
      [400, 404],
    ),
    expecting('a backslash', raw('/v1\\topics'), [400, 404]),
    expecting('a fragment', raw('/v1/topics#x'), [400, 404]),
    expecting('a star', raw('*'), [400, 404]),
    expecting(
      'a name of 249 characters',
      get(`/v1/topics/${'a'.repeat(249)}`),
      404,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
    expecting(
      'an internal topic, written',
      request('POST /v1/topics/__internal/records', {
        headers: { 'content-type': 'text/plain' },
        body: 'x',
      }),
      [400, 403, 404],
    ),
  ],
}

const READ = '/v1/topics/trimmed/partitions/0/records'
const QUERIES_REFUSED = [
  'limit=0',
  'limit=-1',
  'limit=1e9',
  'limit=10001',
  'limit=abc',
  'limit=',
  'limit=NaN',
  'limit=Infinity',
  'limit=0x10',
  'limit=%31%30%ff',
  'limit=5&limit=5',
  'limit[]=5',
  'limit[__proto__]=5',
  'maxBytes=0',
  'maxBytes=-1',
  'maxBytes=67108865',
  'maxBytes=9007199254740992',
  'waitMs=-1',
  'waitMs=30001',
  'waitMs=1e12',
  'waitMs=9007199254740993',
  'from=-9007199254740992',
  'from=9007199254740992',
  'from=18446744073709551615',
  'from=%ff',
  'from=@9e99',
  'from=@-1',
  'from=@9007199254740992',
  'from=-PT9999999999999H',
  'from=2025-01-01T00:00:00',
  'from=2025-99-99T00:00:00Z',
  'from=earliest&from=latest',
  `from=${'1'.repeat(5_000)}`,
  'until=-PT1X',
  'outOfRange=middle',
  'as=text',
  'key=%ff',
  'header=nocolon',
  `contains=${'x'.repeat(5_000)}`,
  'topicId=../../x',
  '__proto__=1',
  'constructor=1',
  'toString=1',
  '=1',
  'timeout=1e12',
  'Limit=1',
]

export const QUERIES: CaseGroup = {
  name: 'queries',
  cases: [
    ...QUERIES_REFUSED.map((query) =>
      expecting(shortened(query), get(`${READ}?${query}`), 400, 'INVALID_REQUEST'),
    ),
    expecting(
      'a thousand parameters',
      get(`${READ}?${'a=1&'.repeat(1_000)}`),
      400,
      'INVALID_REQUEST',
    ),
    expecting('nothing but separators', get(`${READ}?${'&'.repeat(10_000)}`), 200),
    expecting('below what is kept', get(`${READ}?from=3`), 416, 'OFFSET_OUT_OF_RANGE'),
    expecting('beyond the end', get(`${READ}?from=11`), 416, 'OFFSET_OUT_OF_RANGE'),
    expecting(
      'far beyond the end',
      get(`${READ}?from=9007199254740991`),
      416,
      'OFFSET_OUT_OF_RANGE',
    ),
    expecting('the last 2^53-1', get(`${READ}?from=-9007199254740991`), 200),
    expecting(
      'a bare offset over two partitions',
      get('/v1/topics/untouched/offsets?at=0'),
      400,
      'INVALID_REQUEST',
    ),
    expecting('the list, limit=1e9', get('/v1/topics?limit=1e9'), 400, 'INVALID_REQUEST'),
    expecting('the list, limit=1001', get('/v1/topics?limit=1001'), 400, 'INVALID_REQUEST'),
    expecting(
      'the list, after= 250 characters',
      get(`/v1/topics?after=${'a'.repeat(250)}`),
      400,
      'INVALID_REQUEST',
    ),
    expecting(
      'trim beyond the end',
      request(`DELETE ${READ}?before=11`),
      416,
      'OFFSET_OUT_OF_RANGE',
    ),
    expecting(
      'trim to 2^53',
      request(`DELETE ${READ}?before=9007199254740992`),
      400,
      'INVALID_REQUEST',
    ),
    expecting('trim to -1', request(`DELETE ${READ}?before=-1`), 400, 'INVALID_REQUEST'),
    expecting('trim, but not said where', request(`DELETE ${READ}`), 400, 'INVALID_REQUEST'),
    ...[
      'partition=-1',
      'partition=2147483648',
      'acks=2',
      'acks=-1',
      'acks=all&acks=0',
      'timeoutMs=0',
      'timeoutMs=300001',
      'timeoutMs=1e12',
      'expectOffset=0',
      'expectOffset=9007199254740992&partition=0',
      'body=script',
      'as=xml',
      'keyFrom=x',
      'onError=skip',
    ].map((query) =>
      expecting(
        `produce, ${query}`,
        request(`POST /v1/topics/untouched/records?${query}`, {
          headers: { 'content-type': 'application/json' },
          body: '{"value":1}',
        }),
        400,
        query.startsWith('acks=2') || query === 'acks=-1'
          ? 'INVALID_REQUIRED_ACKS'
          : 'INVALID_REQUEST',
      ),
    ),
    expecting(
      'produce, partition=2147483647',
      request('POST /v1/topics/untouched/records?partition=2147483647', {
        headers: { 'content-type': 'application/json' },
        body: '{"value":1}',
      }),
      404,
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
  ],
}
