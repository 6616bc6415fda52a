/** The rules of every answer: problem documents, methods, types, form. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { sendRaw } from './raw-http.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
  await fetch(`${broker.url}/v1/topics/there`, { method: 'PUT' })
})
afterAll(() => broker[Symbol.asyncDispose]())

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${broker.url}${path}`, { headers })

async function problemOf(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  const text = await response.text()
  expect(text.endsWith('\n')).toBe(true)
  const problem = JSON.parse(text) as Record<string, unknown>
  expect(problem.status).toBe(response.status)
  expect(problem).toMatchObject({
    type: `urn:spool:problem:${problem.code}`,
    title: expect.any(String),
    detail: expect.any(String),
    retriable: expect.any(Boolean),
  })
  return problem
}

describe('where nothing is', () => {
  test.each(['/nope', '/v1', '/v1/', '/v1/topics/', '/v1/topics/a/b', '/v2/topics', '//v1/topics'])(
    'GET %s is 404',
    async (path) => {
      const problem = await problemOf(await get(path))
      expect(['ROUTE_NOT_FOUND', 'INVALID_TOPIC_EXCEPTION']).toContain(problem.code)
    },
  )

  test.each([
    ['POST', '/health/live', 'GET'],
    ['DELETE', '/v1/topics', 'GET, HEAD, POST'],
    ['HEAD', '/v1/cluster', 'GET'],
    ['PUT', '/v1/topics/there/offsets', 'GET'],
    ['OPTIONS', '/v1/topics', 'GET, HEAD, POST'],
  ])('%s %s is 405 with Allow', async (method, path, allow) => {
    const response = await fetch(`${broker.url}${path}`, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe(allow)
  })

  test('PUT of records says how to append', async () => {
    const response = await fetch(`${broker.url}/v1/topics/there/records`, {
      method: 'PUT',
      body: 'x',
    })
    expect(response.status).toBe(405)
    expect(String((await problemOf(response)).detail)).toContain('-X POST -T')
  })
})

describe('paths that are none', () => {
  test.each(['%ff', '%', '%zz', 'a%00b', '..%2f..%2fetc', '%252e%252e', 'a%20b', '%2e%2e'])(
    '/v1/topics/%s is 400 or 404',
    async (name) => {
      const reply = await sendRaw(
        broker.port,
        `GET /v1/topics/${name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      )
      expect([400, 404]).toContain(reply.status)
      expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
    },
  )

  test('a part longer than any name is 414', async () => {
    const response = await get(`/v1/topics/${'x'.repeat(800)}`)
    expect(response.status).toBe(414)
    expect((await problemOf(response)).code).toBe('URI_TOO_LONG')
  })
})

describe('queries', () => {
  test.each([
    ['?nope=1', /nope.*known: limit, after, internal, pretty/],
    ['?limit=1&limit=2', /limit is given twice/],
    ['?limit=5&pretty=yes', /pretty.*true or false/],
    ['?internal', /internal.*true or false/],
    ['?after=%ff', /percent-encoded/],
    ['?__proto__=1', /__proto__/],
    ['?constructor=1', /constructor/],
    ['?limit=%31%20', /limit/],
  ])('%s is 400 naming it', async (query, detail) => {
    const problem = await problemOf(await get(`/v1/topics${query}`))
    expect(problem.status).toBe(400)
    expect(problem.detail).toMatch(detail)
  })

  test('pretty indents documents and problems', async () => {
    expect(await (await get('/health/live?pretty=true')).text()).toBe('{\n  "status": "live"\n}\n')
    expect(await (await get('/nope?pretty=true')).text()).toMatch(/^\{\n {2}"type"/)
    expect(await (await get('/health/live?pretty=false')).text()).toBe('{"status":"live"}\n')
  })
})

describe('types', () => {
  test('JSON for who does not care, also a browser', async () => {
    for (const accept of ['*/*', 'text/html,application/xml;q=0.9,*/*;q=0.8', 'application/*']) {
      const response = await get('/v1/topics', { accept })
      expect(response.headers.get('content-type')).toBe('application/json')
      expect((await response.text()).endsWith('\n')).toBe(true)
    }
  })

  test('JSON that is refused is not sent in the name of everything else', async () => {
    const response = await get('/v1/topics', { accept: 'application/json;q=0, */*' })
    expect(response.status).toBe(406)
  })

  test('what can not be had is 406', async () => {
    const response = await get('/v1/topics', { accept: 'text/html' })
    expect(response.status).toBe(406)
    expect(String((await problemOf(response)).detail)).toContain('application/json')
  })

  test.each([
    ['text/plain', '{"name":"t"}'],
    ['application/x-www-form-urlencoded', '{"name":"t"}'],
    ['multipart/form-data; boundary=x', '--x--'],
    ['application/json5', '{}'],
    ['garbage', '{}'],
  ])('a body of %s is 415', async (type, body) => {
    const response = await fetch(`${broker.url}/v1/topics`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    expect(response.status).toBe(415)
    const problem = await problemOf(response)
    if (type.includes('urlencoded')) expect(problem.detail).toMatch(/--json/)
  })

  test('a compressed body is 415', async () => {
    const response = await fetch(`${broker.url}/v1/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: 'x',
    })
    expect(response.status).toBe(415)
  })

  test('a body where none is taken is 400', async () => {
    const response = await fetch(`${broker.url}/v1/topics/there`, { method: 'DELETE', body: 'x' })
    expect(response.status).toBe(400)
  })
})

describe('JSON that is not', () => {
  test.each([
    ['', /JSON body/],
    ['{', /ends/],
    ['{"name":"a"} x', /more text/],
    ['{"name":"a","name":"b"}', /name/],
    ['{"name":"a","config":{"retention.ms":1,"retention.ms":2}}', /retention\.ms/],
    ['{"name":"a","__proto__":{"partitions":3}}', /__proto__/],
    ['{"name":"a","config":{"__proto__":"x"}}', /__proto__/],
    ['\ufeff{"name":"a"}', /byte order mark/],
    ['{"name":NaN}', /value/],
    ["{'name':'a'}", /"/],
    ['{"name":"a",}', /"/],
    ['{"name":"\u0001"}', /control/],
    ['['.repeat(200_000), /deep/],
    ['{"a":'.repeat(100_000), /deep/],
  ])('%.40s is 400', async (body, detail) => {
    const response = await fetch(`${broker.url}/v1/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect(response.status).toBe(400)
    expect((await problemOf(response)).detail).toMatch(detail)
  })

  test('bytes that are no UTF-8 are 400', async () => {
    const response = await fetch(`${broker.url}/v1/topics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from('{"name":"\xff"}', 'latin1'),
    })
    expect(response.status).toBe(400)
    expect((await problemOf(response)).detail).toMatch(/UTF-8/)
  })
})

test('HEAD of a topic has its headers and no body', async () => {
  const response = await fetch(`${broker.url}/v1/topics/there`, { method: 'HEAD' })
  expect(response.status).toBe(200)
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(100)
  expect(await response.text()).toBe('')
  const missing = await fetch(`${broker.url}/v1/topics/nowhere`, { method: 'HEAD' })
  expect(missing.status).toBe(404)
  expect(await missing.text()).toBe('')
})

test('a connection serves request after request, also after problems', async () => {
  const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const reply = await sendRaw(
    broker.port,
    ask('/health/live') + ask('/nope') + ask('/v1/topics?x') + ask('/health/ready'),
    { silenceMs: 300 },
  )
  const statuses = [...reply.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((found) => found[1])
  expect(statuses).toEqual(['200', '404', '400', '200'])
})

test('what a client sent does not come back raw', async () => {
  const problem = await problemOf(
    await get(`/v1/topics?limit=${encodeURIComponent('\u001b[31m\u202e')}`),
  )
  expect(problem.detail).not.toMatch(/\p{Cc}|\p{Cf}/u)
})
