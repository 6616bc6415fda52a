/**
 * `send` and `sendMany` against a real broker: each record's place comes back, order is kept, and what can
 * not be sent is refused in words, alone. How records are gathered is `batches.test.ts`.
 */

import { describe, expect, test } from 'vitest'
import { bytes, string } from '../../../client/index.ts'
import { failure, ProducerSuite } from './producer-rig.ts'

const suite = ProducerSuite.serve()

describe('send', () => {
  test('resolves with the place of the record', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic })
    expect(await producer.send({ value: 'one', timestamp: 17 })).toEqual({
      topic,
      partition: 0,
      offset: 0,
      timestamp: 17,
    })
    expect(await producer.send({ value: { two: 2 } })).toMatchObject({ offset: 1 })
    expect(await suite.values(topic)).toEqual(['one', '{"two":2}'])
  })

  test('keeps the order of the calls in a partition, with several requests under way', async () => {
    const topic = await suite.newTopic(3)
    await using producer = suite.client.producer({ topic, batchBytes: 200 })
    const calls = Array.from({ length: 2_000 }, (_, at) =>
      producer.send({ key: `k${at % 10}`, value: String(at) }),
    )
    const sent = await Promise.all(calls)
    for (let partition = 0; partition < 3; partition++) {
      const expected = sent.flatMap((it, at) => (it.partition === partition ? [String(at)] : []))
      expect(await suite.values(topic, partition)).toEqual(expected)
    }
    const ofKey = new Set(sent.filter((_, at) => at % 10 === 3).map(({ partition }) => partition))
    expect(ofKey.size).toBe(1)
  })

  test('takes keys, headers, tombstones and a partition', async () => {
    const topic = await suite.newTopic(2)
    await using producer = suite.client.producer({ topic, key: string, value: bytes })
    const headers = { plain: 'text', raw: Uint8Array.of(0, 255), none: null }
    const value = Uint8Array.of(1, 2, 3)
    await producer.send({ partition: 1, key: 'k', value, headers, timestamp: new Date(5) })
    await producer.send({ partition: 1, value: null, headers: [['a', 'b']] })
    const page = await fetch(
      `${suite.broker.url}/v1/topics/${topic}/partitions/1/records?from=earliest&as=base64`,
    )
    const { records } = (await page.json()) as { records: unknown[] }
    expect(records).toMatchObject([
      {
        key: 'k',
        timestamp: 5,
        value: { base64: 'AQID' },
        headers: [
          ['plain', 'text'],
          ['raw', { base64: 'AP8=' }],
          ['none', null],
        ],
      },
      { key: null, value: null, headers: [['a', 'b']] },
    ])
  })

  test('of a missing topic fails at once and names the command that makes it', async () => {
    await using producer = suite.client.producer()
    const error = await failure(producer.send({ topic: 'nowhere', value: 'x' }))
    expect([error.code, error.outcome]).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', 'refused'])
    expect(error.detail).toContain('nowhere')
  })

  test('refuses what is no record, in words', async () => {
    const topic = await suite.newTopic(2)
    await using producer = suite.client.producer({ topic, key: string })
    const refusals = [
      [() => producer.send({ value: '\ud800' }), 'SERIALIZATION_FAILED', 'lone surrogate'],
      [() => producer.send({ value: undefined }), 'SERIALIZATION_FAILED', 'undefined'],
      [
        () => producer.send({ value: 'x', partition: 2 }),
        'UNKNOWN_TOPIC_OR_PARTITION',
        '2 partitions',
      ],
      [() => producer.send({ value: 'x', partition: -1 }), 'INVALID_REQUEST', '-1'],
      [() => producer.send({ value: 'x', timestamp: 1.5 }), 'INVALID_TIMESTAMP', '1.5'],
      [() => producer.send({ value: 'x', key: 7 as never }), 'SERIALIZATION_FAILED', 'number'],
      [() => suite.client.producer().send({ value: 'x' }), 'INVALID_REQUEST', 'topic'],
    ] as const
    for (const [sending, code, words] of refusals) {
      const error = await failure(sending())
      expect([error.code, error.outcome]).toEqual([code, 'refused'])
      expect(error.detail).toContain(words)
    }
  })

  test('of a record larger than the topic takes fails alone', async () => {
    const topic = await suite.newTopic(1, { 'max.message.bytes': 4_096 })
    await using producer = suite.client.producer({ topic })
    const large = Array.from({ length: 2_000 }, () => Math.random()).join('')
    const calls = ['before', large, 'after'].map((value) => producer.send({ value }))
    const error = await failure(calls[1]!)
    expect([error.code, error.outcome]).toEqual(['MESSAGE_TOO_LARGE', 'refused'])
    expect(error.detail).toContain('4096')
    await Promise.all([calls[0], calls[2]])
    expect(await suite.values(topic)).toEqual(['before', 'after'])
  })

  test('of a large record that compresses well is as good as any', async () => {
    const topic = await suite.newTopic(1, { 'max.message.bytes': 4_096 })
    await using producer = suite.client.producer({ topic })
    await producer.send({ value: 'a'.repeat(50_000) })
    expect((await suite.values(topic))[0]).toHaveLength(50_000)
  })

  test('waits its turn where the buffer is full, in order', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, bufferBytesMax: 500 })
    const sent = Array.from({ length: 200 }, (_, at) => String(at).padStart(100, '0'))
    const places = await Promise.all(sent.map((value) => producer.send({ value })))
    expect(places.map(({ offset }) => offset)).toEqual(sent.map((_, at) => at))
    expect(await suite.values(topic)).toEqual(sent)
  })

  test('is given up by its signal', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, lingerMs: 50, bufferBytesMax: 1_000 })
    const reason = new Error('enough')
    const stop = new AbortController()
    const { signal } = stop
    const inBatch = producer.send({ value: 'a'.repeat(2_000) }, { signal })
    const waiting = producer.send({ value: 'waits' }, { signal })
    await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort(reason)
    await expect(inBatch).rejects.toBe(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(producer.send({ value: 'x' }, { signal })).rejects.toBe(reason)
    await producer.flush()
    expect((await suite.values(topic)).map((value) => value.length)).toEqual([2_000])
  })
})

