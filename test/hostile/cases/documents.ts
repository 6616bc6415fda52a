/** Bodies that are text: JSON that is deep, doubled, half or too clever; records that can not be stored. */

import {
  type CaseGroup,
  expecting,
  type HostileCase,
  postJson,
  request,
  type Sent,
} from '../hostile-case.ts'

const RECORDS = '/v1/topics/untouched/records'
const SURROGATE = String.raw`\ud800`
const DEEP = 200_000

const bytes = (...parts: readonly (string | number[])[]) =>
  Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))),
  )

const NOT_JSON: readonly (readonly [string, string | Buffer])[] = [
  ['nothing', ''],
  ['half of a text', '{"value":'],
  ['two texts', '{"value":1}{"value":2}'],
  ['a name twice', '{"value":1,"value":2}'],
  ['a name twice, once escaped', String.raw`{"value":1,"\u0076alue":2}`],
  ['a name twice inside a value', '{"value":{"a":1,"a":2}}'],
  ['arrays 200,000 deep', `{"value":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`],
  ['objects 150,000 deep', `{"value":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`],
  ['200,000 open brackets', '['.repeat(DEEP)],
  ['a byte order mark', '\ufeff{"value":1}'],
  ['UTF-16', Buffer.from('{"value":1}', 'utf16le')],
  ['NaN', '{"value":NaN}'],
  ['Infinity', '{"value":-Infinity}'],
  ['a comment', '{"value":1/*x*/}'],
  ['a comma too many', '{"value":1,}'],
  ['single quotes', "{'value':1}"],
  ['a leading zero', '{"value":01}'],
  ['a plus', '{"value":+1}'],
  ['hexadecimal', '{"value":0x1}'],
  ['a raw line break in a text', '{"value":"a\nb"}'],
  ['a NUL in a text', '{"value":"a\0b"}'],
  ['an unknown escape', String.raw`{"value":"\x41"}`],
  ['bytes that are no UTF-8', bytes('{"value":"', [0xff], '"}')],
  ['an overlong slash', bytes('{"value":"', [0xc0, 0xaf], '"}')],
  ['a surrogate in UTF-8', bytes('{"value":"', [0xed, 0xa0, 0x80], '"}')],
  ['beyond Unicode', bytes('{"value":"', [0xf4, 0x90, 0x80, 0x80], '"}')],
  ['half of a character', bytes('{"value":"', [0xe2, 0x82], '"}')],
  ['no records', '{"records":[]}'],
]

const NOT_A_RECORD: readonly (readonly [string, string])[] = [
  ['an unknown member', '{"value":1,"val":2}'],
  ['__proto__ as a member', '{"value":1,"__proto__":{"polluted":1}}'],
  ['constructor as a member', '{"value":1,"constructor":{}}'],
  ['no value', '{"key":"a"}'],
  ['an array', '[1]'],
  ['a number', '7'],
  ['null', 'null'],
  ['a lone surrogate in a value', `{"value":"${SURROGATE}"}`],
  ['a lone surrogate in a key', `{"key":"${SURROGATE}","value":1}`],
  ['a lone surrogate in a header name', `{"value":1,"headers":{"${SURROGATE}":"x"}}`],
  ['a lone surrogate in a header', `{"value":1,"headers":{"a":"${SURROGATE}"}}`],
  ['surrogates the wrong way round', String.raw`{"value":"\udc00\ud800"}`],
  ['base64 without padding', '{"value":{"base64":"AP8"}}'],
  ['base64 with a space', '{"value":{"base64":"AP8 AP8="}}'],
  ['base64 for URLs', '{"value":{"base64":"-_8="}}'],
  ['base64 that is a number', '{"value":{"base64":1}}'],
  ['base64 with bits left over', '{"value":{"base64":"AP9="}}'],
  ['a key of 1.5', '{"key":1.5,"value":1}'],
  ['a key of 1e400', '{"key":1e400,"value":1}'],
  ['a key that is an object', '{"key":{"a":1},"value":1}'],
  ['a key that is true', '{"key":true,"value":1}'],
  ['headers that are a text', '{"value":1,"headers":"x"}'],
  ['a header that is a number', '{"value":1,"headers":{"a":1}}'],
  ['a header of three', '{"value":1,"headers":[["a","b","c"]]}'],
  ['partition -1', '{"value":1,"partition":-1}'],
  ['partition 1.5', '{"value":1,"partition":1.5}'],
  ['partition as a text', '{"value":1,"partition":"0"}'],
  ['records inside records', '{"records":[{"records":[{"value":1}]}]}'],
]

const NOT_A_TIME = [
  '-2',
  '9007199254740993',
  '99999999999999',
  '1e400',
  '1.5',
  '"2025-01-01T00:00:00"',
  '"2025-13-01T00:00:00Z"',
]

