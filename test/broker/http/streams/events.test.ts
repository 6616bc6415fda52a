/** Event streams: their framing, their ids, and what a client that comes back with one is given. */

import { EventSource } from 'eventsource'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeCursor } from '../../../../broker/http/records/cursor.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { TestTopic } from '../records/topic-client.ts'
import { fill, pathOf, range, topicOf } from './numbered-topic.ts'
import { EVENTS, OpenStream, WAIT_MS_MAX } from './open-stream.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

const open = (path: string, lastEventId?: string) =>
  OpenStream.open(broker, path, {
    accept: EVENTS,
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
  })

describe('over one partition', () => {
  test('it says how soon to come back and where it is, and gives each event its cursor', async () => {
    const topic = await topicOf(broker, [3])
    using stream = await open(pathOf(topic))
    await stream.has(3)
    expect(stream.headers['content-type']).toBe('text/event-stream')
    expect(stream.blocks[0]).toMatchObject({ retry: '1000', event: 'checkpoint' })
    expect(stream.blocks[0]!.id).toBe(stream.checkpoints[0])
    const events = stream.blocks.filter(({ event, data }) => !event && data)
    for (const [n, { id }] of events.entries()) {
      expect(decodeCursor(id!).places).toEqual([{ partition: 0, nextOffset: n + 1 }])
    }
    await fill(topic, 0, 3, 10)
    await stream.has(10)
    expect(stream.offsets).toEqual(range(10))
    expect(stream.isEnded).toBe(false)
  })

  test('the id of any event goes on after it; it beats cursor, which beats from', async () => {
    const topic = await topicOf(broker, [30])
    using first = await open(pathOf(topic))
    await first.has(30)
    const idAfter = (offset: number) => first.ids[first.ids.length - 30 + offset]!
    using byId = await open(`${pathOf(topic)}?cursor=${idAfter(19)}&from=latest`, idAfter(9))
    await byId.has(20)
    expect(byId.offsets).toEqual(range(20, 10))
    using byCursor = await open(`${pathOf(topic)}?cursor=${idAfter(19)}&from=latest`)
    await byCursor.has(10)
    expect(byCursor.offsets).toEqual(range(10, 20))
  })

  test('who comes back after the end is told that there is no more', async () => {
    const topic = await topicOf(broker, [10])
    for (const query of ['?limit=4', '?until=4', '?until=latest']) {
      const stream = await OpenStream.whole(broker, `${pathOf(topic)}${query}`, { accept: EVENTS })
      expect(stream.how).toBe('clean')
      const last = stream.blocks.at(-1)!
      expect(last.event).toBe('end')
      const back = await OpenStream.whole(broker, `${pathOf(topic)}${query}`, {
        accept: EVENTS,
        headers: { 'last-event-id': last.id! },
      })
      expect([back.status, back.text]).toEqual([204, ''])
      // To go on all the same there is the cursor in its data.
      const { cursor } = stream.ends[0]!
      using more = await open(`${pathOf(topic)}?cursor=${cursor}&limit=1&from=earliest`)
      await more.ended
      expect(more.offsets).toEqual(query === '?until=latest' ? [] : query === '?limit=4' ? [4] : [])
    }
  })

  test('until=latest, cut and opened again, still ends where it was to end', async () => {
    const topic = await topicOf(broker, [10])
    using first = await open(`${pathOf(topic)}?until=latest`)
    await first.ended
    const idAfter4 = first.blocks.filter(({ event }) => !event)[3]!.id!
    await fill(topic, 0, 10, 20)
    const again = await OpenStream.whole(broker, `${pathOf(topic)}?until=latest`, {
      accept: EVENTS,
      headers: { 'last-event-id': idAfter4 },
    })
    expect(again.offsets).toEqual(range(6, 4))
  })

  test('a filter that finds nothing moves the id on', async () => {
    const topic = await topicOf(broker, [40])
    using stream = await open(`${pathOf(topic)}?key=nobody`)
    await stream.until(({ ids }) => decodeCursor(ids.at(-1)!).places[0]!.nextOffset === 40)
    await fill(topic, 0, 40, 50)
    await stream.until(({ ids }) => decodeCursor(ids.at(-1)!).places[0]!.nextOffset === 50)
    expect(stream.records).toEqual([])
  })
})

