/** What becomes of a topic, and of the broker, while streams read it. */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeCursor } from '../../../../broker/http/records/cursor.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { FastClock } from '../../../rigs/fast-clock.ts'
import { send, TestTopic } from '../records/topic-client.ts'
import { fill, pathOf, range, topicOf } from './numbered-topic.ts'
import { EVENTS, NDJSON, OpenStream } from './open-stream.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

const json = { 'content-type': 'application/json' }
const grow = ({ name }: TestTopic, partitions: number) =>
  send(broker, `/v1/topics/${name}`, {
    method: 'PATCH',
    headers: json,
    body: JSON.stringify({ partitions }),
  })
const trim = ({ name }: TestTopic, before: number) =>
  send(broker, `/v1/topics/${name}/partitions/0/records?before=${before}`, { method: 'DELETE' })
const remove = ({ name }: TestTopic) => send(broker, `/v1/topics/${name}`, { method: 'DELETE' })

const follow = (path: string, accept: string) =>
  OpenStream.open(
    broker,
    accept === NDJSON ? `${path}${path.includes('?') ? '&' : '?'}follow=true` : path,
    { accept },
  )

describe.each([
  ['NDJSON', NDJSON],
  ['events', EVENTS],
])('%s', (_name, accept) => {
  test('partitions that are added while it follows are read from their beginning', async () => {
    const topic = await topicOf(broker, [2, 2])
    using stream = await follow(`${topic.path}?from=latest`, accept)
    await stream.until(({ checkpoints }) => checkpoints.length > 0)
    expect((await grow(topic, 4)).status).toBe(200)
    await fill(topic, 2, 0, 3)
    await fill(topic, 3, 0, 1)
    await fill(topic, 0, 2, 3)
    await stream.has(5)
    expect(stream.places.sort()).toEqual(['0/2', '2/0', '2/1', '2/2', '3/0'])
    const last = () => (accept === EVENTS ? stream.ids : stream.checkpoints).at(-1)!
    await stream.until(() => decodeCursor(last()).places.length === 4)
  })

  test('a topic of one partition that grows goes on, and its ids name all of them', async () => {
    const topic = await topicOf(broker, [3])
    using stream = await follow(topic.path, accept)
    await stream.has(3)
    await grow(topic, 2)
    await fill(topic, 1, 0, 2)
    await stream.has(5)
    await fill(topic, 0, 3, 5)
    await stream.has(7)
    const last = () => (accept === EVENTS ? stream.ids : stream.checkpoints).at(-1)!
    await stream.until(
      () =>
        decodeCursor(last())
          .places.map(({ nextOffset }) => nextOffset)
          .join() === '5,2',
    )
    using back = await OpenStream.open(broker, `${topic.path}?cursor=${last()}&limit=1`, { accept })
    await fill(topic, 1, 2, 3)
    if (accept === EVENTS) await back.has(1)
    expect(back.places).toEqual(accept === EVENTS ? ['1/2'] : [])
  })

  test('a topic that is deleted ends it with a problem', async () => {
    const topic = await topicOf(broker, [2])
    using idle = await follow(pathOf(topic), accept)
    using whole = await follow(topic.path, accept)
    await idle.has(2)
    await whole.has(2)
    expect((await remove(topic)).status).toBeLessThan(300)
    for (const stream of [idle, whole]) {
      expect(await stream.ended).toBe('clean')
      expect(stream.problems).toMatchObject([{ code: 'UNKNOWN_TOPIC_OR_PARTITION', status: 404 }])
      expect(stream.ends).toEqual([])
    }
  })

  test('a topic that was created anew is 410 to who comes back', async () => {
    const topic = await topicOf(broker, [2])
    const first = await OpenStream.whole(
      broker,
      `${pathOf(topic)}?limit=1${accept === NDJSON ? '&follow=true' : ''}`,
      { accept },
    )
    await remove(topic)
    await broker.context.topics.create({ name: topic.name })
    const cursor = first.ends[0]!.cursor
    const back = await OpenStream.whole(broker, `${pathOf(topic)}?cursor=${cursor}`, { accept })
    expect([back.status, back.document.code]).toEqual([410, 'INCONSISTENT_TOPIC_ID'])
    const id = first.ids.at(-1) ?? cursor
    const byId = await OpenStream.whole(broker, pathOf(topic), {
      accept,
      headers: { 'last-event-id': id },
    })
    expect(byId.status).toBe(410)
  })

  test('records trimmed away below a slow reader are a problem, or passed over if it said so', async () => {
    const topic = await TestTopic.create(broker, { config: { 'segment.bytes': 1024 * 1024 } })
    // Nothing that compresses: what a stream has read ahead is no more than two of them.
    const value = randomBytes(190_000).toString('base64')
    const count = 130
    for (let i = 0; i < count; i++) await topic.produce({ value })
    const streams = await Promise.all(
      ['', '?outOfRange=earliest', '?outOfRange=latest'].map((query) =>
        follow(`${pathOf(topic)}${query}`, accept),
      ),
    )
    for (const stream of streams) stream.pause()
    expect((await trim(topic, count - 10)).status).toBeLessThan(300)
    for (const stream of streams) stream.resume()
    const [strict, earliest, latest] = streams
    expect(await strict!.ended).toBe('clean')
    expect(strict!.problems).toMatchObject([
      { code: 'OFFSET_OUT_OF_RANGE', logStartOffset: count - 10, highWatermark: count },
    ])
    const read = strict!.offsets.length
    expect(strict!.offsets).toEqual(range(read))
    await earliest!.until(({ offsets }) => offsets.at(-1) === count - 1)
    const kept = earliest!.offsets.indexOf(count - 10)
    expect(earliest!.offsets).toEqual([...range(kept), ...range(10, count - 10)])
    await fill(topic, 0, count, count + 2)
    await latest!.until(({ offsets }) => offsets.at(-1) === count + 1)
    expect(latest!.offsets.slice(-2)).toEqual([count, count + 1])
    expect(latest!.offsets).not.toContain(count - 1)
    for (const stream of streams) stream.close()
  })

  test('a broker that stops says so, and where to go on', async () => {
    await using other = await startBroker()
    const topic = await topicOf(other, [4, 0])
    const path = accept === NDJSON ? `${topic.path}?follow=true` : topic.path
    const stream = await OpenStream.open(other, path, { accept })
    await stream.has(4)
    await other.stop()
    expect(await stream.ended).toBe('clean')
    expect(stream.ends).toMatchObject([{ reason: 'stopping' }])
    expect(decodeCursor(stream.ends[0]!.cursor)).toMatchObject({
      isEnd: false,
      places: [{ nextOffset: 4 }, { nextOffset: 0 }],
    })
    if (accept === EVENTS) expect(stream.ids.at(-1)).toBe(stream.ends[0]!.cursor)
  })
})

