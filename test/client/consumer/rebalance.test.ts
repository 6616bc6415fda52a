/**
 * Members come, go and hang: who has which partition, in which order they are told, and that nothing is read
 * twice. Hooks that take their time are `hooks.test.ts`; what somebody does to a group is `interventions.test.ts`.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../client/index.ts'
import { DOORS, NODE, newTopic, until, write } from '../reader/doors.ts'
import { allOf, consume, GroupSuite, gate, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  /**
   * A consumer of two partitions that is working on a record of the second, 1/1, until it is let; another
   * one that comes gets the second.
   */
  async function stuckOnSecond(options: { readonly rebalanceTimeoutMs?: number } = {}) {
    const topic = await newTopic(suite.writer, 2)
    await using producer = suite.writer.producer({ topic })
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
    const topic = await newTopic(suite.writer, 4)
    const groups = [newGroup(), newGroup()]
    const workers = groups.flatMap((group) =>
      [0, 1].map(() => {
        const journal = new Journal()
        const consumer = client.consumer({ group, topics: [topic], ...journal.hooks })
        return { group, journal, consumer, reading: consume(consumer, journal) }
      }),
    )
    await until(() => workers.every(({ consumer }) => consumer.assignment().length === 2))
    await write(suite.writer, topic, 400, { partitions: 4 })
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
    const topic = await newTopic(suite.writer, 4)
    await write(suite.writer, topic, 40, { partitions: 4 })
    const group = newGroup()
    const journals = [new Journal(), new Journal()] as const
    const first = client.consumer({ group, topics: [topic], ...journals[0].hooks })
    const second = client.consumer({ group, topics: [topic], ...journals[1].hooks })
    const reading = consume(first, journals[0])
    await until(() => journals[0].records.length === 40)
    const other = consume(second, journals[1])
    await until(() => second.assignment().length === 2 && first.assignment().length === 2)
    await write(suite.writer, topic, 40, { partitions: 4, from: 40 })
    await until(() => journals[0].records.length === 60 && journals[1].records.length === 20)
    await second.close()
    await other
    await until(() => first.assignment().length === 4)
    await write(suite.writer, topic, 40, { partitions: 4, from: 80 })
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

  test('an instance keeps its partitions over a restart', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
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
})

test('one that is closing takes nothing that is given to it meanwhile', async () => {
  await using client = NODE.connect(suite.broker.url)
  const topic = await newTopic(suite.writer, 2)
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
