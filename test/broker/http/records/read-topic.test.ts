/** Reading all partitions of a topic: pages that are fair, cursors that go on, and what becomes of the places. */

import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeCursor, encodeCursor } from '../../../../broker/http/records/cursor.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { type Reply, send, TestTopic } from './topic-client.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

interface Shown {
  readonly partition: number
  readonly offset: number
}

/** A topic whose partitions have so many records, in batches of `batch`; offset n has timestamp START + n. */
const START = 1_700_000_000_000
async function filled(counts: readonly number[], batch = 10): Promise<TestTopic> {
  const topic = await TestTopic.create(broker, { partitions: counts.length })
  for (const [partition, count] of counts.entries()) await fill(topic, partition, 0, count, batch)
  return topic
}

async function fill(topic: TestTopic, partition: number, from: number, to: number, batch = 10) {
  for (let first = from; first < to; first += batch) {
    const records = Array.from({ length: Math.min(batch, to - first) }, (_, i) => ({
      key: `k${(first + i) % 3}`,
      value: { n: first + i },
      partition,
      timestamp: START + first + i,
    }))
    await topic.produce({ records })
  }
}

const readAll = (topic: TestTopic, query = '', headers: Record<string, string> = {}) =>
  send(broker, `${topic.path}${query}`, { headers })

const places = (records: readonly Shown[]) =>
  records.map(({ partition, offset }) => `${partition}/${offset}`)

const linkOf = (reply: Reply) => /^<(.+)>; rel="next"$/.exec(String(reply.headers.link ?? ''))?.[1]

const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)
const allOf = (counts: readonly number[]) =>
  counts.flatMap((count, partition) => range(count).map((offset) => `${partition}/${offset}`))

