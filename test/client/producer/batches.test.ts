/**
 * How a producer gathers records, against a real broker: what goes together and when, what is told of a
 * batch, when there is no room, and that nothing gathered is left behind at the end.
 */

import { describe, expect, test } from 'vitest'
import { startBroker } from '../../../broker/testing.ts'
import { connect, type Delivery, json, type ProducerOptions } from '../../../client/index.ts'
import { failure, ProducerSuite } from './producer-rig.ts'

const suite = ProducerSuite.serve()

describe('enqueue', () => {
  test('tells the fate of each batch once, with the tags of its records', async () => {
    const topic = await suite.newTopic(2)
    const deliveries: Delivery[] = []
    const onDelivery = (delivery: Delivery) => void deliveries.push(delivery)
    await using producer = suite.client.producer({ topic, onDelivery, batchBytes: 500 })
    for (let at = 0; at < 100; at++) {
      if (!producer.enqueue({ partition: at % 2, value: `v${at}` }, at)) await producer.room()
    }
    await producer.flush()
    const logs = [await suite.values(topic, 0), await suite.values(topic, 1)]
    let count = 0
    for (const { partition, baseOffset, recordCount, durability, error, tags } of deliveries) {
      expect([durability, error, tags?.length]).toEqual(['flushed', undefined, recordCount])
      for (let at = 0; at < recordCount; at++, count++) {
        expect(logs[partition]![baseOffset + at]).toBe(`v${tags![at]}`)
      }
    }
    expect(count).toBe(100)
    expect(deliveries.length).toBeGreaterThan(2)
  })

  test('says when to wait, and throws when it is not heeded', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, bufferBytesMax: 5_000 })
    const value = 'v'.repeat(1_000)
    let taken = 0
    while (producer.enqueue({ value })) taken += 1
    let thrown: unknown
    try {
      while (true) producer.enqueue({ value })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'BUFFER_EXHAUSTED', outcome: 'refused', retriable: true })
    await producer.room()
    producer.enqueue({ value: 'last' })
    await producer.flush()
    const log = await suite.values(topic)
    expect([log.length > taken, log.at(-1)]).toEqual([true, 'last'])
  })

  test('a failure nobody listens for comes out of flush, once', async () => {
    await using producer = suite.client.producer({ topic: 'not-there' })
    producer.enqueue({ value: 'x' })
    const error = await failure(producer.flush())
    expect(error.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    await producer.flush()
  })
})

describe('batches', () => {
  test('what is sent in one tick goes together; lingerMs waits for more', async () => {
    const topic = await suite.newTopic()
    const counts: number[] = []
    const onDelivery = ({ recordCount }: Delivery) => void counts.push(recordCount)
    await using first = suite.client.producer({ topic, onDelivery })
    await Promise.all(['a', 'b', 'c'].map((value) => first.send({ value })))
    await using second = suite.client.producer({ topic, onDelivery, lingerMs: 40 })
    const one = second.send({ value: 'd' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([one, second.send({ value: 'e' })])
    expect(counts).toEqual([3, 2])
  })

  test('flush does not wait for lingerMs', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, lingerMs: 60_000 })
    const sent = producer.send({ value: 'now' })
    await producer.flush()
    expect(await sent).toMatchObject({ offset: 0 })
  })

  test.each<[string, ProducerOptions, number]>([
    ['acks 1', { acks: 1 }, 0],
    ['no idempotence', { idempotent: false }, 0],
    ['acks 0', { acks: 0 }, -1],
    ['no compression', { compression: 'none' }, 0],
    ['zstd', { compression: 'zstd' }, 0],
  ])('%s', async (_, options, offset) => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, batchBytes: 100, ...options })
    const all = Array.from({ length: 50 }, (_, at) => `v${at}`)
    const sent = await Promise.all(all.map((value) => producer.send({ value })))
    expect(sent[0]?.offset).toBe(offset)
    await expect.poll(() => suite.values(topic)).toEqual(all)
  })

  test('requests are made smaller for a broker that takes less', async () => {
    await using small = await startBroker({ httpBodyBytesMax: 256 * 1024 })
    await using own = connect(small.url)
    await own.admin.createTopic({ name: 'many', partitions: 8 })
    await using producer = own.producer({ topic: 'many', batchBytes: 60_000, compression: 'none' })
    const value = 'v'.repeat(50_000)
    const partitions = Array.from({ length: 8 * 4 }, (_, at) => at % 8)
    const sent = await Promise.all(
      partitions.map((partition) => producer.send({ partition, value })),
    )
    expect(sent.map(({ offset }) => offset)).toEqual(partitions.map((_, at) => Math.floor(at / 8)))
  })

  test('new partitions are noticed', async () => {
    const topic = await suite.newTopic()
    await using quick = connect({ url: suite.broker.url, metadataMaxAgeMs: 1 })
    await using producer = quick.producer({ topic })
    await producer.send({ value: 'old' })
    await suite.client.admin.alterTopic(topic, { partitions: 8 })
    expect(await producer.send({ partition: 7, value: 'new' })).toMatchObject({ partition: 7 })
    const chosen = new Set<number>()
    for (let at = 0; at < 60; at++) chosen.add((await producer.send({ value: 'x' })).partition)
    expect(chosen.size).toBeGreaterThan(1)
  })

  test('a topic made anew is written to, after a failure that says so', async () => {
    const topic = await suite.newTopic()
    await using patient = suite.client.producer({ topic })
    await patient.send({ value: 'known' })
    await suite.client.admin.deleteTopic(topic)
    await suite.client.admin.createTopic({ name: topic, partitions: 1 })
    const lost = await failure(patient.send({ value: 'for the old one' }))
    expect([lost.code, lost.outcome]).toEqual(['INCONSISTENT_TOPIC_ID', 'refused'])
    expect(await patient.send({ value: 'again' })).toMatchObject({ partition: 0, offset: 0 })
  })
})

describe('close', () => {
  test('flushes, then takes nothing more', async () => {
    const topic = await suite.newTopic()
    const producer = suite.client.producer({ topic, value: json(), lingerMs: 10_000 })
    const sent = producer.send({ value: 'kept' })
    await producer.close()
    expect(await sent).toMatchObject({ offset: 0 })
    expect((await failure(producer.send({ value: 'late' }))).code).toBe('CLIENT_CLOSED')
    expect(() => producer.enqueue({ value: 'late' })).toThrow('closed')
    await producer.close()
  })

  test('of the client closes its producers', async () => {
    const topic = await suite.newTopic()
    const own = connect(suite.broker.url)
    const sent = own.producer({ topic, lingerMs: 10_000 }).send({ value: 'kept' })
    await own.close()
    expect(await sent).toMatchObject({ offset: 0 })
  })
})