const refused = ([name, body]: readonly [string, string | Buffer]): HostileCase =>
  expecting(name, postJson(RECORDS, body), 400, 'INVALID_REQUEST', { has: /"outcome":"refused"/ })

const unstorable = ([name, body]: readonly [string, string]): HostileCase =>
  expecting(name, postJson(RECORDS, body), 422, 'INVALID_RECORD', { has: /"outcome":"refused"/ })

export const JSON_RECORDS: CaseGroup = {
  name: 'records in JSON',
  cases: [
    ...NOT_JSON.map(refused),
    ...NOT_A_RECORD.map(unstorable),
    ...NOT_A_TIME.map((time) =>
      expecting(
        `the timestamp ${time}`,
        postJson(RECORDS, `{"value":1,"timestamp":${time}}`),
        422,
        'INVALID_TIMESTAMP',
      ),
    ),
    ...[
      '{"value":1}',
      '{"key":null,"value":1}',
      '{"records":[{"key":"a","value":1},{"value":1}]}',
    ].map((body) =>
      expecting(
        `${body} for a compacted topic`,
        postJson('/v1/topics/keyed/records', body),
        422,
        'INVALID_RECORD',
        { has: /has no key/ },
      ),
    ),
    expecting(
      'a partition that is not there',
      postJson(RECORDS, '{"value":1,"partition":9}'),
      [404, 422],
      'UNKNOWN_TOPIC_OR_PARTITION',
    ),
    expecting(
      '2 MiB for a body of 1 MiB',
      postJson(RECORDS, JSON.stringify({ value: 'x'.repeat(2 << 20) })),
      413,
      'REQUEST_TOO_LARGE',
      { isClosed: true },
    ),
    expecting(
      'a record above max.message.bytes',
      postJson('/v1/topics/small/records', JSON.stringify({ value: 'x'.repeat(4_000) })),
      413,
      'MESSAGE_TOO_LARGE',
    ),
    expecting(
      '60,000 headers in one record',
      postJson(
        '/v1/topics/untouched/records',
        `{"value":1,"headers":[${Array(60_000).fill('["",null]').join()}]}`,
      ),
      [413, 422],
    ),
    expecting(
      '100,000 bad records',
      patiently(postJson(RECORDS, `{"records":[${Array(100_000).fill('{}').join()}]}`)),
      422,
      'INVALID_RECORD',
      { hasNot: /"index":5000/ },
    ),
    expecting(
      '100,001 bad records',
      patiently(postJson(RECORDS, `{"records":[${Array(100_001).fill('0').join()}]}`)),
      413,
      'REQUEST_TOO_LARGE',
    ),
    expecting(
      'numbers of a million digits, kept',
      postJson('/v1/topics/taken/records', `{"value":${'9'.repeat(1_000_000)}}`),
      200,
    ),
    expecting(
      '__proto__ inside a value, kept',
      postJson(
        '/v1/topics/taken/records',
        '{"value":{"__proto__":{"polluted":1}},"headers":{"__proto__":"x"}}',
      ),
      200,
    ),
  ],
}

/** These take the broker a while, and everybody sent with them. */
function patiently(sent: Sent): Sent {
  return { ...sent, silenceMs: 5_000 }
}