describe('a page of a topic', () => {
  test('has records of all partitions, a place in each, a cursor and a link', async () => {
    const topic = await filled([3, 0, 2])
    const reply = await readAll(topic)
    expect(reply.status).toBe(200)
    expect(places(reply.json.records)).toEqual(['0/0', '0/1', '0/2', '2/0', '2/1'])
    expect(reply.json.records[3]).toEqual({
      partition: 2,
      offset: 0,
      timestamp: START,
      key: 'k0',
      value: { n: 0 },
      headers: [],
    })
    expect(reply.json.partitions).toEqual([
      { partition: 0, nextOffset: 3, highWatermark: 3, logStartOffset: 0 },
      { partition: 1, nextOffset: 0, highWatermark: 0, logStartOffset: 0 },
      { partition: 2, nextOffset: 2, highWatermark: 2, logStartOffset: 0 },
    ])
    await fill(topic, 1, 0, 1)
    await fill(topic, 2, 2, 3)
    const next = await send(broker, linkOf(reply)!)
    expect(places(next.json.records).sort()).toEqual(['1/0', '2/2'])
  })

  test('and its followers give each record once, in order per partition, whatever the sizes', async () => {
    const counts = [40, 0, 7, 23]
    const topic = await filled(counts, 6)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 2_000 }),
        async (limit, maxBytes) => {
          const found: string[] = []
          for (let query = ''; found.length < 70; ) {
            const { json } = await readAll(topic, `?limit=${limit}&maxBytes=${maxBytes}${query}`)
            expect(json.records.length).toBeGreaterThan(0)
            expect(json.records.length).toBeLessThanOrEqual(limit)
            found.push(...places(json.records))
            query = `&cursor=${json.cursor}`
          }
          const byPartition = counts.flatMap((_, p) =>
            found.filter((each) => each.startsWith(`${p}/`)),
          )
          expect(byPartition).toEqual(allOf(counts))
        },
      ),
      { numRuns: 15 },
    )
  })

  test.each(['limit=1', 'limit=2', 'maxBytes=1', 'limit=7&maxBytes=100'])(
    'starves no partition, also with %s',
    async (query) => {
      const topic = await filled([300, 10, 300, 10], 5)
      let cursor = ''
      const pages: Shown[][] = []
      for (let page = 0; page < 80; page++) {
        const { json } = await readAll(topic, `?${query}${cursor}`)
        pages.push(json.records)
        cursor = `&cursor=${json.cursor}`
      }
      // Of the small ones, all was read long before the large ones came to their end.
      const offsets = (partition: number) =>
        pages.flat().flatMap((each) => (each.partition === partition ? [each.offset] : []))
      expect(offsets(1)).toEqual(range(10))
      expect(offsets(3)).toEqual(range(10))
      // And every partition that has more is in at least one of as many pages as there are partitions.
      const first = pages.slice(0, 8)
      for (const from of range(first.length - 4)) {
        const seen = new Set(
          first
            .slice(from, from + 4)
            .flat()
            .map(({ partition }) => partition),
        )
        expect(seen.size).toBe(4)
      }
    },
  )

  test('gives what a partition does not use to the others', async () => {
    const topic = await filled([100, 3, 100])
    const { json } = await readAll(topic, '?limit=50')
    const count = (partition: number) =>
      json.records.filter((each: Shown) => each.partition === partition).length
    expect([count(1), count(0) + count(2)]).toEqual([3, 47])
    expect(Math.min(count(0), count(2))).toBeGreaterThanOrEqual(15)
  })

  test('filters, and says where to go on when it finds nothing', async () => {
    const topic = await filled([9, 9])
    const found = (await readAll(topic, '?key=k1')).json.records
    expect(places(found)).toEqual(['0/1', '0/4', '0/7', '1/1', '1/4', '1/7'])
    const { json } = await readAll(topic, '?key=nobody')
    expect(json.records).toEqual([])
    expect(decodeCursor(json.cursor).places).toMatchObject([{ nextOffset: 9 }, { nextOffset: 9 }])
  })

  test('takes any position but an offset, which is one partition’s alone', async () => {
    const topic = await filled([20, 10])
    const read = async (query: string) => places((await readAll(topic, query)).json.records)
    expect(await read('?from=latest')).toEqual([])
    expect(await read('?from=-2')).toEqual(['0/18', '0/19', '1/8', '1/9'])
    expect(await read(`?from=@${START + 8}&until=@${START + 10}`)).toEqual([
      '0/8',
      '0/9',
      '1/8',
      '1/9',
    ])
    for (const field of ['from', 'until']) {
      const reply = await readAll(topic, `?${field}=5`)
      expect(reply.status).toBe(400)
      expect(reply.json).toMatchObject({ code: 'INVALID_REQUEST', field })
      expect(reply.json.detail).toMatch(/2 partitions/)
    }
    const one = await filled([8])
    expect(places((await readAll(one, '?from=5&until=7')).json.records)).toEqual(['0/5', '0/6'])
  })

  test.each(['until=latest', 'until=-3', `until=@${START + 4}`, 'until=-PT1H'])(
    'and those its links lead to end at %s, as it was when the first was read',
    async (until) => {
      const topic = await filled([8, 5])
      const expected = places((await readAll(topic, `?${until}`)).json.records)
      let link: string | undefined = `${topic.path}?limit=3&${until}`
      const found: string[] = []
      for (let pages = 0; link !== undefined && pages < 12; pages++) {
        const reply: Reply = await send(broker, link)
        found.push(...places(reply.json.records))
        for (const partition of [0, 1]) await topic.produce({ value: 'later', partition })
        link = linkOf(reply)
      }
      expect(link).toBeUndefined()
      // Each of the later ones is younger than an hour, and so an end for the last of these.
      expect(found.sort()).toEqual(expected.sort())
    },
  )

  test('in MessagePack says the same', async () => {
    const topic = await filled([2, 1])
    const reply = await readAll(topic, '', { accept: 'application/msgpack' })
    const unpackr = new Unpackr({ useRecords: false, int64AsType: 'auto' as 'number' })
    const page = unpackr.unpack(reply.bytes)
    expect(places(page.records)).toEqual(['0/0', '0/1', '1/0'])
    expect(page.records[1].value).toEqual(Buffer.from('{"n":1}'))
    expect(page.partitions).toHaveLength(2)
    expect(decodeCursor(page.cursor).places).toEqual([
      { partition: 0, nextOffset: 2 },
      { partition: 1, nextOffset: 1 },
    ])
  })

  test('that meets a record it can not show says so when it is the first, with the cursor after it', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    await topic.produce({ value: 'not json', partition: 0 })
    await topic.produce({ value: { a: 1 }, partition: 0 })
    await topic.produce({ value: { b: 1 }, partition: 1 })
    const stuck = await readAll(topic, '?as=json')
    expect(stuck.status).toBe(422)
    expect(stuck.json).toMatchObject({ code: 'INVALID_RECORD', offset: 0 })
    const next = await readAll(topic, `?as=json&cursor=${stuck.json.cursor}`)
    expect(places(next.json.records)).toEqual(['0/1', '1/0'])
  })
})

