/** What a program is promised of `client.producer`, against the real broker. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import {
  bytes,
  type Client,
  connect,
  type Delivery,
  json,
  type ProducerOptions,
  SpoolError,
  string,
} from '../../../client/index.ts'
import { readPartition } from '../../durability/trial-verdict.ts'

let broker: TestBroker
let client: Client
let topics = 0

beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})

afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

async function newTopic(partitions = 1, config: Record<string, number> = {}): Promise<string> {
  const name = `topic-${topics++}`
  await client.admin.createTopic({ name, partitions, config })
  return name
}

async function values(topic: string, partition = 0): Promise<string[]> {
  const problems: string[] = []
  const log = await readPartition(broker.url, topic, partition, problems)
  expect(problems).toEqual([])
  return log.map(({ value }) => value)
}

async function failure(promise: Promise<unknown>): Promise<SpoolError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(SpoolError)
  return error as SpoolError
}

describe('send', () => {
  test('resolves with the place of the record', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic })
    expect(await producer.send({ value: 'one', timestamp: 17 })).toEqual({
      topic,
      partition: 0,
      offset: 0,
      timestamp: 17,
    })
    expect(await producer.send({ value: { two: 2 } })).toMatchObject({ offset: 1 })
    expect(await values(topic)).toEqual(['one', '{"two":2}'])
  })

  test('keeps the order of the calls in a partition, with several requests under way', async () => {
    const topic = await newTopic(3)
    await using producer = client.producer({ topic, batchBytes: 200 })
    const calls = Array.from({ length: 2_000 }, (_, at) =>
      producer.send({ key: `k${at % 10}`, value: String(at) }),
    )
    const sent = await Promise.all(calls)
    for (let partition = 0; partition < 3; partition++) {
      const expected = sent.flatMap((it, at) => (it.partition === partition ? [String(at)] : []))
      expect(await values(topic, partition)).toEqual(expected)
    }
    const ofKey = new Set(sent.filter((_, at) => at % 10 === 3).map(({ partition }) => partition))
    expect(ofKey.size).toBe(1)
  })

  test('takes keys, headers, tombstones and a partition', async () => {
    const topic = await newTopic(2)
    await using producer = client.producer({ topic, key: string, value: bytes })
    const headers = { plain: 'text', raw: Uint8Array.of(0, 255), none: null }
    const value = Uint8Array.of(1, 2, 3)
    await producer.send({ partition: 1, key: 'k', value, headers, timestamp: new Date(5) })
    await producer.send({ partition: 1, value: null, headers: [['a', 'b']] })
    const page = await fetch(
      `${broker.url}/v1/topics/${topic}/partitions/1/records?from=earliest&as=base64`,
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
    await using producer = client.producer()
    const error = await failure(producer.send({ topic: 'nowhere', value: 'x' }))
    expect([error.code, error.outcome]).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', 'refused'])
    expect(error.detail).toContain('nowhere')
  })

  test('refuses what is no record, in words', async () => {
    const topic = await newTopic(2)
    await using producer = client.producer({ topic, key: string })
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
      [() => client.producer().send({ value: 'x' }), 'INVALID_REQUEST', 'topic'],
    ] as const
    for (const [sending, code, words] of refusals) {
      const error = await failure(sending())
      expect([error.code, error.outcome]).toEqual([code, 'refused'])
      expect(error.detail).toContain(words)
    }
  })

  test('of a record larger than the topic takes fails alone', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': 4_096 })
    await using producer = client.producer({ topic })
    const large = Array.from({ length: 2_000 }, () => Math.random()).join('')
    const calls = ['before', large, 'after'].map((value) => producer.send({ value }))
    const error = await failure(calls[1]!)
    expect([error.code, error.outcome]).toEqual(['MESSAGE_TOO_LARGE', 'refused'])
    expect(error.detail).toContain('4096')
    await Promise.all([calls[0], calls[2]])
    expect(await values(topic)).toEqual(['before', 'after'])
  })

  test('of a large record that compresses well is as good as any', async () => {
    const topic = await newTopic(1, { 'max.message.bytes': 4_096 })
    await using producer = client.producer({ topic })
    await producer.send({ value: 'a'.repeat(50_000) })
    expect((await values(topic))[0]).toHaveLength(50_000)
  })

  test('waits its turn where the buffer is full, in order', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic, bufferBytesMax: 500 })
    const sent = Array.from({ length: 200 }, (_, at) => String(at).padStart(100, '0'))
    const places = await Promise.all(sent.map((value) => producer.send({ value })))
    expect(places.map(({ offset }) => offset)).toEqual(sent.map((_, at) => at))
    expect(await values(topic)).toEqual(sent)
  })

  test('is given up by its signal', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic, lingerMs: 50, bufferBytesMax: 1_000 })
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
    expect((await values(topic)).map((value) => value.length)).toEqual([2_000])
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
    const topic = await newTopic(4)
    await using producer = client.producer({ topic, batchBytes: 1_000 })
    const all = Array.from({ length: 5_000 }, (_, at) => `value ${at}`)
    const sent = await producer.sendMany(recordsOf(all))
    expect(sent.length).toBe(all.length)
    const logs = await Promise.all([0, 1, 2, 3].map((partition) => values(topic, partition)))
    for (const [at, value] of all.entries()) {
      const { partition, offset } = sent.at(at)!
      expect(logs[partition]![offset]).toBe(value)
    }
    expect([sent.at(-1), sent.at(all.length)]).toEqual([undefined, undefined])
  })

  test('by key, many partitions at once', async () => {
    const topic = await newTopic(8)
    await using producer = client.producer({ topic })
    const all = Array.from({ length: 3_000 }, (_, at) => ({ key: at, value: at, timestamp: at }))
    const sent = await producer.sendMany(all)
    const { partition, offset, timestamp } = sent.at(1_234)!
    expect((await values(topic, partition))[offset]).toBe('1234')
    expect(timestamp).toBe(1_234)
  })

  test('holds no more than the buffer and one record', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic, bufferBytesMax: 10_000, batchBytes: 2_000 })
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
    const topic = await newTopic()
    await using producer = client.producer({ topic, value: string })
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
    expect(await values(topic)).toEqual(['one', 'two'])
  })

  test('throws what the iterable throws, and ends it when the signal says so', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic })
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
    await using producer = client.producer({ topic: await newTopic() })
    expect((await producer.sendMany([])).length).toBe(0)
  })
})

describe('enqueue', () => {
  test('tells the fate of each batch once, with the tags of its records', async () => {
    const topic = await newTopic(2)
    const deliveries: Delivery[] = []
    const onDelivery = (delivery: Delivery) => void deliveries.push(delivery)
    await using producer = client.producer({ topic, onDelivery, batchBytes: 500 })
    for (let at = 0; at < 100; at++) {
      if (!producer.enqueue({ partition: at % 2, value: `v${at}` }, at)) await producer.room()
    }
    await producer.flush()
    const logs = [await values(topic, 0), await values(topic, 1)]
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
    const topic = await newTopic()
    await using producer = client.producer({ topic, bufferBytesMax: 5_000 })
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
    const log = await values(topic)
    expect([log.length > taken, log.at(-1)]).toEqual([true, 'last'])
  })

  test('a failure nobody listens for comes out of flush, once', async () => {
    await using producer = client.producer({ topic: 'not-there' })
    producer.enqueue({ value: 'x' })
    const error = await failure(producer.flush())
    expect(error.code).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    await producer.flush()
  })
})

describe('batches', () => {
  test('what is sent in one tick goes together; lingerMs waits for more', async () => {
    const topic = await newTopic()
    const counts: number[] = []
    const onDelivery = ({ recordCount }: Delivery) => void counts.push(recordCount)
    await using first = client.producer({ topic, onDelivery })
    await Promise.all(['a', 'b', 'c'].map((value) => first.send({ value })))
    await using second = client.producer({ topic, onDelivery, lingerMs: 40 })
    const one = second.send({ value: 'd' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([one, second.send({ value: 'e' })])
    expect(counts).toEqual([3, 2])
  })

  test('flush does not wait for lingerMs', async () => {
    const topic = await newTopic()
    await using producer = client.producer({ topic, lingerMs: 60_000 })
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
    const topic = await newTopic()
    await using producer = client.producer({ topic, batchBytes: 100, ...options })
    const all = Array.from({ length: 50 }, (_, at) => `v${at}`)
    const sent = await Promise.all(all.map((value) => producer.send({ value })))
    expect(sent[0]?.offset).toBe(offset)
    await expect.poll(() => values(topic)).toEqual(all)
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
    const topic = await newTopic()
    await using quick = connect({ url: broker.url, metadataMaxAgeMs: 1 })
    await using producer = quick.producer({ topic })
    await producer.send({ value: 'old' })
    await client.admin.alterTopic(topic, { partitions: 8 })
    expect(await producer.send({ partition: 7, value: 'new' })).toMatchObject({ partition: 7 })
    const chosen = new Set<number>()
    for (let at = 0; at < 60; at++) chosen.add((await producer.send({ value: 'x' })).partition)
    expect(chosen.size).toBeGreaterThan(1)
  })

  test('a topic made anew is written to, after a failure that says so', async () => {
    const topic = await newTopic()
    await using patient = client.producer({ topic })
    await patient.send({ value: 'known' })
    await client.admin.deleteTopic(topic)
    await client.admin.createTopic({ name: topic, partitions: 1 })
    const lost = await failure(patient.send({ value: 'for the old one' }))
    expect([lost.code, lost.outcome]).toEqual(['INCONSISTENT_TOPIC_ID', 'refused'])
    expect(await patient.send({ value: 'again' })).toMatchObject({ partition: 0, offset: 0 })
  })
})

describe('close', () => {
  test('flushes, then takes nothing more', async () => {
    const topic = await newTopic()
    const producer = client.producer({ topic, value: json(), lingerMs: 10_000 })
    const sent = producer.send({ value: 'kept' })
    await producer.close()
    expect(await sent).toMatchObject({ offset: 0 })
    expect((await failure(producer.send({ value: 'late' }))).code).toBe('CLIENT_CLOSED')
    expect(() => producer.enqueue({ value: 'late' })).toThrow('closed')
    await producer.close()
  })

  test('of the client closes its producers', async () => {
    const topic = await newTopic()
    const own = connect(broker.url)
    const sent = own.producer({ topic, lingerMs: 10_000 }).send({ value: 'kept' })
    await own.close()
    expect(await sent).toMatchObject({ offset: 0 })
  })
})

test('an option that is not right is refused, with its value and its bounds', () => {
  const wrong: [ProducerOptions, string][] = [
    [{ lingerMs: -1 }, 'lingerMs is -1, not an integer from 0 to 60000'],
    [{ batchBytes: 1.5 }, 'batchBytes is 1.5'],
    [{ acks: 'most' as never }, 'acks is "most", not one of all, 1, 0'],
    [{ compression: 'lzma' as never }, 'compression is "lzma"'],
    [{ acks: 0, idempotent: true }, 'acks is 0'],
    [{ lingerMs: 50, deliveryTimeoutMs: 50 }, 'must be less than deliveryTimeoutMs, 50'],
    [{ linger: 5 } as never, 'there is no option linger; there are topic'],
    [{ value: {} as never }, 'not a serde'],
    [{ onDelivery: 5 as never }, 'not a function'],
  ]
  for (const [options, words] of wrong) {
    expect(() => client.producer(options)).toThrow(words)
  }
})
