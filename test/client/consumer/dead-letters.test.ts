/** Where records go that nobody can work on: what a dead letter says, that it fits, and that it leads nowhere back. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Client,
  type DeadLetter,
  json,
  type SpoolError,
  string,
} from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, GroupSuite, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

describe.each(DOORS)('over $name', ({ name: door, connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('a record that nobody can work on goes to the dead letters, with all that is known of it', async () => {
    const topic = await newTopic(suite.writer, 2)
    await using producer = suite.writer.producer({ topic })
    const bytes = Uint8Array.of(0, 255, 128)
    for (let at = 0; at < 4; at++) await producer.send({ partition: 1, value: `${at}` })
    await producer.send({
      partition: 1,
      key: bytes,
      value: bytes,
      timestamp: 4_711,
      headers: [
        ['trace', 'a'],
        ['raw', bytes],
        ['nothing', null],
      ],
    })
    for (let at = 5; at < 8; at++) await producer.send({ partition: 1, value: `${at}` })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const letters: DeadLetter[] = []
    const done: number[] = []
    const running = consumer.run(
      {
        retry: { attempts: 2, backoffMs: 1 },
        deadLetter: { onDeadLetter: (letter) => letters.push(letter) },
      },
      ({ offset }) => {
        if (offset === 4) throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
        done.push(offset)
      },
    )
    await until(() => done.length === 7)
    await consumer.close()
    await running
    expect(done).toEqual([0, 1, 2, 3, 5, 6, 7])
    expect((await committedOf(client, group)).at(-1)).toBe(8)
    expect(letters).toMatchObject([
      { topic, partition: 1, offset: 4, error: { message: 'no room' } },
    ])
    const [dead] = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
    expect(dead).toMatchObject(letters[0]!.to)
    expect([dead!.keyBytes, dead!.valueBytes].map((it) => [...it!])).toEqual([
      [...bytes],
      [...bytes],
    ])
    expect(dead!.headers).toEqual([
      ['trace', 'a'],
      ['raw', bytes],
      ['nothing', null],
      ['spool-dlq-reason', 'failed'],
      ['spool-dlq-topic', topic],
      ['spool-dlq-partition', '1'],
      ['spool-dlq-offset', '4'],
      ['spool-dlq-timestamp', '4711'],
      ['spool-dlq-group', group],
      ['spool-dlq-attempts', '2'],
      ['spool-dlq-error', 'Error: no room'],
      ['spool-dlq-error-code', 'ENOSPC'],
    ])
  })

  test('what a serde can not read is not attempted again', async () => {
    const topic = await newTopic(suite.writer)
    await using producer = suite.writer.producer({ topic, value: string })
    for (const value of ['1', '{', '3']) await producer.send({ value })
    const dead = `unreadable-${door}`
    const consumer = client.consumer({ group: newGroup(), topics: [topic], value: json<number>() })
    const found: number[] = []
    let calls = 0
    const running = consumer.run(
      { retry: { attempts: 5, backoffMs: 60_000 }, deadLetter: { topic: dead } },
      (record) => {
        calls++
        found.push(record.value!)
      },
    )
    await until(() => found.length === 2)
    await consumer.close()
    await running
    expect(calls).toBe(3)
    expect(found).toEqual([1, 3])
    const [letter] = await Array.fromAsync(client.reader(dead, { value: string, until: 'latest' }))
    expect(letter!.value).toBe('{')
    expect(new Map(letter!.headers as [string, string][]).get('spool-dlq-reason')).toBe(
      'unreadable',
    )
  })

  test('without create, a topic for dead letters that is not there ends the run', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 2)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const running = consumer.run({ deadLetter: { create: false } }, () => {
      throw new Error('never')
    })
    expect(await failure(running)).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect((await committedOf(client, group))[0] ?? 0).toBe(0)
  })

  test('a large record has room among the dead letters, and where it has none it goes without its value', async () => {
    const KIB = 1024
    const large = new Uint8Array(300 * KIB).map(() => Math.random() * 256)
    const name = `large-${door}`
    const limit = { 'max.message.bytes': 9_000 * KIB }
    for (const each of [name, `${name}-2`]) {
      await client.admin.createTopic({ name: each, partitions: 1, config: limit })
    }
    // One is created with what the source takes; one is there, and takes little, or next to nothing.
    await client.admin.createTopic({
      name: `${name}-2.dlq`,
      config: { 'max.message.bytes': 9 * KIB },
    })
    await using producer = client.producer({ compression: 'none' })
    const key = new Uint8Array(10 * KIB)
    const headers = [['trace', 'a']] as const
    for (const topic of [name, `${name}-2`]) {
      await producer.send({ topic, key: 'k', value: large, headers })
      await producer.send({ topic, key: crypto.getRandomValues(key), value: large, headers })
      await producer.send({ topic, key: 'k', value: 'small', headers })
    }
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [name, `${name}-2`] })
    let dead = 0
    const deadLetter = { onDeadLetter: () => ++dead === 6 && consumer.stop() }
    await consumer.run({ deadLetter }, () => {
      throw new Error('poison')
    })
    expect(await committedOf(client, group)).toEqual([3, 3])
    const letters = async (topic: string) => {
      const found = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
      return found.map(({ keyBytes, valueBytes, headers }) => {
        const names = headers.map(([name]) => name)
        const sizes = headers.filter(([name]) => name.endsWith('-omitted'))
        const isWhole = names.includes('trace')
        return { key: keyBytes?.length, value: valueBytes?.length, isWhole, sizes }
      })
    }
    expect((await client.admin.describeTopic(`${name}.dlq`)).config['max.message.bytes']).toEqual(
      expect.objectContaining({ value: 9_064 * KIB }),
    )
    const whole = { isWhole: true, sizes: [] }
    expect(await letters(name)).toEqual([
      { key: 1, value: 300 * KIB, ...whole },
      { key: 10 * KIB, value: 300 * KIB, ...whole },
      { key: 1, value: 5, ...whole },
    ])
    const valueOmitted = ['spool-dlq-value-omitted', `${300 * KIB}`]
    const rest = [
      ['spool-dlq-key-omitted', `${10 * KIB}`],
      ['spool-dlq-headers-omitted', '1'],
    ]
    expect(await letters(`${name}-2`)).toEqual([
      { key: 1, value: undefined, isWhole: true, sizes: [valueOmitted] },
      { key: undefined, value: undefined, isWhole: false, sizes: [valueOmitted, ...rest] },
      { key: 1, value: 5, ...whole },
    ])
  })

  test('dead letters that would come back to where they are from end the run, with nothing written', async () => {
    const name = `circle-${door}`
    await client.admin.createTopic({ name, partitions: 1 })
    await write(suite.writer, name, 1)
    const never = () => {
      throw new Error('never')
    }
    const deadLetter = { topic: name }
    const named = client.consumer({ group: newGroup(), topics: ['other', name] })
    const refusal = await failure(named.run({ deadLetter }, never))
    expect(refusal).toMatchObject({ code: 'INVALID_CONFIG' })
    expect((refusal as SpoolError).message).toContain(`other → ${name} → ${name}`)
    const round = { topic: (topic: string) => (topic === 'other' ? name : 'other') }
    expect(await failure(named.run({ deadLetter: round }, never))).toMatchObject({
      code: 'INVALID_CONFIG',
    })
    // Which topics a pattern matches comes out when one of them fails.
    const matching = client.consumer({ group: newGroup(), topicPattern: `circle-${door}` })
    expect(await failure(matching.run({ deadLetter }, never))).toMatchObject({
      code: 'INVALID_CONFIG',
    })
    expect((await client.admin.offsets(name, { at: 'latest' })).partitions[0]!.offset).toBe(1)
  })
})