describe('waiting', () => {
  test('ends with the first matching record of any partition', async () => {
    const topic = await filled([3, 3, 3])
    const waiting = readAll(topic, '?from=latest&waitMs=20000&key=wanted')
    const waits = () => broker.context.replicas.partition(topic.name, 2).waiters
    await expect.poll(waits).toBe(1)
    await topic.produce({ key: 'other', value: 1, partition: 0 })
    await topic.produce({ key: 'wanted', value: 2, partition: 2 })
    expect((await waiting).json).toMatchObject({ records: [{ partition: 2, offset: 3 }] })
    expect(waits()).toBe(0)
  })

  test('ends with nothing when the time is up', async () => {
    const topic = await filled([1, 1])
    expect((await readAll(topic, '?from=latest&waitMs=50')).json.records).toEqual([])
  })

  test('ends when the topic is deleted', async () => {
    const topic = await filled([1, 1])
    const waiting = readAll(topic, '?from=latest&waitMs=20000')
    await expect.poll(() => broker.context.replicas.partition(topic.name, 0).waiters).toBe(1)
    await broker.context.topics.delete(topic.name)
    expect((await waiting).json).toMatchObject({ status: 404 })
  })

  test('of a partition that is trimmed meanwhile goes on where outOfRange says', async () => {
    const topic = await filled([2, 2])
    const waiting = readAll(topic, '?from=latest&waitMs=20000&key=wanted&outOfRange=earliest')
    const partition = broker.context.replicas.partition(topic.name, 1)
    await expect.poll(() => partition.waiters).toBe(1)
    await topic.produce({ records: range(5).map((value) => ({ value, partition: 1 })) })
    await partition.deletePrefix(7)
    await topic.produce({ key: 'wanted', value: 1, partition: 1 })
    expect((await waiting).json.records).toMatchObject([{ partition: 1, offset: 7 }])
  })
})

