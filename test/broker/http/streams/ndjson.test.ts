/** NDJSON streams: those that end hold records only, those that follow say where they are. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeCursor } from '../../../../broker/http/records/cursor.ts'
import { startBroker, type TestBroker } from '../../../../broker/testing.ts'
import { fill, pathOf, range, START, topicOf } from './numbered-topic.ts'
import { OpenStream } from './open-stream.ts'

let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

describe('a stream that ends', () => {
  test('over one partition has every record, nothing else, and ends cleanly', async () => {
    const topic = await topicOf(broker, [1_200], 100)
    const stream = await OpenStream.whole(broker, pathOf(topic))
    expect(stream.how).toBe('clean')
    expect(stream.headers['content-type']).toBe('application/x-ndjson')
    expect(stream.headers['cache-control']).toBe('no-store')
    expect(stream.offsets).toEqual(range(1_200))
    expect(stream.records[1]).toEqual({
      partition: 0,
      offset: 1,
      timestamp: START + 1,
      key: 'k1',
      value: { n: 1 },
      headers: [],
    })
    expect([stream.checkpoints, stream.ends]).toEqual([[], []])
  })

  test('over a topic has every record of every partition, in order per partition', async () => {
    const counts = [500, 0, 30, 250]
    const topic = await topicOf(broker, counts, 7)
    const stream = await OpenStream.whole(broker, topic.path)
    expect(stream.how).toBe('clean')
    const byPartition = counts.flatMap((_, p) =>
      stream.places.filter((it) => it.startsWith(`${p}/`)),
    )
    expect(byPartition).toEqual(counts.flatMap((count, p) => range(count).map((o) => `${p}/${o}`)))
  })

  test('of an empty topic is empty and complete', async () => {
    const topic = await topicOf(broker, [0, 0])
    const stream = await OpenStream.whole(broker, topic.path)
    expect([stream.status, stream.text, stream.how]).toEqual([200, '', 'clean'])
  })

  test('with control=true says where it is, why it ended, and where to go on', async () => {
    const topic = await topicOf(broker, [20, 5])
    const stream = await OpenStream.whole(broker, `${topic.path}?control=true`)
    expect(stream.checkpoints.length).toBeGreaterThanOrEqual(1)
    expect(decodeCursor(stream.checkpoints[0]!).places).toMatchObject([
      { nextOffset: 0 },
      { nextOffset: 0 },
    ])
    expect(stream.ends).toMatchObject([{ reason: 'latest' }])
    await fill(topic, 1, 5, 7)
    const next = await OpenStream.whole(broker, `${topic.path}?cursor=${stream.ends[0]!.cursor}`)
    expect(next.places).toEqual(['1/5', '1/6'])
  })

  test.each([
    ['limit=3&from=20', range(3, 20), 'limit'],
    ['until=10&key=k1', [1, 4, 7], 'until'],
    ['until=9999', range(50), 'latest'],
    ['from=latest', [], 'latest'],
    ['from=-5', range(5, 45), 'latest'],
    [`from=@${START + 30}&until=@${START + 33}`, range(3, 30), 'until'],
    ['until=2100-01-01T00:00:00Z&from=48', [48, 49], 'latest'],
    ['from=5&until=2', [], 'until'],
    ['from=40&until=latest', range(10, 40), 'until'],
  ])('with %s', async (query, offsets, reason) => {
    const topic = await topicOf(broker, [50])
    const stream = await OpenStream.whole(broker, `${pathOf(topic)}?control=true&${query}`)
    expect(stream.offsets).toEqual(offsets)
    expect(stream.ends).toMatchObject([{ reason }])
    expect(stream.how).toBe('clean')
  })

  test('with waitMs waits for the first record', async () => {
    const topic = await topicOf(broker, [0, 0])
    const waiting = OpenStream.whole(broker, `${topic.path}?waitMs=30000`)
    const partition = broker.context.replicas.partition(topic.name, 1)
    await expect.poll(() => partition.waiters).toBe(1)
    await fill(topic, 1, 0, 2, 2)
    expect((await waiting).places).toEqual(['1/0', '1/1'])
  })

  test('is cut, not ended, where a record can not be shown as asked', async () => {
    const topic = await topicOf(broker, [0])
    await topic.produce({ records: [{ value: { a: 1 } }, { value: 'not json' }, { value: 1 }] })
    const stream = await OpenStream.whole(broker, `${pathOf(topic)}?as=json`)
    expect(stream.how).toBe('cut')
    const told = await OpenStream.whole(broker, `${pathOf(topic)}?as=json&control=true`)
    expect([told.how, told.offsets]).toEqual(['clean', [0]])
    expect(told.problems).toMatchObject([{ code: 'INVALID_RECORD', status: 422, offset: 1 }])
    const [place] = decodeCursor(told.checkpoints.at(-1)!).places
    expect(place?.nextOffset).toBe(1)
    const stuck = await OpenStream.whole(broker, `${pathOf(topic)}?as=json&from=1`)
    expect([stuck.status, stuck.document.code]).toEqual([422, 'INVALID_RECORD'])
  })
})

describe('a stream that follows', () => {
  test('begins with where it is, gives what is there and what comes, and says where it came', async () => {
    const topic = await topicOf(broker, [3])
    using stream = await OpenStream.open(broker, `${pathOf(topic)}?follow=true&from=1`)
    await stream.has(2)
    expect(stream.text.startsWith('{"checkpoint":')).toBe(true)
    expect(decodeCursor(stream.checkpoints[0]!).places).toEqual([{ partition: 0, nextOffset: 1 }])
    await fill(topic, 0, 3, 40, 5)
    await stream.has(39)
    expect(stream.offsets).toEqual(range(39, 1))
    await stream.until(({ checkpoints }) => checkpoints.length > 1)
    await stream.until(
      ({ checkpoints }) => decodeCursor(checkpoints.at(-1)!).places[0]?.nextOffset === 40,
    )
    expect(stream.isEnded).toBe(false)
  })

  test('ends at its limit, and at its until', async () => {
    const topic = await topicOf(broker, [5])
    const limited = await OpenStream.open(broker, `${pathOf(topic)}?follow=true&limit=8`)
    const ended = await OpenStream.open(broker, `${pathOf(topic)}?follow=true&until=12`)
    await limited.has(5)
    await ended.has(5)
    await fill(topic, 0, 5, 30, 25)
    expect([await limited.ended, limited.offsets]).toEqual(['clean', range(8)])
    expect([await ended.ended, ended.offsets]).toEqual(['clean', range(12)])
    expect(limited.ends).toMatchObject([{ reason: 'limit' }])
    expect(ended.ends).toMatchObject([{ reason: 'until' }])
    expect(decodeCursor(limited.ends[0]!.cursor).places).toEqual([{ partition: 0, nextOffset: 8 }])
  })

  test('with filters gives what matches, and moves on where nothing does', async () => {
    const topic = await topicOf(broker, [6])
    await topic.produce({ value: 'a needle in hay', headers: { kind: 'blue' } })
    const follow = (query: string) =>
      OpenStream.open(broker, `${pathOf(topic)}?follow=true&${query}`)
    using byKey = await follow('key=k1')
    using byHeader = await follow('header=kind:blue')
    using byText = await follow('contains=needle')
    using nothing = await follow('key=nobody')
    await fill(topic, 0, 7, 19)
    await topic.produce({ value: 'another needle', headers: { kind: 'green' } })
    await byKey.has(6)
    await byHeader.has(1)
    await byText.has(2)
    expect(byKey.offsets).toEqual([1, 4, 7, 10, 13, 16])
    expect(byHeader.offsets).toEqual([6])
    expect(byText.offsets).toEqual([6, 19])
    await nothing.until(
      ({ checkpoints }) => decodeCursor(checkpoints.at(-1)!).places[0]?.nextOffset === 20,
    )
    expect(nothing.records).toEqual([])
  })
})
