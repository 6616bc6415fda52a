/** What a page of another site can make a browser send: hosts that are rebound, origins that are not ours. */

import { type CaseGroup, expecting, request, type Sent } from '../hostile-case.ts'

const get = (headers: Record<string, string>, line = 'GET /v1/topics'): Sent =>
  request(line, { headers })

const HOSTS_REFUSED = [
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  '127.0.0.1.nip.io',
  '192.168.0.1',
  '0.0.0.0',
  '[::ffff:192.168.0.1]',
  'xn--lcalhost-n4a',
]
const HOSTS_MALFORMED = [
  '',
  'localhost@evil',
  'localhost/..',
  'local host',
  'localhost:99999999',
  'localhost, evil',
  '[::1',
  'l\xf6calhost',
]
const ORIGINS_REFUSED = [
  'https://evil.example',
  'null',
  'http://localhost.evil.example',
  'http://localhost@evil.example',
  'file://',
  '',
  'x'.repeat(8_000),
]
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']

export const BROWSERS: CaseGroup = {
  name: 'hosts and origins',
  cases: [
    ...HOSTS_REFUSED.map((host) =>
      expecting(`Host: ${host}`, get({ host }), 403, 'FORBIDDEN_HOST'),
    ),
    ...HOSTS_MALFORMED.map((host) =>
      expecting(`Host: ${host || '(empty)'}`, get({ host }), 400, 'INVALID_REQUEST'),
    ),
    expecting(
      'two hosts',
      {
        pieces: [
          'GET /v1/topics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n',
        ],
      },
      400,
      'INVALID_REQUEST',
    ),
    expecting(
      'no host',
      { pieces: ['GET /v1/topics HTTP/1.1\r\nConnection: close\r\n\r\n'] },
      400,
      'INVALID_REQUEST',
    ),
    expecting(
      'another authority in the target',
      {
        pieces: [
          'GET http://evil/v1/topics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        ],
      },
      400,
      'INVALID_REQUEST',
    ),
    expecting(
      'a forwarded host changes nothing',
      get({ 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }),
      200,
      undefined,
      { hasNot: /evil/ },
    ),
    ...ORIGINS_REFUSED.map((origin) =>
      expecting(
        `Origin: ${origin.slice(0, 40) || '(empty)'}`,
        get({ origin }),
        403,
        'FORBIDDEN_ORIGIN',
        {
          hasNot: /access-control-allow-origin/i,
        },
      ),
    ),
    ...METHODS.map((method) =>
      expecting(
        `${method} by another origin`,
        get({ origin: 'https://evil.example' }, `${method} /v1/topics/untouched`),
        403,
        'FORBIDDEN_ORIGIN',
      ),
    ),
    expecting(
      'HEAD by another origin',
      get({ origin: 'https://evil.example' }, 'HEAD /v1/topics/untouched'),
      403,
      undefined,
      { hasNoBody: true },
    ),
    expecting(
      'a preflight of another origin',
      get(
        { origin: 'https://evil.example', 'access-control-request-method': 'DELETE' },
        'OPTIONS /v1/topics/untouched',
      ),
      403,
      'FORBIDDEN_ORIGIN',
      { hasNot: /access-control-allow/i },
    ),
    expecting(
      'a form posted from a page',
      request('POST /v1/topics/untouched/records', {
        headers: { origin: 'null', 'content-type': 'text/plain' },
        body: '{"value":1}',
      }),
      403,
      'FORBIDDEN_ORIGIN',
    ),
  ],
}