describe('a cursor', () => {
  test('is beaten by Last-Event-ID, and beats from', async () => {
    const topic = await filled([4, 4])
    const at = (offset: number) =>
      encodeCursor({
        topicId: broker.context.topics.require(topic.name).topicId,
        places: [0, 1].map((partition) => ({ partition, nextOffset: offset })),
        isEnd: false,
      })
    const read = async (query: string, header?: string) =>
      places(
        (await readAll(topic, query, header === undefined ? {} : { 'last-event-id': header })).json
          .records,
      )
    expect(await read(`?from=earliest&cursor=${at(3)}`)).toEqual(['0/3', '1/3'])
    expect(await read(`?from=earliest&cursor=${at(0)}`, at(3))).toEqual(['0/3', '1/3'])
    expect(await read('?from=-1', at(2))).toEqual(['0/2', '0/3', '1/2', '1/3'])
    // An offset means nothing over two partitions, but it is not asked either.
    expect(await read(`?from=1&cursor=${at(3)}`)).toEqual(['0/3', '1/3'])
    const bad = await readAll(topic, `?cursor=${at(3)}`, { 'last-event-id': 'nonsense' })
    expect(bad.status).toBe(400)
    expect(bad.json.detail).toMatch(/Last-Event-ID/)
  })

  test('reads partitions added since from their beginning', async () => {
    const topic = await filled([2])
    const { cursor } = (await readAll(topic)).json
    await broker.context.topics.alter(topic.name, { partitions: 3 })
    await fill(topic, 1, 0, 2)
    await fill(topic, 0, 2, 3)
    const { json } = await readAll(topic, `?cursor=${cursor}`)
    expect(places(json.records).sort()).toEqual(['0/2', '1/0', '1/1'])
    expect(json.partitions).toHaveLength(3)
  })

  test('of a topic that was made anew is 410', async () => {
    const topic = await filled([2, 2])
    const { cursor } = (await readAll(topic)).json
    await broker.context.topics.delete(topic.name)
    await broker.context.topics.create({ name: topic.name, partitions: 2 })
    for (const reply of [
      await readAll(topic, `?cursor=${cursor}`),
      await topic.read(`?cursor=${cursor}`),
    ]) {
      expect(reply.status).toBe(410)
      expect(reply.json.code).toBe('INCONSISTENT_TOPIC_ID')
    }
  })

  test('of a place that is gone is 416 naming it, or goes on where outOfRange says', async () => {
    const topic = await filled([10, 10])
    const { cursor } = (await readAll(topic, '?limit=4')).json
    await broker.context.replicas.partition(topic.name, 1).deletePrefix(6)
    const reply = await readAll(topic, `?cursor=${cursor}`)
    expect(reply.status).toBe(416)
    expect(reply.json).toMatchObject({ partition: 1, logStartOffset: 6, highWatermark: 10 })
    const read = async (query: string) =>
      places((await readAll(topic, `?cursor=${cursor}&${query}`)).json.records)
    const ofFirst = range(8, 2).map((offset) => `0/${offset}`)
    expect(await read('outOfRange=earliest')).toEqual([...ofFirst, '1/6', '1/7', '1/8', '1/9'])
    expect(await read('outOfRange=latest')).toEqual(ofFirst)
  })

  test('goes between a topic and its partitions, where it says enough', async () => {
    const topic = await filled([5, 5])
    const { cursor } = (await readAll(topic, '?limit=4')).json
    const page = await topic.read(`?cursor=${cursor}&limit=2`, { partition: 1 })
    expect(page.json.records).toMatchObject([{ offset: 2 }, { offset: 3 }])
    const link = new URL(linkOf(page)!, 'http://x')
    const { topicId } = broker.context.topics.require(topic.name)
    expect(Object.fromEntries(link.searchParams)).toEqual({ limit: '2', from: '4', topicId })
    const ofOne = encodeCursor({ topicId, places: [{ partition: 1, nextOffset: 3 }], isEnd: false })
    expect((await topic.read(`?cursor=${ofOne}`, { partition: 1 })).json.records).toHaveLength(2)
    for (const reply of [
      await readAll(topic, `?cursor=${ofOne}`),
      await topic.read(`?cursor=${ofOne}`),
    ]) {
      expect(reply.status).toBe(400)
      expect(reply.json.detail).toMatch(/partition 1 alone/)
    }
  })

  test('made up says no more than from= can', async () => {
    const topic = await filled([2, 2])
    const { topicId } = broker.context.topics.require(topic.name)
    const read = (where: readonly (readonly [partition: number, nextOffset: number])[]) =>
      readAll(
        topic,
        `?cursor=${encodeCursor({
          topicId,
          places: where.map(([partition, nextOffset]) => ({ partition, nextOffset })),
          isEnd: false,
          turn: 2 ** 31 - 1,
        })}`,
      )
    expect((await read([[0, 3]])).status).toBe(416)
    expect((await read([[0, Number.MAX_SAFE_INTEGER]])).status).toBe(416)
    expect((await read(range(3).map((partition) => [partition, 0]))).status).toBe(404)
    expect((await read([[2 ** 31 - 1, 0]])).status).toBe(400)
    expect(places((await read([])).json.records)).toEqual(['0/0', '0/1', '1/0', '1/1'])
  })
})

test('a topic of very many partitions is read in bounded memory, and its cursor stays small', async () => {
  const topic = await TestTopic.create(broker, { partitions: 1_000 })
  const records = range(2_000).map((n) => ({ value: 'x'.repeat(100), partition: n % 1_000 }))
  await topic.produce({ records })
  const found = new Set<string>()
  let cursor = ''
  for (let page = 0; page < 4; page++) {
    const { json } = await readAll(topic, `?limit=500${cursor}`)
    for (const place of places(json.records)) found.add(place)
    expect(json.cursor.length).toBeLessThanOrEqual(8_192)
    cursor = `&cursor=${json.cursor}`
  }
  expect(found.size).toBe(2_000)
})

test('what is asked for wrongly is 400, and what is not there 404', async () => {
  const topic = await filled([1, 1])
  for (const query of [
    'cursor=',
    'cursor=abc',
    'limit=10001',
    'from=5',
    'as=text',
    'cursor=a&cursor=b',
  ]) {
    expect([query, (await readAll(topic, `?${query}`)).status]).toEqual([query, 400])
  }
  const long = await readAll(topic, `?cursor=${'A'.repeat(8_193)}`)
  expect(long.status).toBe(400)
  expect((await send(broker, '/v1/topics/nowhere/records')).status).toBe(404)
  const other = '00000000-0000-4000-8000-000000000000'
  expect((await readAll(topic, `?topicId=${other}`)).status).toBe(410)
})