describe('over several partitions', () => {
  test('an id alone comes after each chunk, and a reconnect with it misses nothing', async () => {
    const topic = await topicOf(broker, [25, 25])
    using stream = await open(topic.path)
    await stream.has(50)
    await stream.until(({ blocks }) => blocks.at(-1)?.data === undefined)
    expect(stream.blocks.at(-1)).toEqual({ id: stream.ids.at(-1) })
    const events = stream.blocks.filter(({ event, data }) => !event && data)
    expect(events.every(({ id }) => id === undefined)).toBe(true)
    stream.close()
    await fill(topic, 0, 25, 30)
    await fill(topic, 1, 25, 28)
    using back = await open(topic.path, stream.ids.at(-1))
    await back.has(8)
    expect(back.places.sort()).toEqual([
      ...range(5, 25).map((o) => `0/${o}`),
      ...range(3, 25).map((o) => `1/${o}`),
    ])
  })

  test('an id comes within much history too, not only at its end', async () => {
    const topic = await TestTopic.create(broker, { partitions: 2 })
    const pad = 'x'.repeat(10_000)
    for (const partition of [0, 1]) {
      const records = range(60).map((n) => ({ partition, value: { n, pad } }))
      await topic.produce({ records })
    }
    using stream = await open(topic.path)
    await stream.has(120)
    const at = stream.blocks.findIndex(({ event, id, data }) => !event && id && !data)
    const before = stream.blocks.slice(0, at).filter(({ event }) => !event)
    expect(at).toBeGreaterThan(0)
    expect(before.length).toBeLessThan(30)
  })
})

test('no value can break the framing, whatever the view', async () => {
  const topic = await TestTopic.create(broker)
  const values = [
    'one\ntwo',
    'lone\rreturn',
    'both\r\n\r\n',
    '\u2028 and \u2029 and \u0085',
    'event: end\ndata: {}\n\n',
    'id: x\0y',
  ]
  for (const value of values) await topic.produce({ key: value, value, headers: { h: value } })
  await topic.produce('{"value":{"a":\n[1,\r\n2],\r"b":3}}')
  await topic.produce({ value: { base64: Buffer.from('\r\n\xff\n', 'latin1').toString('base64') } })
  for (const as of ['auto', 'base64']) {
    const stream = await OpenStream.whole(broker, `${pathOf(topic)}?as=${as}&until=latest`, {
      accept: EVENTS,
    })
    expect(stream.offsets).toEqual(range(values.length + 2))
    expect(stream.text).not.toContain('\r')
    for (const [n, value] of values.entries()) {
      const record = stream.records[n]!
      const shown = as === 'auto' ? value : { base64: Buffer.from(value).toString('base64') }
      expect(record).toMatchObject({ key: value, value: shown, headers: [['h', value]] })
    }
    if (as === 'auto') expect(stream.records.at(-2)!.value).toEqual({ a: [1, 2], b: 3 })
    const lines = await OpenStream.whole(broker, `${pathOf(topic)}?as=${as}`)
    expect(lines.records).toEqual(stream.records)
  }
})

test('an EventSource follows, comes back where it was, and stops after the end', async () => {
  const topic = await topicOf(broker, [5])
  const seen: number[] = []
  let connections = 0
  const source = new EventSource(`${broker.url}${pathOf(topic)}?limit=12`, {
    fetch: (url, init) => {
      connections++
      return fetch(url, init)
    },
  })
  const ended = new Promise<string>((resolve) => {
    source.addEventListener('end', ({ data }) => resolve(data))
  })
  source.addEventListener('message', ({ data }) => seen.push(JSON.parse(data).offset))
  try {
    await expect.poll(() => seen.length, { timeout: WAIT_MS_MAX }).toBe(5)
    await fill(topic, 0, 5, 12)
    expect(JSON.parse(await ended)).toMatchObject({ reason: 'limit' })
    // It connects again by itself, with the id of the end, and is told 204.
    await expect.poll(() => source.readyState, { timeout: WAIT_MS_MAX }).toBe(EventSource.CLOSED)
    expect(connections).toBe(2)
    expect(seen).toEqual(range(12))
  } finally {
    source.close()
  }
})
