/** Who may ask: the token, other sites' pages, other host names. */

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostNameOf, OriginPolicy } from '../../../broker/http/security/origin.ts'
import { TokenCheck } from '../../../broker/http/security/token.ts'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import type { Logger } from '../../../storage/logger.ts'
import { sendRaw } from './raw-http.ts'

const ask = (path: string, headers: string[], method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\n${headers.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`

describe('hosts, on loopback', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startBroker({ allowedHosts: ['Spool.internal'] })
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  test.each<[string, number]>([
    ['localhost', 200],
    ['LOCALHOST:7766', 200],
    ['127.0.0.1', 200],
    ['127.8.9.1:1', 200],
    ['[::1]:7766', 200],
    ['localhost.', 200],
    ['spool.internal:80', 200],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['192.168.0.1', 403],
    ['spool.internal.evil', 403],
    ['localhost@evil', 400],
    ['localhost/..', 400],
    ['', 400],
  ])('Host: %s is %i', async (host, status) => {
    const reply = await sendRaw(broker.port, ask('/v1/topics', [`Host: ${host}`]))
    expect(reply.status).toBe(status)
    if (status === 403) expect(JSON.parse(reply.body).code).toBe('FORBIDDEN_HOST')
  })

  test('also where nothing is, and for health', async () => {
    for (const path of ['/nope', '/health/live', '/metrics']) {
      expect((await sendRaw(broker.port, ask(path, ['Host: evil.example']))).status).toBe(403)
    }
  })
})

describe('origins, by default', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  test.each(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])(
    'another one is 403 for %s, with no word for the browser',
    async (method) => {
      const head = ask('/v1/topics', ['Host: localhost', 'Origin: https://evil.example'], method)
      const reply = await sendRaw(broker.port, head)
      expect(reply.status).toBe(403)
      expect(reply.headers['access-control-allow-origin']).toBeUndefined()
    },
  )

  test('none of its own (a sandboxed page, a file) is 403', async () => {
    const reply = await sendRaw(broker.port, ask('/v1/topics', ['Host: localhost', 'Origin: null']))
    expect(reply.status).toBe(403)
  })

  test('a page of the broker itself may ask', async () => {
    const own = `localhost:${broker.port}`
    const reply = await sendRaw(
      broker.port,
      ask('/v1/topics', [`Host: ${own}`, `Origin: http://${own}`]),
    )
    expect(reply.status).toBe(200)
    expect(reply.headers['access-control-allow-origin']).toBeUndefined()
  })

  test('is decided before the body is read', async () => {
    const reply = await sendRaw(
      broker.port,
      'POST /v1/topics HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n',
    )
    expect(reply.status).toBe(403)
  })
})

describe('an allowed origin', () => {
  let broker: TestBroker
  beforeAll(async () => {
    broker = await startBroker({ corsAllowedOrigins: ['https://app.example'] })
  })
  afterAll(() => broker[Symbol.asyncDispose]())

  test('may read answers, problems too, and never with credentials', async () => {
    for (const path of ['/v1/topics', '/nope']) {
      const reply = await sendRaw(
        broker.port,
        ask(path, ['Host: localhost', 'Origin: https://app.example']),
      )
      expect(reply.headers['access-control-allow-origin']).toBe('https://app.example')
      expect(reply.headers['access-control-allow-credentials']).toBeUndefined()
      expect(reply.headers.vary).toMatch(/origin/i)
    }
  })

  test('has its preflight answered', async () => {
    const reply = await sendRaw(
      broker.port,
      ask(
        '/v1/topics/x',
        [
          'Host: localhost',
          'Origin: https://app.example',
          'Access-Control-Request-Method: DELETE',
          'Access-Control-Request-Headers: content-type',
        ],
        'OPTIONS',
      ),
    )
    expect(reply.status).toBe(204)
    expect(reply.headers['access-control-allow-methods']).toContain('DELETE')
  })

  test('may send and read every header the client and the contract use', async () => {
    const from = ['Host: localhost', 'Origin: https://app.example']
    const preflight = [...from, 'Access-Control-Request-Method: POST']
    const allowed = await sendRaw(broker.port, ask('/v1/topics/x/records', preflight, 'OPTIONS'))
    const sent = String(allowed.headers['access-control-allow-headers']).toLowerCase().split(', ')
    const names = ['authorization', 'content-type', 'last-event-id']
    const ofProducer = ['spool-producer-id', 'spool-producer-epoch', 'spool-sequence']
    expect(sent).toEqual(expect.arrayContaining(['*', ...names, ...ofProducer]))
    const answer = await sendRaw(broker.port, ask('/v1/topics', from))
    const read = String(answer.headers['access-control-expose-headers']).toLowerCase().split(', ')
    const ofRecord = ['spool-key', 'spool-offset', 'spool-partition', 'spool-timestamp']
    expect(read).toEqual(expect.arrayContaining(['*', 'link', 'retry-after', 'etag', ...ofRecord]))
  })

  test('is not its neighbour', async () => {
    for (const origin of [
      'http://app.example',
      'https://app.example.evil',
      'https://app.example:1',
    ]) {
      const reply = await sendRaw(
        broker.port,
        ask('/v1/topics', ['Host: localhost', `Origin: ${origin}`]),
      )
      expect(reply.status).toBe(403)
    }
  })
})