describe('sendMany', () => {
  test.each([
    ['an array', (all: string[]) => all.map((value) => ({ value }))],
    [
      'an async iterable',
      async function* (all: string[]) {
        for (const value of all) yield { value }
      },
    ],
  ])('of %s gives the place of each', async (_, recordsOf) => {
    const topic = await suite.newTopic(4)
    await using producer = suite.client.producer({ topic, batchBytes: 1_000 })
    const all = Array.from({ length: 5_000 }, (_, at) => `value ${at}`)
    const sent = await producer.sendMany(recordsOf(all))
    expect(sent.length).toBe(all.length)
    const logs = await Promise.all([0, 1, 2, 3].map((partition) => suite.values(topic, partition)))
    for (const [at, value] of all.entries()) {
      const { partition, offset } = sent.at(at)!
      expect(logs[partition]![offset]).toBe(value)
    }
    expect([sent.at(-1), sent.at(all.length)]).toEqual([undefined, undefined])
  })

  test('by key, many partitions at once', async () => {
    const topic = await suite.newTopic(8)
    await using producer = suite.client.producer({ topic })
    const all = Array.from({ length: 3_000 }, (_, at) => ({ key: at, value: at, timestamp: at }))
    const sent = await producer.sendMany(all)
    const { partition, offset, timestamp } = sent.at(1_234)!
    expect((await suite.values(topic, partition))[offset]).toBe('1234')
    expect(timestamp).toBe(1_234)
  })

  test('holds no more than the buffer and one record', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({
      topic,
      bufferBytesMax: 10_000,
      batchBytes: 2_000,
    })
    let most = 0
    const records = (function* () {
      for (let at = 0; at < 500; at++) {
        most = Math.max(most, producer.bufferedBytes)
        yield { value: 'v'.repeat(300) }
      }
    })()
    await producer.sendMany(records)
    expect(most).toBeLessThan(10_500)
    expect(producer.bufferedBytes).toBe(0)
  })

  test('stops at the first that fails and says what was appended', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic, value: string })
    let asked = 0
    const records = (function* () {
      for (const value of ['one', 'two', 3 as never, 'four']) {
        asked += 1
        yield { value }
      }
    })()
    const error = await failure(producer.sendMany(records))
    expect([error.code, error.outcome]).toEqual(['SERIALIZATION_FAILED', 'partial'])
    expect(error.extensions).toMatchObject({ appended: 2 })
    expect(asked).toBe(3)
    expect(await suite.values(topic)).toEqual(['one', 'two'])
  })

  test('throws what the iterable throws, and ends it when the signal says so', async () => {
    const topic = await suite.newTopic()
    await using producer = suite.client.producer({ topic })
    const broken = new Error('no more')
    const throwing = (function* () {
      yield { value: 'one' }
      throw broken
    })()
    await expect(producer.sendMany(throwing)).rejects.toBe(broken)
    const stop = new AbortController()
    let isEnded = false
    const endless = (async function* () {
      try {
        while (true) {
          yield { value: 'x' }
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      } finally {
        isEnded = true
      }
    })()
    const sending = producer.sendMany(endless, { signal: stop.signal })
    setTimeout(() => stop.abort(broken), 20)
    await expect(sending).rejects.toBe(broken)
    await producer.flush()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(isEnded).toBe(true)
  })

  test('of nothing is nothing', async () => {
    await using producer = suite.client.producer({ topic: await suite.newTopic() })
    expect((await producer.sendMany([])).length).toBe(0)
  })
})
