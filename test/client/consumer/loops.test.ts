/** Loops over a consumer: what they give, what of it is committed, and how they end. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Client,
  json,
  type ReadBatch,
  type ReadRecord,
  string,
} from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { allOf, committedOf, consume, GroupSuite, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

const sorted = (records: readonly string[]) =>
  [...records].sort((a, b) => {
    const [one, other] = [a, b].map((it) => it.split('/').map(Number)) as [number[], number[]]
    return one[0]! - other[0]! || one[1]! - other[1]!
  })

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('every record comes once, in order within its partition, and is committed at the end', async () => {
    const topic = await newTopic(suite.writer, 3)
    await write(suite.writer, topic, 300, { partitions: 3 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const journal = new Journal()
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 300)
    await write(suite.writer, topic, 30, { partitions: 3, from: 300 })
    await until(() => journal.records.length === 330)
    await consumer.close()
    await reading
    expect(sorted(journal.records)).toEqual(allOf(3, 110))
    for (const partition of [0, 1, 2]) {
      const own = journal.records.filter((it) => it.startsWith(`${partition}/`))
      expect(own).toEqual(sorted(own))
    }
    expect(await committedOf(client, group)).toEqual([110, 110, 110])
    expect(await client.admin.describeGroup(group)).toMatchObject({ state: 'empty', members: [] })
  })

  test('the record that a loop was left with is read again, and nothing before it', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 20)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const offsets: number[] = []
    for await (const { offset } of consumer) {
      offsets.push(offset)
      if (offset === 4) break
    }
    expect(await committedOf(client, group)).toEqual([4])
    const failing = (async () => {
      for await (const { offset } of consumer) {
        offsets.push(offset)
        if (offset === 6) throw new Error('not this one')
      }
    })()
    expect(await failure(failing)).toEqual(new Error('not this one'))
    expect(await committedOf(client, group)).toEqual([6])
    // Who is done with it says so.
    for await (const record of consumer) {
      offsets.push(record.offset)
      await consumer.commit(record)
      break
    }
    expect(await committedOf(client, group)).toEqual([7])
    expect(offsets).toEqual([0, 1, 2, 3, 4, 4, 5, 6, 6])
    await consumer.close()
  })

  test('what is in hand is not committed while it is', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommitIntervalMs: 20 })
    let inHand: ReadRecord | undefined
    const given: ReadRecord[] = []
    const { promise: goOn, resolve: finish } = Promise.withResolvers<void>()
    const reading = (async () => {
      for await (const record of consumer) {
        given.push(record)
        if (given.length !== 14) continue
        inHand = record
        await goOn
      }
    })()
    await until(() => inHand !== undefined)
    const expected = [0, 1].map((partition) => {
      const done = given.slice(0, 13).filter((it) => it.partition === partition)
      return done.length === 0 ? 0 : done.at(-1)!.offset + 1
    })
    const told = async () => (await committedOf(client, group)).map((it) => it ?? 0)
    await expect.poll(told, { timeout: 20_000 }).toEqual(expected)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await told()).toEqual(expected)
    finish()
    await expect.poll(told, { timeout: 20_000 }).toEqual([10, 10])
    await consumer.close()
    await reading
  })

  test('closing waits for the record in hand, and commits it', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const { promise: goOn, resolve: finish } = Promise.withResolvers<void>()
    const offsets: number[] = []
    const reading = (async () => {
      for await (const { offset } of consumer) {
        offsets.push(offset)
        if (offset === 5) await goOn
      }
    })()
    await until(() => offsets.length === 6)
    const closing = consumer.close()
    setTimeout(finish, 100)
    await closing
    await reading
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5])
    expect(await committedOf(client, group)).toEqual([6])
  })

  test('closing does not wait for ever: what takes longer is read again', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs: 200 })
    const offsets: number[] = []
    for await (const { offset } of consumer) {
      offsets.push(offset)
      if (offset === 5) await consumer.close()
    }
    expect(offsets).toEqual([0, 1, 2, 3, 4, 5])
    expect(await committedOf(client, group)).toEqual([5])
  })

  test('a signal ends a loop with its reason, commits what is done and leaves', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    for (const isWaiting of [false, true]) {
      const stop = new AbortController()
      const consumer = client.consumer({ group, topics: [topic], signal: stop.signal })
      const reading = (async () => {
        for await (const { offset } of consumer) {
          if (!isWaiting && offset === 5) stop.abort('enough')
          if (isWaiting && offset === 9) setTimeout(() => stop.abort('enough'), 50)
        }
      })()
      expect(await failure(reading)).toBe('enough')
      expect(await committedOf(client, group)).toEqual([isWaiting ? 10 : 6])
      expect(await client.admin.describeGroup(group)).toMatchObject({ members: [] })
    }
  })

  test('await using and closing the client end loops without an error', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const own = connect(suite.broker.url)
    const journals = [new Journal(), new Journal()]
    let reading: Promise<void>
    {
      await using consumer = own.consumer({ group, topics: [topic] })
      reading = consume(consumer, journals[0]!)
      await until(() => journals[0]!.records.length === 10)
    }
    await reading
    expect(await client.admin.describeGroup(group)).toMatchObject({ members: [] })
    const consumer = own.consumer({ group: newGroup(), topics: [topic] })
    reading = consume(consumer, journals[1]!)
    await until(() => journals[1]!.records.length === 10)
    await own.close()
    await reading
    expect(await committedOf(client, consumer.group)).toEqual([10])
    expect(await failure(consume(consumer, journals[1]!))).toMatchObject({ code: 'CLIENT_CLOSED' })
    expect(() => own.consumer({ group, topics: [topic] })).toThrow('closed')
  })

  test('batches count as done as a whole', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 200, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], value: string })
    const journal = new Journal()
    let left = 0
    for await (const batch of consumer.batches()) {
      expect(batch.topic).toBe(topic)
      left = batch.fromOffset
      if (journal.records.length >= 50) {
        const other = 1 - batch.partition
        const done = journal.records.filter((it) => it.startsWith(`${other}/`)).length
        expect(consumer.assignment().find((it) => it.partition === other)?.position).toBe(done)
        break
      }
      for (const record of batch) journal.take(record)
    }
    const committed = await committedOf(client, group)
    // Nothing is written down for a partition of which nothing is done.
    if (left > 0) expect(committed).toContain(left)
    expect(committed.reduce<number>((sum, it) => sum + (it ?? 0), 0)).toBe(journal.records.length)
    const reading = (async () => {
      for await (const batch of consumer.batches()) {
        for (const record of batch) journal.take(record)
      }
    })()
    await until(() => journal.records.length === 200)
    await consumer.close()
    await reading
    expect(sorted(journal.records)).toEqual(allOf(2, 100))
    expect(await committedOf(client, group)).toEqual([100, 100])
  })

  test('several batches are committed at once, whatever their order', async () => {
    const topic = await newTopic(suite.writer, 2)
    for (let round = 0; round < 3; round++) await write(suite.writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
    const batches: ReadBatch[] = []
    let seen = 0
    for await (const batch of consumer.batches()) {
      batches.push(batch)
      seen += [...batch].length
      if (seen < 60) continue
      await consumer.commit(batches.reverse())
      break
    }
    expect(await committedOf(client, group)).toEqual([30, 30])
  })

  test('several topics, with keys and values as the serdes read them', async () => {
    const topics = [await newTopic(suite.writer), await newTopic(suite.writer)]
    await using producer = suite.writer.producer()
    for (const topic of topics) {
      for (const cents of [1, 2]) {
        await producer.send({ topic, key: `for ${topic}`, value: { cents }, headers: { a: 'b' } })
      }
    }
    const consumer = client.consumer({
      group: newGroup(),
      topics,
      key: string,
      value: json<{ cents: number }>(),
    })
    const found: string[] = []
    for await (const { topic, key, value, headers } of consumer) {
      found.push(`${topic}: ${key}, ${value?.cents}, ${headers}`)
      if (found.length === 4) break
    }
    const expected = topics.flatMap((it) =>
      [1, 2].map((cents) => `${it}: for ${it}, ${cents}, a,b`),
    )
    expect(found.sort()).toEqual(expected.sort())
    await consumer.close()
  })

  test('a pattern takes in topics that come later', async () => {
    const group = newGroup()
    const first = await newTopic(suite.writer)
    await write(suite.writer, first, 5)
    const consumer = client.consumer({ group, topicPattern: `${first}|later-${group}` })
    const journal = new Journal()
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 5)
    await suite.writer.admin.createTopic({ name: `later-${group}` })
    await write(suite.writer, `later-${group}`, 5)
    await until(() => journal.records.length === 10)
    await consumer.close()
    await reading
  })

  test('from says where a group begins, once', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const options = { group, topics: [topic], from: 'latest' as const }
    const consumer = client.consumer(options)
    const journal = new Journal()
    const reading = consume(consumer, journal)
    await until(() => consumer.assignment().length === 1)
    await write(suite.writer, topic, 2, { from: 10 })
    await until(() => journal.records.length === 2)
    await consumer.close()
    await reading
    await write(suite.writer, topic, 2, { from: 12 })
    const again = client.consumer(options)
    for await (const record of again) {
      journal.take(record)
      if (record.offset === 13) break
    }
    expect(journal.records).toEqual(['0/10', '0/11', '0/12', '0/13'])
    await again.close()
  })

  test('a second loop at the same time is refused, and the first goes on', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 3)
    const consumer = client.consumer({ group: newGroup(), topics: [topic] })
    const first = consumer[Symbol.asyncIterator]()
    await first.next()
    expect(await failure(consumer.batches().next())).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await first.next()).toMatchObject({ value: { offset: 1 } })
    await first.return?.()
    await consumer.close()
  })

  test('other work goes on while records lie ready, however slow the body is', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 2_000, { batchBytes: 100_000 })
    const consumer = client.consumer({ group: newGroup(), topics: [topic] })
    let rounds = 0
    const timer = setInterval(() => {
      rounds++
    }, 1)
    for await (const { offset } of consumer) {
      // Busy for a millisecond each, and never waiting.
      for (const end = performance.now() + 1; performance.now() < end; );
      if (offset === 300) break
    }
    clearInterval(timer)
    expect(rounds).toBeGreaterThan(20)
    await consumer.close()
  })

  test('nothing is asked before the first record is; a wrong address is told', async () => {
    const nowhere = connect({ url: 'http://127.0.0.1:9', requestTimeoutMs: 300 })
    const consumer = nowhere.consumer({ group: 'any', topics: ['any'] })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await failure(consume(consumer, new Journal()))).toMatchObject({
      code: expect.stringMatching(/NETWORK_EXCEPTION|REQUEST_TIMED_OUT/),
    })
    const stopped = nowhere.consumer({
      group: 'any',
      topics: ['any'],
      signal: AbortSignal.abort('before'),
    })
    expect(await failure(consume(stopped, new Journal()))).toBe('before')
    await nowhere.close()
  })

  test('what the group refuses ends the loop', async () => {
    const consumer = client.consumer({ group: newGroup(), topicPattern: '(' })
    expect(await failure(consume(consumer, new Journal()))).toMatchObject({
      code: 'INVALID_REGULAR_EXPRESSION',
    })
    const other = client.consumer({ group: newGroup(), topics: ['../no'] })
    expect(await failure(consume(other, new Journal()))).toMatchObject({
      code: 'INVALID_TOPIC_EXCEPTION',
    })
  })
})
