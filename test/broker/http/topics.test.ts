/** Topics over HTTP, as a person with curl meets them. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

interface Reply {
  readonly status: number
  readonly headers: Headers
  // The tests look into documents of many shapes.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(`${broker.url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  }
}

describe('creating', () => {
  test('gives the topic, its place and its defaults', async () => {
    const { status, headers, body } = await call('POST', '/v1/topics', {
      name: 'orders',
      partitions: 3,
      config: { 'retention.ms': 60_000 },
    })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe('/v1/topics/orders')
    expect(body).toMatchObject({ name: 'orders', replicationFactor: 1, isInternal: false })
    expect(body.topicId).toMatch(/^[0-9a-f-]{36}$/)
    expect(body.config['retention.ms']).toMatchObject({ value: 60_000, source: 'topic' })
    expect(body.config['segment.bytes']).toMatchObject({ value: 2 ** 30, source: 'default' })
    expect(body.partitions).toHaveLength(3)
    expect(body.partitions[2]).toMatchObject({
      partition: 2,
      leader: 1,
      inSyncReplicas: [1],
      isOffline: false,
      logStartOffset: 0,
      highWatermark: 0,
      logEndOffset: 0,
      sizeBytes: 0,
    })
  })

  test('twice is 409', async () => {
    await call('POST', '/v1/topics', { name: 'twice' })
    const { status, body } = await call('POST', '/v1/topics', { name: 'twice' })
    expect(status).toBe(409)
    expect(body).toMatchObject({ code: 'TOPIC_ALREADY_EXISTS', retriable: false })
  })

  test('by PUT needs no body, confirms what is the same and names what is not', async () => {
    expect((await call('PUT', '/v1/topics/put')).status).toBe(201)
    expect((await call('PUT', '/v1/topics/put')).status).toBe(200)
    expect((await call('PUT', '/v1/topics/put', { partitions: 1 })).status).toBe(200)
    const { status, body } = await call('PUT', '/v1/topics/put', {
      partitions: 4,
      config: { 'retention.ms': 5_000 },
    })
    expect(status).toBe(409)
    expect(body.detail).toMatch(/partitions/)
    expect(body.detail).toMatch(/retention\.ms/)
  })

  test('two at once gives one of them 201', async () => {
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => call('POST', '/v1/topics', { name: 'race' })),
    )
    expect(replies.map((reply) => reply.status).sort()).toEqual([201, ...Array(7).fill(409)])
  })

  test('the longest name works, also percent-encoded', async () => {
    const name = 'x'.repeat(249)
    expect((await call('PUT', `/v1/topics/${name}`)).status).toBe(201)
    const encoded = '%78'.repeat(249)
    expect((await call('GET', `/v1/topics/${encoded}`)).body.name).toBe(name)
  })

  test.each([
    ['a name with a slash', { name: 'a/b' }, 'INVALID_TOPIC_EXCEPTION'],
    ['a name too long', { name: 'x'.repeat(250) }, 'INVALID_TOPIC_EXCEPTION'],
    ['an empty name', { name: '' }, 'INVALID_TOPIC_EXCEPTION'],
    ['dots', { name: '..' }, 'INVALID_TOPIC_EXCEPTION'],
    ['letters that look alike', { name: 'оrders' }, 'INVALID_TOPIC_EXCEPTION'],
    ['a line end', { name: 'a\n' }, 'INVALID_TOPIC_EXCEPTION'],
    ['a NUL', { name: 'a\0' }, 'INVALID_TOPIC_EXCEPTION'],
    ['no name', {}, 'INVALID_REQUEST'],
    ['the broker’s own names', { name: '__mine' }, 'INVALID_TOPIC_EXCEPTION'],
    ['no partitions', { name: 'n', partitions: 0 }, 'INVALID_PARTITIONS'],
    ['partitions as text', { name: 'n', partitions: '3' }, 'INVALID_PARTITIONS'],
    ['half a partition', { name: 'n', partitions: 1.5 }, 'INVALID_PARTITIONS'],
    ['more partitions than anybody has', { name: 'n', partitions: 1e9 }, 'INVALID_PARTITIONS'],
    ['replicas nobody can hold', { name: 'n', replicationFactor: 3 }, 'INVALID_REPLICATION_FACTOR'],
    ['an unknown setting', { name: 'n', config: { 'retention.mss': 1 } }, 'INVALID_CONFIG'],
    ['a setting out of bounds', { name: 'n', config: { 'segment.bytes': 1 } }, 'INVALID_CONFIG'],
    [
      'a setting of the wrong kind',
      { name: 'n', config: { 'segment.ms': true } },
      'INVALID_CONFIG',
    ],
    ['an unknown field', { name: 'n', partition: 3 }, 'INVALID_REQUEST'],
    ['an array', [{ name: 'n' }], 'INVALID_REQUEST'],
    ['null', null, 'INVALID_REQUEST'],
  ])('%s is refused', async (_what, body, code) => {
    const reply = await call('POST', '/v1/topics', body)
    expect(reply.body.code).toBe(code)
    expect(reply.status).toBe(400)
    expect((await call('GET', '/v1/topics/n')).status).toBe(404)
  })
})

describe('listing', () => {
  test('goes page by page, in the order of names', async () => {
    await using other = await startBroker()
    const names = ['a', 'b.c', 'd_e', 'f-g', 'h']
    for (const name of names) await fetch(`${other.url}/v1/topics/${name}`, { method: 'PUT' })
    const seen: string[] = []
    let path: string | undefined = '/v1/topics?limit=2'
    while (path !== undefined) {
      const response = await fetch(`${other.url}${path}`)
      const page = (await response.json()) as { topics: { name: string }[] }
      expect(page.topics.length).toBeLessThanOrEqual(2)
      seen.push(...page.topics.map((topic) => topic.name))
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(seen).toEqual(names)
  })

  test('out of bounds is 400 with the bounds', async () => {
    for (const limit of ['0', '-1', '1001', '1e3', 'abc', '', '9007199254740993']) {
      const { status, body } = await call('GET', `/v1/topics?limit=${limit}`)
      expect(status).toBe(400)
      expect(body.detail).toMatch(/limit.*1 to 1000/)
    }
  })
})

describe('changing', () => {
  test('sets and unsets settings and adds partitions', async () => {
    await call('PUT', '/v1/topics/change', { config: { 'retention.ms': 5_000 } })
    const changed = await call('PATCH', '/v1/topics/change', {
      partitions: 2,
      config: { 'retention.ms': null, 'max.message.bytes': 2_048 },
    })
    expect(changed.status).toBe(200)
    expect(changed.body.partitions).toHaveLength(2)
    expect(changed.body.config['retention.ms'].source).toBe('default')
    expect(changed.body.config['max.message.bytes']).toMatchObject({ value: 2_048 })
  })

  test('to fewer partitions, to nothing, or of nothing is refused', async () => {
    await call('PUT', '/v1/topics/fixed', { partitions: 2 })
    const fewer = await call('PATCH', '/v1/topics/fixed', { partitions: 1 })
    expect(fewer).toMatchObject({ status: 400, body: { code: 'INVALID_PARTITIONS' } })
    expect((await call('PATCH', '/v1/topics/fixed', {})).status).toBe(400)
    expect((await call('PATCH', '/v1/topics/fixed')).status).toBe(400)
    expect((await call('PATCH', '/v1/topics/nowhere', { partitions: 3 })).status).toBe(404)
  })
})

describe('deleting', () => {
  test('makes it unknown, and a new one is another topic', async () => {
    const first = await call('PUT', '/v1/topics/gone')
    const deleted = await call('DELETE', '/v1/topics/gone')
    expect(deleted).toMatchObject({ status: 204, body: undefined })
    const missing = await call('GET', '/v1/topics/gone')
    expect(missing).toMatchObject({ status: 404, body: { code: 'UNKNOWN_TOPIC_OR_PARTITION' } })
    expect(missing.body.detail).toMatch(/curl -X PUT/)
    expect((await call('DELETE', '/v1/topics/gone')).status).toBe(404)
    const second = await call('PUT', '/v1/topics/gone')
    expect(second.body.topicId).not.toBe(first.body.topicId)
  })
})

describe('offsets', () => {
  test.each(['earliest', 'latest', '-5', '-PT1H', '@0', '2020-01-01T00:00:00Z'])(
    'at=%s of an empty topic is 0 everywhere',
    async (at) => {
      await call('PUT', '/v1/topics/empty', { partitions: 2 })
      const { status, body } = await call('GET', `/v1/topics/empty/offsets?at=${at}`)
      expect(status).toBe(200)
      expect(body.partitions).toMatchObject([
        { partition: 0, offset: 0, logStartOffset: 0, highWatermark: 0 },
        { partition: 1, offset: 0, logStartOffset: 0, highWatermark: 0 },
      ])
    },
  )

  test('a zone’s plus may arrive as a space', async () => {
    await call('PUT', '/v1/topics/empty', { partitions: 2 })
    const { status } = await call('GET', '/v1/topics/empty/offsets?at=2020-01-01T00:00:00+02:00')
    expect(status).toBe(200)
  })

  test('a bare offset means nothing over several partitions', async () => {
    await call('PUT', '/v1/topics/empty', { partitions: 2 })
    expect((await call('GET', '/v1/topics/empty/offsets?at=0')).status).toBe(400)
    await call('PUT', '/v1/topics/single')
    expect((await call('GET', '/v1/topics/single/offsets?at=0')).body.partitions[0].offset).toBe(0)
    const beyond = await call('GET', '/v1/topics/single/offsets?at=7')
    expect(beyond.status).toBe(416)
    expect(beyond.body).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      logStartOffset: 0,
      highWatermark: 0,
    })
  })

  test('needs a position that is one', async () => {
    await call('PUT', '/v1/topics/single')
    for (const query of ['', '?at=', '?at=soon', '?at=9007199254740992', '?at=1&at=2']) {
      const { status, body } = await call('GET', `/v1/topics/single/offsets${query}`)
      expect(status).toBe(400)
      expect(body.detail).toMatch(/\bat\b/)
    }
  })

  test('trimming goes to the high watermark and no further', async () => {
    await call('PUT', '/v1/topics/trim')
    const path = '/v1/topics/trim/partitions/0/records'
    expect((await call('DELETE', `${path}?before=0`)).body).toEqual({
      topic: 'trim',
      partition: 0,
      logStartOffset: 0,
    })
    expect((await call('DELETE', `${path}?before=1`)).status).toBe(416)
    expect((await call('DELETE', path)).status).toBe(400)
    expect((await call('DELETE', '/v1/topics/trim/partitions/1/records?before=0')).status).toBe(404)
    expect((await call('DELETE', '/v1/topics/trim/partitions/-1/records?before=0')).status).toBe(
      400,
    )
    expect((await call('DELETE', '/v1/topics/trim/partitions/0x0/records?before=0')).status).toBe(
      400,
    )
  })
})

test('every producer gets an id of its own', async () => {
  const replies = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/v1/producers')))
  expect(replies.every((reply) => reply.status === 201)).toBe(true)
  expect(replies.every((reply) => reply.body.producerEpoch === 0)).toBe(true)
  expect(new Set(replies.map((reply) => reply.body.producerId)).size).toBe(20)
})

test('the cluster names its brokers and controller', async () => {
  const { body } = await call('GET', '/v1/cluster')
  expect(body.clusterId).toMatch(/^[0-9a-f-]{36}$/)
  expect(body).toMatchObject({ controllerId: 1, brokers: [{ brokerId: 1, url: broker.url }] })
})
