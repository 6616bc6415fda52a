/** Reading over HTTP: pages, filters, waiting, streams to the end, and readers that are slow or gone. */

import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { send, TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker({ streamStalledMsMax: 500 })
})
afterAll(() => broker[Symbol.asyncDispose]())

interface Shown {
  readonly offset: number
  readonly value: unknown
}

/** A topic with `count` records, in batches of `batch`, values their numbers. */
async function numbered(count: number, batch = 10): Promise<TestTopic> {
  const topic = await TestTopic.create(broker)
  for (let from = 0; from < count; from += batch) {
    const records = Array.from({ length: Math.min(batch, count - from) }, (_, i) => ({
      key: `k${(from + i) % 3}`,
      value: { n: from + i },
      headers: [['parity', (from + i) % 2 === 0 ? 'even' : 'odd']],
      timestamp: 1_700_000_000_000 + (from + i) * 1_000,
    }))
    await topic.produce({ records })
  }
  return topic
}

const offsets = (records: readonly Shown[]) => records.map(({ offset }) => offset)

describe('a page', () => {
  test('holds records, its place and a link to the next', async () => {
    const topic = await numbered(25)
    const reply = await topic.read('?limit=4&from=8&key=k0&pretty=false')
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({
      records: [9, 12, 15, 18].map((n) => ({
        partition: 0,
        offset: n,
        timestamp: 1_700_000_000_000 + n * 1_000,
        key: 'k0',
        value: { n },
        headers: [['parity', n % 2 === 0 ? 'even' : 'odd']],
      })),
      nextOffset: 19,
      highWatermark: 25,
      logStartOffset: 0,
    })
    const link = /^<(.+)>; rel="next"$/.exec(String(reply.headers.link))?.[1]
    const next = await send(broker, link!)
    expect(offsets(next.json.records)).toEqual([21, 24])
  })

  test.each(['until=10', 'until=-15', 'until=2023-11-14T22:13:30Z'])(
    'and its followers end at %s, as it was when the first was read',
    async (until) => {
      const topic = await numbered(25)
      const seen: number[] = []
      let link: string | undefined =
        `/v1/topics/${topic.name}/partitions/0/records?limit=4&${until}`
      for (let pages = 0; link !== undefined && pages < 10; pages++) {
        const { json, headers } = await send(broker, link)
        seen.push(...offsets(json.records))
        await topic.produce('{"value":"later"}')
        link = /^<(.+)>; rel="next"$/.exec(String(headers.link ?? ''))?.[1]
      }
      expect(link).toBeUndefined()
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    },
  )

  test('after page gives every record once, whatever the sizes', async () => {
    const topic = await numbered(60, 7)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 3_000 }),
        async (limit, maxBytes) => {
          const found: number[] = []
          let from = 0
          while (from < 60) {
            const { json } = await topic.read(`?from=${from}&limit=${limit}&maxBytes=${maxBytes}`)
            expect(json.records.length).toBeLessThanOrEqual(limit)
            expect(json.nextOffset).toBeGreaterThan(from)
            found.push(...offsets(json.records))
            from = json.nextOffset
          }
          expect(found).toEqual([...Array(60).keys()])
        },
      ),
      { numRuns: 15 },
    )
  })

  test('begins and ends where a position says', async () => {
    const topic = await numbered(20)
    const at = (n: number) => 1_700_000_000_000 + n * 1_000
    const iso = new Date(at(7)).toISOString()
    for (const [query, expected] of [
      ['', [0, 19]],
      ['?from=latest', []],
      ['?from=-3', [17, 19]],
      [`?from=@${at(5) - 500}`, [5, 19]],
      [`?from=${iso}`, [7, 19]],
      [`?from=${iso}&until=@${at(9)}`, [7, 8]],
      ['?until=3', [0, 2]],
      ['?from=18&until=4000', [18, 19]],
      ['?until=2100-01-01T00:00:00Z', [0, 19]],
      ['?from=5&until=5', []],
      ['?from=20', []],
    ] as const) {
      const found = offsets((await topic.read(query)).json.records)
      expect([query, found.at(0), found.at(-1)]).toEqual([query, expected[0], expected.at(-1)])
    }
  })

  test('filters by key, header and content, all that are given', async () => {
    const topic = await numbered(30)
    const read = async (query: string) => offsets((await topic.read(query)).json.records)
    expect(await read('?key=k1')).toEqual([1, 4, 7, 10, 13, 16, 19, 22, 25, 28])
    expect(await read('?key=k1&header=parity:odd')).toEqual([1, 7, 13, 19, 25])
    expect(await read('?contains=%22n%22:2')).toEqual([
      2,
      ...Array.from({ length: 10 }, (_, i) => 20 + i),
    ])
    expect(await read('?key=k1&header=parity:odd&contains=:1')).toEqual([1, 13, 19])
    expect(await read('?key=k')).toEqual([])
    expect((await topic.read('?header=parity')).status).toBe(400)
  })

  test('that finds nothing says where to go on', async () => {
    const topic = await numbered(30)
    const { json } = await topic.read('?key=nobody&maxBytes=10')
    expect(json).toMatchObject({ records: [], nextOffset: 10, highWatermark: 30 })
    expect((await topic.read('?key=nobody')).json).toMatchObject({ records: [], nextOffset: 30 })
  })

  test('out of range is 416 with both ends, unless told where to start then', async () => {
    const topic = await numbered(10)
    await broker.context.replicas.partition(topic.name, 0).deletePrefix(4)
    for (const from of [3, 11]) {
      const reply = await topic.read(`?from=${from}`)
      expect(reply.status).toBe(416)
      expect(reply.json).toMatchObject({ logStartOffset: 4, highWatermark: 10 })
      expect((await topic.read(`?from=${from}&outOfRange=latest`)).json.nextOffset).toBe(10)
      const first = (await topic.read(`?from=${from}&outOfRange=earliest`)).json.records[0]
      expect(first.offset).toBe(4)
    }
  })

  test.each([
    'limit=0',
    'limit=-1',
    'limit=10001',
    'limit=1e9',
    'limit=abc',
    'limit=5&limit=6',
    'maxBytes=99999999999',
    'waitMs=30001',
    'waitMs=1e12',
    'from=yesterday',
    'from=2025-01-01T00:00:00',
    'from=9007199254740992',
    'as=text',
    'nothing=1',
    'outOfRange=middle',
  ])('?%s is 400, never clamped', async (query) => {
    const topic = await numbered(1)
    const reply = await topic.read(`?${query}`)
    expect(reply.status).toBe(400)
    expect(reply.json.code).toBe('INVALID_REQUEST')
  })

  test('of what is not there is 404, of a topic made anew 410', async () => {
    const topic = await numbered(1)
    expect((await topic.read('', { partition: 1 })).status).toBe(404)
    expect((await send(broker, '/v1/topics/nowhere/partitions/0/records')).status).toBe(404)
    const other = '00000000-0000-4000-8000-000000000000'
    expect((await topic.read(`?topicId=${other}`)).status).toBe(410)
  })

  test.each(['follow=true', 'control=true'])('%s is for streams', async (query) => {
    const topic = await numbered(1)
    const reply = await topic.read(`?${query}`)
    expect([reply.status, reply.json.code]).toEqual([400, 'INVALID_REQUEST'])
    expect(reply.json.detail).toContain('application/x-ndjson')
  })

  test('in MessagePack has the bytes themselves', async () => {
    const topic = await TestTopic.create(broker)
    await topic.produce(
      '{"key":"k","value":{"base64":"AP8="},"headers":[["h",{"base64":"/w=="}]],"timestamp":1700000000000}',
    )
    const reply = await topic.read('', { headers: { accept: 'application/msgpack' } })
    expect(reply.headers['content-type']).toBe('application/msgpack')
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' })
    expect(unpackr.unpack(reply.bytes)).toEqual({
      records: [
        {
          partition: 0,
          offset: 0,
          timestamp: 1_700_000_000_000,
          key: Buffer.from('k'),
          value: Buffer.from([0, 255]),
          headers: [['h', Buffer.from([255])]],
        },
      ],
      nextOffset: 1,
      highWatermark: 1,
      logStartOffset: 0,
    })
    // 64-bit integer, not float: marker 0xd3 or 0xcf before the timestamp.
    const at = reply.bytes.indexOf('timestamp') + 'timestamp'.length
    expect([0xd3, 0xcf]).toContain(reply.bytes[at])
  })
})