const OTHER_TYPES: readonly (readonly [string, Record<string, string>, number])[] = [
  ['gzip', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
  ['br', { 'content-type': 'application/json', 'content-encoding': 'br' }, 415],
  ['gzip, gzip', { 'content-type': 'application/json', 'content-encoding': 'gzip, gzip' }, 415],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
  ['a charset that is not UTF-8', { 'content-type': 'application/json; charset=utf-7' }, 415],
  ['spool-key on JSON', { 'content-type': 'application/json', 'spool-key': 'k' }, 400],
  ['half an escape in spool-key', { 'content-type': 'text/plain', 'spool-key': '%' }, 400],
  ['a negative spool-timestamp', { 'content-type': 'text/plain', 'spool-timestamp': '-1' }, 400],
  ['a spool-partition of 1e3', { 'content-type': 'text/plain', 'spool-partition': '1e3' }, 400],
  ['a tombstone with a body', { 'content-type': 'text/plain', 'spool-tombstone': 'true' }, 400],
  [
    'a producer without an epoch',
    { 'content-type': 'application/json', 'spool-producer-id': '1' },
    400,
  ],
]

export const BODY_TYPES: CaseGroup = {
  name: 'types and headers of bodies',
  cases: OTHER_TYPES.map(([name, headers, status]) =>
    expecting(name, request(`POST ${RECORDS}`, { headers, body: '{"value":1}' }), status),
  ),
}

const CREATE = '/v1/topics'
const NAMES_REFUSED = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a\\u0000b',
  'a b',
  'é',
  '\\u202e',
  'a\\r\\nb',
  'a'.repeat(250),
  '\u0430dmin',
]
const TOPICS_REFUSED: readonly (readonly [string, number])[] = [
  ['{"name":"smuggled","partitions":0}', 400],
  ['{"name":"smuggled","partitions":-1}', 400],
  ['{"name":"smuggled","partitions":1.5}', 400],
  ['{"name":"smuggled","partitions":"3"}', 400],
  ['{"name":"smuggled","partitions":1e9}', 400],
  ['{"name":"smuggled","partitions":100000}', 429],
  ['{"name":"smuggled","partitions":null}', 400],
  ['{"name":"smuggled","replicationFactor":3}', 400],
  ['{"name":"smuggled","replicationFactor":0}', 400],
  ['{"name":"smuggled","replicas":1}', 400],
  ['{"name":"smuggled","__proto__":{"partitions":3}}', 400],
  ['{"name":"smuggled","name":"other"}', 400],
  ['{"name":null}', 400],
  ['{"name":["smuggled"]}', 400],
  ['{}', 400],
  ['[]', 400],
  ['"smuggled"', 400],
  ['{"name":"smuggled","config":{"__proto__":1}}', 400],
  ['{"name":"smuggled","config":{"constructor":1}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":-5}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":9007199254740993}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":"1e3"}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":1.5}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":{}}}', 400],
  ['{"name":"smuggled","config":{"segment.bytes":1}}', 400],
  ['{"name":"smuggled","config":{"max.message.bytes":99999999999}}', 400],
  ['{"name":"smuggled","config":{"no.such.key":1}}', 400],
  ['{"name":"smuggled","config":{"compression.type":"lzma"}}', 400],
  ['{"name":"smuggled","config":{"cleanup.policy":"compacted"}}', 400],
  ['{"name":"smuggled","config":{"cleanup.policy":"__proto__"}}', 400],
  ['{"name":"smuggled","config":{"min.cleanable.dirty.ratio":1.5}}', 400],
  ['{"name":"smuggled","config":{"min.cleanable.dirty.ratio":-0.5}}', 400],
  ['{"name":"smuggled","config":{"min.cleanable.dirty.ratio":"half"}}', 400],
  ['{"name":"smuggled","config":{"retention.ms":0.5}}', 400],
  ['{"name":"smuggled","config":[]}', 400],
]

export const TOPIC_DOCUMENTS: CaseGroup = {
  name: 'documents about topics',
  cases: [
    ...NAMES_REFUSED.map((name) =>
      expecting(
        `the name ${name.slice(0, 20) || '(empty)'}`,
        postJson(CREATE, `{"name":"${name}"}`),
        400,
        'INVALID_TOPIC_EXCEPTION',
      ),
    ),
    ...TOPICS_REFUSED.map(([body, status]) => expecting(body, postJson(CREATE, body), status)),
    expecting('a lone surrogate as a name', postJson(CREATE, `{"name":"${SURROGATE}"}`), 400),
    expecting(
      '201 settings',
      postJson(
        CREATE,
        JSON.stringify({
          name: 'smuggled',
          config: Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`k${i}`, 1])),
        }),
      ),
      400,
    ),
    expecting(
      'a document of 2 MiB',
      postJson(CREATE, `{"name":"smuggled"${' '.repeat(2 << 20)}}`),
      413,
      'REQUEST_TOO_LARGE',
      { isClosed: true },
    ),
    expecting(
      'objects 200,000 deep',
      postJson(CREATE, `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`),
      [400, 413],
    ),
    expecting(
      'a topic that is there',
      postJson(CREATE, '{"name":"untouched"}'),
      409,
      'TOPIC_ALREADY_EXISTS',
    ),
    expecting(
      'fewer partitions',
      request('PATCH /v1/topics/untouched', {
        headers: { 'content-type': 'application/json' },
        body: '{"partitions":1}',
      }),
      [400, 409],
      'INVALID_PARTITIONS',
    ),
    expecting(
      'a change of one good and one bad setting',
      request('PATCH /v1/topics/untouched', {
        headers: { 'content-type': 'application/json' },
        body: '{"config":{"retention.ms":5,"segment.bytes":1}}',
      }),
      400,
      'INVALID_CONFIG',
    ),
    expecting('… of which nothing was done', request('GET /v1/topics/untouched'), 200, undefined, {
      hasNot: /"value":5,/,
    }),
    expecting(
      'a body for DELETE',
      request('DELETE /v1/topics/nowhere', {
        headers: { 'content-type': 'application/json' },
        body: '{}',
      }),
      400,
      'INVALID_REQUEST',
    ),
  ],
}