describe('a token', () => {
  const TOKEN = 'correct-horse-battery-staple'
  const lines: string[] = []
  const keep = (values: object, sentence: string) =>
    void lines.push(`${JSON.stringify(values)} ${sentence}`)
  const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep }
  let directory: string
  let broker: TestBroker
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'spool-token-'))
    const authTokenFile = join(directory, 'token')
    await writeFile(authTokenFile, `${TOKEN}\n`)
    await chmod(authTokenFile, 0o600)
    broker = await startBroker({ authTokenFile, dependencies: { logger } })
  })
  afterAll(async () => {
    await broker[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const withToken = (authorization: string | undefined, path = '/v1/topics') =>
    fetch(`${broker.url}${path}`, authorization === undefined ? {} : { headers: { authorization } })

  test('opens', async () => {
    expect((await withToken(`Bearer ${TOKEN}`)).status).toBe(200)
    expect((await withToken(`bearer ${TOKEN}`)).status).toBe(200)
  })

  test.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Basic ${TOKEN}`,
    TOKEN,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(0, -1)}`,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${'x'.repeat(9_000)}`,
  ])('%.40s does not', async (authorization) => {
    const response = await withToken(authorization)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.text()).not.toContain(TOKEN)
  })

  test.each(['/', '/docs', '/openapi.json', '/metrics', '/nope', '/v1/cluster'])(
    'is needed for %s',
    async (path) => {
      expect((await withToken(undefined, path)).status).toBe(401)
    },
  )

  test('is not needed for health', async () => {
    expect((await withToken(undefined, '/health/live')).status).toBe(200)
    expect((await withToken(undefined, '/health/ready')).status).toBe(200)
  })

  test('and guesses at it never reach the log', async () => {
    await withToken('Bearer a-guess-of-somebody')
    expect(lines.join('\n')).not.toMatch(/correct-horse|a-guess-of-somebody/)
  })
})

test('a token check keeps no token', () => {
  expect(JSON.stringify(new TokenCheck('correct-horse-battery-staple'))).toBe('{}')
})

test('a host name is read as the header has it, or not at all', () => {
  expect(hostNameOf('Example.ORG:80')).toBe('example.org')
  expect(hostNameOf('[::1]')).toBe('::1')
  for (const bad of ['', ':80', 'a b', 'a,b', '[::1', 'a:b:c', 'a:123456', 'ä']) {
    expect(hostNameOf(bad)).toBeUndefined()
  }
})

test('any origin may be allowed, and then without naming it', () => {
  const policy = new OriginPolicy(['*'])
  expect(policy.isAllowed('https://anybody.example')).toBe(true)
  expect(policy.headers('https://anybody.example', false)).toContainEqual([
    'access-control-allow-origin',
    '*',
  ])
})