test('a finite stream is cut, not ended, when the broker stops', async () => {
  await using other = await startBroker()
  const topic = await TestTopic.create(other)
  for (let i = 0; i < 100; i++) await topic.produce({ value: 'x'.repeat(250_000) })
  const stream = await OpenStream.open(other, pathOf(topic))
  stream.pause()
  await expect.poll(() => other.context.replicas.partition(topic.name, 0).highWatermark).toBe(100)
  await other.stop()
  stream.resume()
  expect(await stream.ended).toBe('cut')
  expect(stream.records.length).toBeLessThan(100)
})

describe('with time', () => {
  let fast: TestBroker
  beforeAll(async () => {
    fast = await startBroker({ dependencies: { clock: new FastClock(20) } })
  })
  afterAll(() => fast[Symbol.asyncDispose]())

  test('a heartbeat comes every ten seconds, whether or not anything moved', async () => {
    const topic = await topicOf(fast, [1])
    for (const accept of [NDJSON, EVENTS]) {
      using stream = await OpenStream.open(
        fast,
        `${pathOf(topic)}${accept === NDJSON ? '?follow=true' : ''}`,
        { accept },
      )
      await stream.has(1)
      await stream.until(({ checkpoints }) => checkpoints.length >= 4)
      expect(decodeCursor(stream.checkpoints.at(-1)!).places[0]?.nextOffset).toBe(1)
      expect(stream.records.length).toBe(1)
    }
  })

  test('a future time ends it when it has come, at the first record of that time', async () => {
    const topic = await TestTopic.create(fast, { partitions: 2 })
    const soonMs = fast.context.clock.now() + 40_000
    const path = `${topic.path}?until=@${soonMs}`
    const ndjson = await OpenStream.open(fast, `${path}&follow=true`)
    const events = await OpenStream.open(fast, path, { accept: EVENTS })
    await topic.produce({ partition: 1, value: 'before', timestamp: soonMs - 1 })
    for (const stream of [ndjson, events]) await stream.has(1)
    expect(ndjson.isEnded || events.isEnded).toBe(fast.context.clock.now() >= soonMs)
    for (const stream of [ndjson, events]) {
      expect(await stream.ended).toBe('clean')
      expect(stream.ends).toMatchObject([{ reason: 'until' }])
      expect(stream.places).toEqual(['1/0'])
    }
    expect(fast.context.clock.now()).toBeGreaterThanOrEqual(soonMs)
    const { cursor } = ndjson.ends[0]!
    expect(decodeCursor(cursor).places).toEqual([
      { partition: 0, nextOffset: 0, endOffset: 0 },
      { partition: 1, nextOffset: 1, endOffset: 1 },
    ])
  })
})
