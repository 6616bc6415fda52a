/** Heads of requests that are no HTTP, are two things at once, or ask for what must not be: smuggling above all. */

import { type CaseGroup, expecting, type HostileCase, request, type Sent } from '../hostile-case.ts'

const POST = 'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
/** Would create a topic if it were ever taken for a request or a body of its own. */
const BODY = '{"name":"smuggled"}'
const SMUGGLED = `${POST}Content-Length: ${BODY.length}\r\n\r\n${BODY}`

const raw = (bytes: string): Sent => ({ pieces: [Buffer.from(bytes, 'latin1')] })

/** 400 and closed, before anything of it is acted on. */
function malformed(name: string, bytes: string): HostileCase {
  return expecting(name, raw(bytes), 400, 'INVALID_REQUEST', { isClosed: true, hasNot: /smuggled/ })
}

const expecting100 = (headers: Record<string, string>, line = 'POST /v1/topics') =>
  request(line, {
    headers: { 'content-type': 'application/json', expect: '100-continue', ...headers },
  })

export const NOT_HTTP: CaseGroup = {
  name: 'bytes that are no HTTP',
  cases: [
    malformed('noise', '\x00\x01\x02\x03\x04\x05\x06\x07\r\n\r\n'),
    malformed('a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    malformed('a Kafka request', '\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x00\x01'),
    malformed('an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    malformed('HTTP/9.9', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n'),
    malformed('no version', 'GET /\r\n\r\n'),
    malformed('a method nobody knows', 'EVIL / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    malformed('a header without a colon', `${POST}nonsense\r\n\r\n`),
    malformed('a NUL in a header', `${POST}X-A: b\x00c\r\n\r\n`),
    malformed('a bare CR in a header', `${POST}X-A: b\rX-B: c\r\n\r\n`),
    malformed('an empty header name', `${POST}: b\r\n\r\n`),
    malformed('a tab in the request line', 'GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    malformed('a path with a space', 'GET /v1/topics/a b HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  ],
}

export const SMUGGLING: CaseGroup = {
  name: 'smuggling',
  cases: [
    malformed(
      'Content-Length and Transfer-Encoding',
      `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ),
    malformed(
      'Transfer-Encoding and Content-Length',
      `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    ),
    malformed(
      'two lengths that differ',
      `${POST}Content-Length: 19\r\nContent-Length: 20\r\n\r\n${BODY}`,
    ),
    malformed(
      'two lengths that agree',
      `${POST}Content-Length: 19\r\nContent-Length: 19\r\n\r\n${BODY}`,
    ),
    malformed('a list of lengths', `${POST}Content-Length: 19, 19\r\n\r\n${BODY}`),
    malformed('a negative length', `${POST}Content-Length: -1\r\n\r\n${BODY}`),
    malformed('a length with a sign', `${POST}Content-Length: +19\r\n\r\n${BODY}`),
    malformed('a length in hexadecimal', `${POST}Content-Length: 0x13\r\n\r\n${BODY}`),
    malformed('a length beyond 2^64', `${POST}Content-Length: 18446744073709551617\r\n\r\n${BODY}`),
    malformed('an empty length', `${POST}Content-Length: \r\n\r\n${BODY}`),
    malformed('a space before the colon', `${POST}Content-Length : 19\r\n\r\n${BODY}`),
    malformed(
      'a folded header',
      `${POST}X-A: b\r\n Content-Length: 19\r\nContent-Length: 19\r\n\r\n${BODY}`,
    ),
    malformed(
      'a folded Transfer-Encoding',
      `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
    ),
    malformed(
      'bare line feeds',
      `POST /v1/topics HTTP/1.1\nHost: localhost\nContent-Length: 19\n\n${BODY}`,
    ),
    malformed(
      'a bare line feed after one header',
      `${POST}X-A: b\nContent-Length: 19\r\n\r\n${BODY}`,
    ),
    malformed('another coding than chunked', `${POST}Transfer-Encoding: gzip\r\n\r\n`),
    malformed('xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`),
    malformed('chunked in quotes', `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`),
    malformed('chunked twice', `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`),
    malformed(
      'chunked, then identity',
      `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ),
    malformed('a chunk size that is none', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
    malformed(
      'a chunk size beyond 2^64',
      `${POST}Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\n`,
    ),
    malformed('a negative chunk size', `${POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n`),
    malformed(
      'a chunk longer than it says',
      `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{"name":"smuggled"}\r\n0\r\n\r\n`,
    ),
    malformed(
      'a chunk that ends in a bare line feed',
      `${POST}Transfer-Encoding: chunked\r\n\r\n13\n${BODY}\n0\n\n`,
    ),
    expecting(
      'a second request in a GET with a length',
      raw(
        `GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${SMUGGLED.length}\r\nConnection: close\r\n\r\n${SMUGGLED}`,
      ),
      400,
      'INVALID_REQUEST',
      { hasNot: /smuggled/ },
    ),
    expecting(
      'a second request after 404 with a body',
      raw(
        `POST /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
      ),
      404,
      'ROUTE_NOT_FOUND',
    ),
    expecting(
      'a request after Connection: close',
      raw(`GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n${SMUGGLED}`),
      200,
      undefined,
      { hasNot: /smuggled/ },
    ),
    expecting(
      'an upgrade to h2c',
      request('GET /health/live', {
        headers: {
          connection: 'Upgrade, HTTP2-Settings',
          upgrade: 'h2c',
          'http2-settings': 'AAMAAABk',
        },
      }),
      [200, 400],
    ),
    expecting(
      'an upgrade to a WebSocket',
      request('GET /v1/topics', {
        headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      }),
      [200, 400],
    ),
    expecting(
      'CONNECT',
      raw('CONNECT evil:80 HTTP/1.1\r\nHost: evil:80\r\n\r\n'),
      [0, 400, 403, 405],
    ),
    expecting('TRACE', request('TRACE /v1/topics'), [404, 405]),
  ],
}

const CHUNKED = { 'transfer-encoding': 'chunked' }

export const LARGE_HEADS: CaseGroup = {
  name: 'large heads',
  cases: [
    expecting(
      'a header of 20,000 bytes',
      request('GET /health/live', { headers: { 'x-a': 'x'.repeat(20_000) } }),
      431,
      'HEADERS_TOO_LARGE',
      { isClosed: true },
    ),
    expecting(
      '5,000 headers',
      raw(`GET /health/live HTTP/1.1\r\nHost: localhost\r\n${'X-A: b\r\n'.repeat(5_000)}\r\n`),
      431,
      'HEADERS_TOO_LARGE',
      { isClosed: true },
    ),
    expecting(
      '1,500 headers within the limit',
      raw(
        `GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${'a: b\r\n'.repeat(1_500)}\r\n`,
      ),
      [200, 431],
    ),
    expecting('a path without end', raw(`GET /${'x'.repeat(40_000)}`), 431, 'HEADERS_TOO_LARGE', {
      isClosed: true,
    }),
    expecting(
      'an Authorization of 8 KiB',
      request('GET /v1/topics', { headers: { authorization: `Bearer ${'x'.repeat(8_192)}` } }),
      200,
    ),
    expecting(
      'trailers of 20,000 bytes',
      raw(`${POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`),
      [400, 431],
    ),
    expecting(
      'chunk extensions of 20,000 bytes',
      raw(`${POST}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\n{\r\n0\r\n\r\n`),
      [400, 413],
      undefined,
      { isClosed: true },
    ),
    expecting(
      'twenty media types of 700 bytes each',
      request('GET /v1/topics', {
        headers: {
          accept: Array(20)
            .fill(`a/${'b'.repeat(700)}`)
            .join(),
        },
      }),
      406,
      'NOT_ACCEPTABLE',
    ),
    expecting(
      'an Accept made of commas',
      request('GET /v1/topics', { headers: { accept: ','.repeat(15_000) } }),
      [200, 406],
    ),
    expecting(
      'a Content-Type that is none',
      request('POST /v1/topics', { headers: { 'content-type': '/;;;,' }, body: '{}' }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ),
  ],
}

export const CONTINUE: CaseGroup = {
  name: '100 Continue',
  cases: [
    expecting(
      'at an unknown path',
      expecting100({ 'content-length': '9' }, 'POST /nope'),
      404,
      undefined,
      {
        hasNot: /100 Continue/,
        isClosed: true,
      },
    ),
    expecting(
      'with 2 GiB announced',
      expecting100({ 'content-length': '2147483648' }),
      413,
      undefined,
      {
        hasNot: /100 Continue/,
        isClosed: true,
      },
    ),
    expecting(
      'of another origin',
      expecting100({ 'content-length': '9', origin: 'http://evil' }),
      403,
      'FORBIDDEN_ORIGIN',
      { hasNot: /100 Continue/ },
    ),
    expecting('without a body', expecting100({ 'content-length': '0' }), 400, 'INVALID_REQUEST', {
      hasNot: /100 Continue/,
    }),
    expecting(
      'another expectation',
      expecting100({ 'content-length': '9', expect: 'the-unexpected' }),
      [400, 417],
      undefined,
      { hasNot: /100 Continue/ },
    ),
    expecting(
      'twice, and then no body',
      expecting100({ ...CHUNKED, Expect: '100-continue' }),
      408,
      'REQUEST_BODY_TIMEOUT',
      {
        isClosed: true,
      },
    ),
  ].map((each) => ({ ...each, sends: each.sends.map((sent) => ({ ...sent, silenceMs: 4_000 })) })),
}
