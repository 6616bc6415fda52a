/** Clients that are slow on purpose, or stop in the middle. The broker under test has short limits. */

import { batchOf } from '../bad-batches.ts'
import { produceBody } from '../binary-requests.ts'
import { type CaseGroup, expecting, type Sent } from '../hostile-case.ts'

const SILENCE_MS = 5_000
const POST = 'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
const UPLOAD =
  'POST /v1/topics/taken/records HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n'

const slowly = (pieces: readonly (string | Buffer)[], pauseMs = 60): Sent => ({
  pieces,
  pauseMs,
  silenceMs: SILENCE_MS,
})
const then = (...pieces: readonly (string | Buffer)[]): Sent => ({ pieces, silenceMs: SILENCE_MS })
const cut = { isClosed: true }

const binary = produceBody(batchOf())
const BINARY_HEAD = `POST /v1/produce HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.spool.batches\r\nContent-Length: ${binary.length}\r\n\r\n`

export const SLOW: CaseGroup = {
  name: 'slow on purpose',
  cases: [
    expecting('a connection that says nothing', then(), [0, 408], undefined, cut),
    expecting('half a request line', then('GET /health'), 408, 'REQUEST_BODY_TIMEOUT', cut),
    expecting(
      'headers byte by byte',
      slowly([...'GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-A: bcdefghi']),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'headers line by line, each in good time',
      slowly([
        'GET /health/live HTTP/1.1\r\nHost: localhost\r\n',
        ...Array<string>(60).fill('X-A: b\r\n'),
      ]),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'a body that never comes',
      then(`${POST}Content-Length: 19\r\n\r\n`),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'a body that stops',
      then(`${POST}Content-Length: 19\r\n\r\n{"na`),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'a body that trickles',
      slowly([`${POST}Content-Length: 1000\r\n\r\n`, ...Array<string>(80).fill(' ')]),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'chunks that trickle',
      slowly([
        `${POST}Transfer-Encoding: chunked\r\n\r\n`,
        ...Array<string>(80).fill('1\r\n \r\n'),
      ]),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'a chunk size that stops',
      then(`${POST}Transfer-Encoding: chunked\r\n\r\n1`),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting(
      'batches that stop',
      then(BINARY_HEAD, binary.subarray(0, 50)),
      408,
      'REQUEST_BODY_TIMEOUT',
      cut,
    ),
    expecting('an upload that stops', then(UPLOAD, '6\r\n{"val'), 408, undefined, cut),
    expecting('an upload that says nothing', then(UPLOAD), 408, undefined, cut),
    expecting(
      'the second request on a connection stops',
      then('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea'),
      // Cut as idle where the connection's time between requests is over first.
      [200, 408],
      undefined,
      { ...cut, answers: 2 },
    ),
  ],
}

const line = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const END = '0\r\n\r\n'

export const UPLOADS: CaseGroup = {
  name: 'uploads',
  cases: [
    expecting(
      'a line above max.message.bytes',
      then(UPLOAD.replace('taken', 'small'), line(`{"value":"${'x'.repeat(5_000)}"}\n`), END),
      413,
      undefined,
      { has: /MESSAGE_TOO_LARGE/ },
    ),
    expecting(
      'a line without end',
      then(UPLOAD.replace('taken', 'small'), ...Array<string>(40).fill(line('x'.repeat(60_000)))),
      [400, 413, 422],
      undefined,
      {},
    ),
    expecting(
      'a line that is no JSON',
      then(UPLOAD, line('{"value":1}\nnonsense\n{"value":2}\n'), END),
      400,
      undefined,
      { has: /"appended":1,"refused":1,"resumeAtLine":2/ },
    ),
    expecting(
      'a line that is deep',
      then(UPLOAD, line(`{"value":${'['.repeat(100_000)}\n`), END),
      400,
      undefined,
      { has: /"refused":1/ },
    ),
    expecting(
      'a line that is no UTF-8',
      { pieces: [UPLOAD, Buffer.from('3\r\n\xff\xfe\n\r\n0\r\n\r\n', 'latin1')] },
      400,
      undefined,
      { has: /"refused":1/ },
    ),
    expecting(
      '10,000 bad lines, passed over',
      then(UPLOAD.replace('/records', '/records?onError=skip'), line('{}\n'.repeat(10_000)), END),
      422,
      undefined,
      { has: /"refused":10000/, hasNot: /"line":101,/ },
    ),
    expecting(
      '100,000 empty lines',
      then(UPLOAD, line('\n'.repeat(100_000)), END),
      200,
      undefined,
      { has: /"appended":0/ },
    ),
    expecting(
      'a last line that was cut',
      then(UPLOAD, line('{"value":1}\n{"value":2}')),
      408,
      undefined,
      { has: /"appended":1/ },
    ),
  ].map((each) => ({ ...each, sends: each.sends.map((sent) => ({ ...sent, silenceMs: 1_500 })) })),
}
