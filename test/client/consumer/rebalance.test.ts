/** Consumers come, go, hang and are reset: who is told what, in which order, and what is read twice. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestBroker } from '../../../broker/testing.ts'
import { type Client, SpoolError } from '../../../client/index.ts'
import { GroupClient } from '../../broker/http/groups/group-client.ts'
import { DOORS, failure, NODE, newTopic, until, write } from '../reader/doors.ts'
import { allOf, committedOf, consume, Journal, newGroup, startGroupBroker } from './group-rig.ts'

let broker: TestBroker
let writer: Client
let curl: GroupClient

beforeAll(async () => {
  broker = await startGroupBroker()
  writer = NODE.connect(broker.url)
  curl = new GroupClient(broker.url)
})

afterAll(async () => {
  await writer.close()
  await broker[Symbol.asyncDispose]()
})

/** To be opened from outside. */
function gate(): { readonly isOpen: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { isOpen: promise, open: resolve }
}

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(broker.url)
  })
  afterAll(() => client.close())

  /**
   * A consumer of two partitions that is working on a record of the second, 1/1, until it is let; another
   * one that comes gets the second.
   */
  async function stuckOnSecond(options: { readonly rebalanceTimeoutMs?: number } = {}) {
    const topic = await newTopic(writer, 2)
    await using producer = writer.producer({ topic })
    for (let at = 0; at < 10; at++) await producer.send({ value: `${at}`, partition: 1 })
    const group = newGroup()
    const { isOpen, open } = gate()
    const journal = new Journal()
    const first = client.consumer({ group, topics: [topic], ...options, ...journal.hooks })
    let isInHand = false
    const reading = consume(first, journal, ({ offset }) => {
      if (offset !== 1) return undefined
      isInHand = true
      return isOpen
    })
    return { topic, group, first, journal, reading, isInHand: () => isInHand, open }
  }

  async function untilAskedBack(group: string): Promise<void> {
    const revoking = async () =>
      (await client.admin.describeGroup(group)).members.flatMap(({ revoking }) => revoking)
    await expect.poll(revoking, { timeout: 20_000 }).toMatchObject([{ partition: 1 }])
  }

  test('one group shares the work, each record once; another group gets all of it again', async () => {
    const topic = await newTopic(writer, 4)
    const groups = [newGroup(), newGroup()]
    const workers = groups.flatMap((group) =>
      [0, 1].map(() => {
        const journal = new Journal()
        const consumer = client.consumer({ group, topics: [topic], ...journal.hooks })
        return { group, journal, consumer, reading: consume(consumer, journal) }
      }),
    )
    await until(() => workers.every(({ consumer }) => consumer.assignment().length === 2))
    await write(writer, topic, 400, { partitions: 4 })
    for (const group of groups) {
      const own = workers.filter((it) => it.group === group)
      await until(() => own.reduce((sum, { journal }) => sum + journal.records.length, 0) >= 400)
      const records = own.flatMap(({ journal }) => journal.records)
      expect(records.sort()).toEqual(allOf(4, 100).sort())
      for (const { journal } of own) expect(journal.records).toHaveLength(200)
    }
    for (const { consumer } of workers) await consumer.close()
    await Promise.all(workers.map(({ reading }) => reading))
  })

  test('partitions move to one that joins and back when it leaves, and nothing is read twice', async () => {
    const topic = await newTopic(writer, 4)
    await write(writer, topic, 40, { partitions: 4 })
    const group = newGroup()
    const journals = [new Journal(), new Journal()] as const
    const first = client.consumer({ group, topics: [topic], ...journals[0].hooks })
    const second = client.consumer({ group, topics: [topic], ...journals[1].hooks })
    const reading = consume(first, journals[0])
    await until(() => journals[0].records.length === 40)
    const other = consume(second, journals[1])
    await until(() => second.assignment().length === 2 && first.assignment().length === 2)
    await write(writer, topic, 40, { partitions: 4, from: 40 })
    await until(() => journals[0].records.length === 60 && journals[1].records.length === 20)
    await second.close()
    await other
    await until(() => first.assignment().length === 4)
    await write(writer, topic, 40, { partitions: 4, from: 80 })
    await until(() => journals[0].records.length === 100)
    await first.close()
    await reading
    expect(journals.flatMap(({ records }) => records).sort()).toEqual(allOf(4, 30).sort())
    const [, revoked] = journals[0].events
    const moved = revoked!.replace('revoked ', '')
    expect(journals[0].events).toEqual([
      'assigned 0@0 1@0 2@0 3@0',
      `revoked ${moved}`,
      `assigned ${moved.replaceAll('@10', '@20')}`,
      'revoked 0@30 1@30 2@30 3@30',
    ])
    expect(journals[1].events).toEqual([
      `assigned ${moved}`,
      `revoked ${moved.replaceAll('@10', '@20')}`,
    ])
  })

  test('a partition moves once what is in hand of it is done', async () => {
    const { topic, group, first, journal, reading, isInHand, open } = await stuckOnSecond()
    await until(() => isInHand())
    const other = new Journal()
    const second = client.consumer({ group, topics: [topic], ...other.hooks })
    const otherReading = consume(second, other)
    await untilAskedBack(group)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(other.events).toEqual([])
    open()
    await until(() => other.records.length === 8)
    await first.close()
    await second.close()
    await Promise.all([reading, otherReading])
    expect(journal.records).toEqual(['1/0', '1/1'])
    expect(journal.events.slice(0, 2)).toEqual(['assigned 0@0 1@0', 'revoked 1@2'])
    expect(other.events[0]).toBe('assigned 1@2')
  })

  test('a hook is waited for: before records come, and before a partition goes', async () => {
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const assigned = gate()
    const revoked = gate()
    const journal = new Journal()
    const calls: string[] = []
    const first = client.consumer({
      group,
      topics: [topic],
      onAssigned: async () => {
        calls.push('assigned')
        await assigned.isOpen
      },
      onRevoked: async (partitions) => {
        calls.push(`revoked ${partitions.length}`)
        await revoked.isOpen
      },
    })
    const reading = consume(first, journal)
    await until(() => calls.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(journal.records).toEqual([])
    assigned.open()
    await until(() => journal.records.length === 20)
    const other = new Journal()
    const second = client.consumer({ group, topics: [topic], ...other.hooks })
    const otherReading = consume(second, other)
    await until(() => calls.length === 2)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(other.events).toEqual([])
    revoked.open()
    await until(() => other.events.length === 1)
    expect(other.events[0]).toMatch(/^assigned \d@10$/)
    await second.close()
    await first.close()
    await Promise.all([reading, otherReading])
    expect(calls.slice(0, 2)).toEqual(['assigned', 'revoked 1'])
  })

  test('who is not done in time is told that it lost the partition, and another goes on', async () => {
    const rebalanceTimeoutMs = 2_000
    const { topic, group, first, journal, reading, isInHand, open } = await stuckOnSecond({
      rebalanceTimeoutMs,
    })
    await until(() => isInHand())
    const other = new Journal()
    const second = client.consumer({ group, topics: [topic], ...other.hooks })
    const otherReading = consume(second, other)
    await until(() => other.records.length === 9)
    expect(other.records[0]).toBe('1/1')
    await until(() => journal.losses.length > 0)
    expect(journal.losses).toMatchObject([
      { partition: 1, offset: 1, error: { code: 'REBALANCE_IN_PROGRESS' } },
    ])
    open()
    await first.close()
    await second.close()
    await Promise.all([reading, otherReading])
    // It kept the other one.
    expect(journal.events.slice(0, 4)).toEqual([
      'assigned 0@0 1@0',
      'revoked 1@1',
      'lost 1@1',
      'revoked 0@0',
    ])
  })

  test('a reset rewinds a running loop, and what was given before it is not committed any more', async () => {
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 40, { partitions: 2 })
    const group = newGroup()
    const journal = new Journal()
    const consumer = client.consumer({
      group,
      topics: [topic],
      autoCommitIntervalMs: 20,
      ...journal.hooks,
    })
    const old: Parameters<typeof consumer.commit>[0][] = []
    const reading = consume(consumer, journal, (record) => old.push(record))
    await until(() => journal.records.length === 40)
    await expect.poll(() => committedOf(client, group), { timeout: 20_000 }).toEqual([20, 20])
    await client.admin.resetGroupOffsets(group, {
      to: { offsets: [5, 15].map((offset, partition) => ({ topic, partition, offset })) },
    })
    await until(() => journal.records.length === 60)
    expect(journal.records.slice(40).sort()).toEqual(
      [
        ...Array.from({ length: 15 }, (_, at) => `0/${5 + at}`),
        ...Array.from({ length: 5 }, (_, at) => `1/${15 + at}`),
      ].sort(),
    )
    expect(journal.events).toEqual([
      'assigned 0@0 1@0',
      'lost 0@20 1@20',
      'reset 0:20→5 1:20→15',
      'assigned 0@5 1@15',
    ])
    expect(journal.losses.map(({ error }) => error.code)).toEqual(
      Array(2).fill('FENCED_MEMBER_EPOCH'),
    )
    expect(await failure(consumer.commit(old[0]!))).toMatchObject({ code: 'FENCED_MEMBER_EPOCH' })
    await consumer.close()
    await reading
    expect(await committedOf(client, group)).toEqual([20, 20])
  })

  test('one that is thrown out joins again, and goes on at what is committed', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 10)
    const group = newGroup()
    const journal = new Journal()
    const consumer = client.consumer({ group, topics: [topic], ...journal.hooks })
    const reading = consume(consumer, journal, async (record) => {
      if (record.offset === 3 && journal.losses.length === 0) await consumer.commit(record)
    })
    await until(() => journal.records.length === 10)
    const { members } = await client.admin.describeGroup(group)
    await curl.get('DELETE', `/v1/groups/${group}/members/${members[0]!.memberId}`)
    await until(() => journal.records.length === 16)
    expect(journal.records.slice(10)).toEqual([4, 5, 6, 7, 8, 9].map((offset) => `0/${offset}`))
    expect(journal.events.slice(0, 3)).toEqual(['assigned 0@0', 'lost 0@10', 'assigned 0@4'])
    expect(journal.losses[0]!.error.code).toBe('UNKNOWN_MEMBER_ID')
    await consumer.close()
    await reading
  })

  test('an instance keeps its partitions over a restart', async () => {
    const topic = await newTopic(writer, 2)
    await write(writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const journals = Array.from({ length: 3 }, () => new Journal())
    const start = (index: number, instanceId: string) => {
      const consumer = client.consumer({
        group,
        topics: [topic],
        instanceId,
        ...journals[index]!.hooks,
      })
      return { consumer, reading: consume(consumer, journals[index]!) }
    }
    const a = start(0, 'a')
    await until(() => a.consumer.assignment().length === 2)
    const b = start(1, 'b')
    await until(() => b.consumer.assignment().length === 1 && a.consumer.assignment().length === 1)
    const [before] = a.consumer.assignment()
    const eventsOfB = [...journals[1]!.events]
    await a.consumer.close()
    await a.reading
    const again = start(2, 'a')
    await until(() => again.consumer.assignment().length === 1)
    expect(again.consumer.assignment()[0]!.partition).toBe(before!.partition)
    expect(journals[1]!.events).toEqual(eventsOfB)
    for (const { consumer } of [again, b]) await consumer.close()
    await Promise.all([again.reading, b.reading])
    const all = journals.flatMap(({ records }) => records)
    expect(all.sort()).toEqual(allOf(2, 10).sort())
  })

  test('what a hook throws ends the loop, and the consumer leaves', async () => {
    const topic = await newTopic(writer)
    await write(writer, topic, 3)
    const group = newGroup()
    for (const hook of ['onAssigned', 'onRevoked'] as const) {
      const consumer = client.consumer({
        group,
        topics: [topic],
        [hook]: () => {
          throw new Error(`no ${hook}`)
        },
      })
      const reading = (async () => {
        for await (const _ of consumer) break
      })()
      expect(await failure(reading)).toEqual(new Error(`no ${hook}`))
      expect(await client.admin.describeGroup(group)).toMatchObject({ members: [] })
    }
  })

  test('a topic that is deleted and made anew is read from its beginning, beside others', async () => {
    const topics = [await newTopic(writer), await newTopic(writer)] as const
    for (const topic of topics) await write(writer, topic, 5)
    const group = newGroup()
    const journal = new Journal()
    const found: string[] = []
    const consumer = client.consumer({ group, topics, ...journal.hooks })
    const reading = consume(consumer, journal, ({ topic, value }) =>
      found.push(`${topic} ${value}`),
    )
    await until(() => found.length === 10)
    await writer.admin.deleteTopic(topics[0])
    await writer.admin.createTopic({ name: topics[0] })
    await write(writer, topics[0], 3, { from: 100 })
    await until(() => found.length === 13)
    expect(found.slice(10)).toEqual([100, 101, 102].map((it) => `${topics[0]} value ${it}`))
    await write(writer, topics[1], 1, { from: 5 })
    await until(() => found.length === 14)
    await consumer.close()
    await reading
  })

  test('a broker that stops and comes back is waited for, and nothing is read twice', async () => {
    const own = await startGroupBroker()
    await using setup = NODE.connect(own.url)
    const topic = await newTopic(setup, 2)
    await write(setup, topic, 20, { partitions: 2 })
    await using reading = connect(own.url)
    const group = newGroup()
    const journal = new Journal()
    const consumer = reading.consumer({ group, topics: [topic], ...journal.hooks })
    const loop = consume(consumer, journal)
    await until(() => journal.records.length === 20)
    await own.stop()
    await using again = await startGroupBroker({ dataDir: own.dataDir, port: own.port })
    await write(setup, topic, 20, { partitions: 2, from: 20 })
    await until(() => journal.records.length === 40)
    await consumer.close()
    await loop
    expect(journal.records.sort()).toEqual(allOf(2, 20).sort())
    expect(journal.losses).toEqual([])
    expect(await committedOf(setup, group)).toEqual([20, 20])
    await again.stop()
    await own[Symbol.asyncDispose]()
  })

  test('one that hears nothing for the length of its session gives nothing out until it does', async () => {
    const own = await startGroupBroker()
    await using setup = NODE.connect(own.url)
    const topic = await newTopic(setup)
    await write(setup, topic, 100)
    await using reading = connect(own.url)
    const consumer = reading.consumer({
      group: newGroup(),
      topics: [topic],
      sessionTimeoutMs: 1_000,
    })
    const loop = consumer[Symbol.asyncIterator]()
    await loop.next()
    await own.stop()
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    let isGiven = false
    const next = loop.next().then((result) => {
      isGiven = true
      return result
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(isGiven).toBe(false)
    await using again = await startGroupBroker({ dataDir: own.dataDir, port: own.port })
    expect(await next).toMatchObject({ value: { offset: 1 } })
    await loop.return?.()
    await again.stop()
    await own[Symbol.asyncDispose]()
  })
})

test('a commit that is refused is thrown where the program committed, and nowhere else', async () => {
  await using client = NODE.connect(broker.url)
  const topic = await newTopic(writer)
  await write(writer, topic, 10)
  const group = newGroup()
  const journal = new Journal()
  const consumer = client.consumer({ group, topics: [topic], autoCommit: false, ...journal.hooks })
  const errors: unknown[] = []
  const reading = consume(consumer, journal, async (record) => {
    if (record.offset === 2) await consumer.commit(record)
    if (record.offset !== 5 || errors.length > 0) return
    const { members } = await client.admin.describeGroup(group)
    await curl.get('DELETE', `/v1/groups/${group}/members/${members[0]!.memberId}`)
    errors.push(await failure(consumer.commit(record)))
  })
  // What lay ready may have been given before it heard that it was thrown out.
  await until(
    () =>
      journal.records.lastIndexOf('0/9') > journal.records.lastIndexOf('0/3') &&
      journal.records.filter((it) => it === '0/3').length === 2,
  )
  expect(errors[0]).toBeInstanceOf(SpoolError)
  expect(errors[0]).toMatchObject({
    code: expect.stringMatching(/UNKNOWN_MEMBER_ID|FENCED_MEMBER_EPOCH/),
  })
  await consumer.close()
  await reading
  expect(await committedOf(client, group)).toEqual([3])
})

test('one that is closing takes nothing that is given to it meanwhile', async () => {
  await using client = NODE.connect(broker.url)
  const topic = await newTopic(writer, 2)
  const group = newGroup()
  const journal = new Journal()
  const { isOpen, open } = gate()
  let revocations = 0
  const closing = client.consumer({
    group,
    topics: [topic],
    ...journal.hooks,
    onRevoked: async (partitions) => {
      journal.hooks.onRevoked?.(partitions)
      if (++revocations === 2) await isOpen
    },
  })
  const loop = consume(closing, journal)
  await until(() => closing.assignment().length === 2)
  const other = client.consumer({ group, topics: [topic] })
  const otherLoop = consume(other, new Journal())
  await until(() => other.assignment().length === 1)
  const closed = closing.close()
  await until(() => revocations === 2)
  await other.close()
  // Some heartbeats later it was given the other one's.
  const given = async () => (await client.admin.describeGroup(group)).members[0]?.assignment.length
  await expect.poll(given, { timeout: 20_000 }).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 200))
  open()
  await closed
  await Promise.all([loop, otherLoop])
  expect(journal.events.map((it) => it.split(' ')[0])).toEqual(['assigned', 'revoked', 'revoked'])
  expect(closing.assignment()).toEqual([])
})
