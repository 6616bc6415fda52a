/** What an operator looks at: health, metrics, the first page, the interface described by itself. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import type { Route } from '../../../client/api/route.ts'
import { ROUTES } from '../../../client/api/routes.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
  await fetch(`${broker.url}/v1/topics/there`, { method: 'PUT' })
})
afterAll(() => broker[Symbol.asyncDispose]())

const text = async (path: string) => await (await fetch(`${broker.url}${path}`)).text()

const routes: readonly Route[] = Object.values(ROUTES)

test.each(routes.map((route) => [route.method, route.path, route] as const))(
  '%s %s has a handler',
  async (method, path) => {
    const url = path.replaceAll('{topic}', 'nowhere').replaceAll(/\{\w+\}/g, '0')
    const response = await fetch(`${broker.url}${url}`, { method })
    const code = /^{"type":"urn:spool:problem:(\w+)"/.exec(await response.text())?.[1]
    expect(['ROUTE_NOT_FOUND', 'METHOD_NOT_ALLOWED']).not.toContain(code)
  },
)

describe('health', () => {
  test('says live and ready, to anybody', async () => {
    expect(await text('/health/live')).toBe('{"status":"live"}\n')
    expect(await text('/health/ready')).toBe('{"status":"ready"}\n')
  })
})

describe('the first page', () => {
  test('gives commands that do what they say', async () => {
    const lines = (await text('/')).split('\n').filter((line) => line.trim().startsWith('curl'))
    const { stdout } = await promisify(execFile)('bash', [
      '-euc',
      lines.join('\n').replaceAll('curl', 'curl -sS'),
    ])
    expect(stdout).toContain('"text": "hello"')
    expect(stdout).not.toMatch(/"status": ?[45]/)
  })

  test('gives three commands with the address they were asked at', async () => {
    const response = await fetch(`${broker.url}/`, { headers: { accept: 'text/html' } })
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const lines = (await response.text()).split('\n').filter((line) => line.includes('curl'))
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line).toContain(broker.url)
  })
})

describe('metrics', () => {
  test('count requests by template and status, never by what a client wrote', async () => {
    await fetch(`${broker.url}/v1/topics/some-secret-name`)
    await fetch(`${broker.url}/some-secret-path`)
    await fetch(`${broker.url}/v1/topics?some-secret-query=1`)
    const metrics = await text('/metrics')
    expect(metrics).toContain(
      'spool_http_requests_total{method="GET",route="/v1/topics/{topic}",status="404"}',
    )
    expect(metrics).toContain('route="(none)",status="404"')
    expect(metrics).not.toContain('some-secret')
  })

  test('look up what there is', async () => {
    const metrics = await text('/metrics')
    expect(metrics).toMatch(/^spool_ready 1$/m)
    expect(metrics).toMatch(/^spool_log_bytes\{topic="there"\} \d+$/m)
    expect(metrics).toMatch(/^spool_connections [1-9]/m)
    expect(metrics).toMatch(/^process_resident_memory_bytes /m)
    expect(metrics).toMatch(/^spool_http_sent_bytes_total [1-9]/m)
  })
})

test('metrics count what clients append, a repeat not again, and how long syncs take', async () => {
  const value = async (name: string) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await text('/metrics'))?.[1])
  const before = await value('spool_appended_records_total')
  const reply = await fetch(`${broker.url}/v1/producers`, { method: 'POST' })
  const { producerId } = (await reply.json()) as { producerId: number }
  const once = () =>
    fetch(`${broker.url}/v1/topics/there/records?partition=0`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'spool-producer-id': String(producerId),
        'spool-producer-epoch': '0',
        'spool-sequence': '0',
      },
      body: JSON.stringify({ records: [{ value: 1 }, { value: 2 }, { value: 3 }] }),
    })
  expect((await once()).status).toBe(200)
  expect(await (await once()).json()).toMatchObject({ duplicate: true })
  expect(await value('spool_appended_records_total')).toBe(before + 3)
  expect(await value('spool_appended_batches_total')).toBeGreaterThan(0)
  expect(await value('spool_flush_seconds_count')).toBeGreaterThan(0)
})

describe('the OpenAPI document', () => {
  interface Operation {
    readonly operationId: string
    readonly parameters: { name: string; in: string; schema: object }[]
    readonly responses: Record<string, object>
  }
  let document: {
    openapi: string
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, object>; responses: Record<string, object> }
  }
  beforeAll(async () => {
    document = JSON.parse(await text('/openapi.json'))
  })

  test('has every route of the table, and no other', () => {
    const expected = routes.flatMap((route) => [
      `${route.method.toLowerCase()} ${route.path}`,
      ...(route.hasHead ? [`head ${route.path}`] : []),
    ])
    const actual = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    )
    expect(document.openapi).toBe('3.1.0')
    expect(actual.sort()).toEqual(expected.sort())
  })

  test('names each operation once and declares the parameters of each path', () => {
    const names = new Set<string>()
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const operation of Object.values(operations)) {
        expect(names.has(operation.operationId)).toBe(false)
        names.add(operation.operationId)
        const declared = operation.parameters.filter((it) => it.in === 'path').map((it) => it.name)
        expect(declared.sort()).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((it) => it[1]).sort())
        expect(operation.responses.default).toEqual({ $ref: '#/components/responses/Problem' })
      }
    }
  })

  test('refers only to what it holds', () => {
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)
    for (const [, path = ''] of references) {
      const target = path
        .split('/')
        .reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document)
      expect(target, path).toBeDefined()
    }
  })

  test('lists every error by name', () => {
    expect(JSON.stringify(document.components.schemas.Problem)).toContain('OFFSET_OUT_OF_RANGE')
  })
})

describe('the page of the interface', () => {
  test('loads nothing from elsewhere', async () => {
    const response = await fetch(`${broker.url}/docs`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/https?:/)
    const page = await response.text()
    const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((found) => found[1] ?? '')
    expect(loaded.length).toBeGreaterThan(3)
    for (const path of loaded) {
      const asset = await fetch(new URL(path, `${broker.url}/docs`))
      expect(asset.status, path).toBe(200)
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff')
      expect(new URL(asset.url).host).toBe(new URL(broker.url).host)
      await asset.arrayBuffer()
    }
    expect(await text('/docs/static/swagger-initializer.js')).toContain('/openapi.json')
  })

  test('has no files but its own', async () => {
    for (const file of ['nope.js', '..%2f..%2fpackage.json', '%2e%2e', 'csp.json%00']) {
      const response = await fetch(`${broker.url}/docs/static/${file}`)
      expect([400, 404]).toContain(response.status)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    }
  })
})
