/** What a record read is: keys and values by serdes, headers, and what can not be decoded. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import {
  bytes,
  type Client,
  json,
  msgpack,
  type ReadRecord,
  SpoolError,
  string,
} from '../../../client/index.ts'
import { DOORS, failure, NODE, newTopic } from './doors.ts'

let broker: TestBroker
let writer: Client

beforeAll(async () => {
  broker = await startBroker()
  writer = NODE.connect(broker.url)
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

async function all<K, V>(records: AsyncIterable<ReadRecord<K, V>>): Promise<ReadRecord<K, V>[]> {
  const found: ReadRecord<K, V>[] = []
  for await (const record of records) found.push(record)
  return found
}

const NO_UTF8 = Uint8Array.of(0xc3, 0x28)

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(broker.url)
  })
  afterAll(() => client.close())

  test('without serdes, values and keys are what they look like', async () => {
    const topic = await newTopic(writer)
    await using producer = writer.producer({ topic })
    const values = ['text', '17', '{"a":1}', '[1]', '{no json', '', null, NO_UTF8, '\ufeff{}']
    await producer.sendMany(values.map((value, at) => ({ key: at === 0 ? NO_UTF8 : at, value })))
    const read = await all(client.reader(topic, { until: 'latest' }))
    expect(read.map(({ value }) => value)).toEqual([
      'text',
      '17',
      { a: 1 },
      [1],
      '{no json',
      '',
      null,
      NO_UTF8,
      '\ufeff{}',
    ])
    expect(read.map(({ key }) => key)).toEqual([NO_UTF8, '1', '2', '3', '4', '5', '6', '7', '8'])
  })

  test('a record is decoded once, when it is looked at', async () => {
    const topic = await newTopic(writer)
    await using producer = writer.producer({ topic })
    await producer.sendMany([{ value: 'a' }, { value: 'b' }])
    const decoded: string[] = []
    const value = {
      deserialize(given: Uint8Array) {
        decoded.push(new TextDecoder().decode(given))
        return {}
      },
    }
    const [first, second] = await all(client.reader(topic, { value, until: 'latest' }))
    expect(decoded).toEqual([])
    expect(second!.value).toBe(second!.value)
    expect(decoded).toEqual(['b'])
    expect(first!.valueBytes).toHaveLength(1)
    expect(decoded).toEqual(['b'])
  })

  test('serdes type keys and values, and a schema makes of them what it says', async () => {
    const topic = await newTopic(writer)
    const schema = z.object({ id: z.number(), tags: z.array(z.string()).default([]) })
    await using producer = writer.producer({ topic, key: string, value: json(schema) })
    await producer.send({ key: 'k', value: { id: 1 } })
    const reader = client.reader(topic, { key: string, value: json(schema), until: 'latest' })
    const [record] = await all(reader)
    const { id, tags }: { id: number; tags: string[] } = record!.value!
    expect([record!.key?.toUpperCase(), id, tags]).toEqual(['K', 1, []])

    const packed = await newTopic(writer)
    await using packing = writer.producer({ topic: packed, key: bytes, value: msgpack<number[]>() })
    await packing.send({ key: NO_UTF8, value: [1, 2] })
    const unpacking = client.reader(packed, {
      key: bytes,
      value: msgpack<number[]>(),
      until: 'latest',
    })
    const [unpacked] = await all(unpacking)
    expect([[...unpacked!.key!], unpacked!.value]).toEqual([[...NO_UTF8], [1, 2]])
  })

  test('headers come in their order, text where they are text', async () => {
    const topic = await newTopic(writer)
    await using producer = writer.producer({ topic })
    const headers = [
      ['b', 'x'],
      ['a', null],
      ['b', NO_UTF8],
      ['ü', ''],
    ] as const
    await producer.send({ value: 'v', headers, timestamp: 5 })
    await producer.send({ value: 'none' })
    const read = await all(client.reader(topic, { until: 'latest' }))
    expect(read[0]!.headers).toEqual(headers)
    expect(read[1]!.headers).toEqual([])
    expect(JSON.parse(JSON.stringify(read[0]))).toMatchObject({
      partition: 0,
      offset: 0,
      timestamp: 5,
      key: null,
      value: 'v',
    })
  })

  test('the time of the append is the record’s, where the topic stamps that', async () => {
    const topic = await newTopic(writer, 1, { 'message.timestamp.type': 'LogAppendTime' })
    await using producer = writer.producer({ topic })
    const { timestamp } = await producer.send({ value: 'v', timestamp: 5 })
    const [record] = await all(client.reader(topic, { until: 'latest' }))
    expect(record!.timestamp).toBe(timestamp)
    expect(timestamp).not.toBe(5)
  })

  test('what can not be decoded says which record it is, and the loop goes on', async () => {
    const topic = await newTopic(writer, 2)
    await using producer = writer.producer({ topic })
    const records = ['{"n":0}', 'no json', '{"n":2}', '{"n":"three"}', NO_UTF8, '{"n":5}']
    await producer.sendMany(records.map((value) => ({ partition: 1, key: NO_UTF8, value })))
    const value = json(z.object({ n: z.number() }))
    const reader = client.reader(topic, { key: string, value, until: 'latest' })
    const seen: unknown[] = []
    for await (const record of reader) {
      try {
        seen.push(record.value!.n)
      } catch (error) {
        expect(error).toBeInstanceOf(SpoolError)
        expect(error).toMatchObject({
          code: 'SERIALIZATION_FAILED',
          retriable: false,
          extensions: { partition: 1, offset: record.offset },
        })
        expect(String(error)).toContain(`the value of partition 1, offset ${record.offset}`)
        seen.push(new TextDecoder().decode(record.valueBytes!))
        expect(() => record.value).toThrow('offset')
      }
      expect(() => record.key).toThrow(`the key of partition 1, offset ${record.offset}`)
    }
    expect(seen).toEqual([0, 'no json', 2, '{"n":"three"}', new TextDecoder().decode(NO_UTF8), 5])
  })

  test('a loop that such a failure ends goes on after the record', async () => {
    const topic = await newTopic(writer)
    await using producer = writer.producer({ topic })
    await producer.sendMany(['1', 'x', '3'].map((value) => ({ value })))
    const reader = client.reader(topic, { value: json<number>(), until: 'latest' })
    const seen: (number | null)[] = []
    const read = async () => {
      for await (const { value } of reader) seen.push(value)
    }
    expect(await failure(read())).toMatchObject({ extensions: { offset: 1 } })
    await read()
    expect(seen).toEqual([1, 3])
  })

  test('a value read as bytes may be kept and changed', async () => {
    const topic = await newTopic(writer)
    await using producer = writer.producer({ topic, value: bytes })
    const sizes = [1, 0, 100, 1_500, 20_000, 3]
    await producer.sendMany(sizes.map((size) => ({ value: new Uint8Array(size).fill(size % 251) })))
    const reader = client.reader(topic, { value: bytes, until: 'latest' })
    const read = (await all(reader)).map(({ value, valueBytes }) => {
      const before = [...valueBytes!]
      const kept = [...value!]
      value!.fill(0xee)
      return { before, kept, after: [...valueBytes!] }
    })
    for (const [at, { before, kept, after }] of read.entries()) {
      expect(kept).toEqual(Array(sizes[at]).fill(sizes[at]! % 251))
      expect(before).toEqual(kept)
      expect(after).toEqual(kept)
    }
  })
})