describe('waiting', () => {
  test('ends with the first matching record', async () => {
    const topic = await numbered(3)
    const waiting = topic.read('?from=latest&waitMs=20000&key=wanted')
    await delay(30)
    await topic.produce({ key: 'other', value: 1 })
    await delay(30)
    await topic.produce({ key: 'wanted', value: 2 })
    const { json } = await waiting
    expect(json).toMatchObject({ records: [{ offset: 4, key: 'wanted' }], nextOffset: 5 })
  })

  test('ends with nothing when the time is up', async () => {
    const topic = await numbered(3)
    expect((await topic.read('?from=latest&waitMs=50')).json).toMatchObject({
      records: [],
      nextOffset: 3,
    })
  })

  test('of a client that went away leaves nobody waiting', async () => {
    const topic = await numbered(1)
    const partition = broker.context.replicas.partition(topic.name, 0)
    const socket = createConnection({ port: broker.port, host: '127.0.0.1' })
    socket.write(
      `GET /v1/topics/${topic.name}/partitions/0/records?from=latest&waitMs=30000 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    )
    await expect.poll(() => partition.waiters).toBe(1)
    socket.destroy()
    await expect.poll(() => partition.waiters).toBe(0)
  })

  test('ends when the broker stops, with what there is', async () => {
    await using other = await startBroker()
    const topic = await TestTopic.create(other)
    const waiting = topic.read('?waitMs=30000')
    await expect.poll(() => other.context.replicas.partition(topic.name, 0).waiters).toBe(1)
    await other.stop()
    expect((await waiting).json.records).toEqual([])
  })
})

test('as=json of produce and of read are each other’s inverse', async () => {
  const topic = await TestTopic.create(broker)
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const { json } = await topic.produce(JSON.stringify({ value }), '?as=json')
      const read = await topic.read(`?as=json&limit=1&from=${json.offsets[0].offset}`)
      expect(read.json.records[0].value).toEqual(JSON.parse(JSON.stringify(value)))
    }),
    { numRuns: 50 },
  )
})
