/** Work that stands still: the consumer leaves its group, others go on, and so does it when the work does. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, ReadRecord } from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, consume, GroupSuite, Journal, moment, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

const LIMIT_MS = 200

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  const membersOf = async (group: string) =>
    (await suite.writer.admin.describeGroup(group)).members.length

  /** A consumer whose work may stand still for `LIMIT_MS`, in a group of its own, of a topic of so many records. */
  async function limited({
    partitions = 1,
    records,
    ...options
  }: {
    readonly partitions?: number
    readonly records: number
    readonly instanceId?: string
  }) {
    const topic = await newTopic(suite.writer, partitions)
    await write(suite.writer, topic, records, { partitions })
    const group = newGroup()
    const journal = new Journal()
    const consumer = client.consumer({
      group,
      topics: [topic],
      maxPollIntervalMs: LIMIT_MS,
      ...options,
      ...journal.hooks,
    })
    return { topic, group, journal, consumer }
  }

  test('a loop that does not ask for the next leaves; another goes on; it comes back when it asks', async () => {
    const { topic, group, journal: slow, consumer } = await limited({ partitions: 2, records: 20 })
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>()
    let hung: ReadRecord | undefined
    const reading = consume(consumer, slow, async (record) => {
      if (slow.records.length !== 5 || hung !== undefined) return
      hung = record
      await goOn
    })
    await until(() => slow.losses.length > 0)
    const { offset, partition } = hung!
    expect(slow.losses[0]!.error).toMatchObject({ code: 'UNKNOWN_MEMBER_ID' })
    expect(slow.losses[0]!.error.detail).toContain(
      `offset ${offset} of partition ${partition} of ${topic}`,
    )
    expect(slow.losses[0]!.error.detail).toContain(`(${LIMIT_MS} ms)`)
    await expect.poll(() => membersOf(group), { timeout: 20_000 }).toBe(0)
    // What was done is committed before; what is in hand can not be any more.
    const committed = (await committedOf(client, group)).map((it) => it ?? 0)
    expect(committed.reduce((sum, it) => sum + it, 0)).toBe(5)
    expect(await failure(consumer.commit(hung!))).toMatchObject({ code: 'FENCED_MEMBER_EPOCH' })

    const quick = new Journal()
    const other = client.consumer({ group, topics: [topic] })
    const othersReading = consume(other, quick)
    await until(() => quick.records.length === 15)
    expect(quick.records).toContain(`${partition}/${offset}`)
    expect(consumer.assignment()).toEqual([])

    release()
    await until(() => consumer.assignment().length === 1)
    const before = slow.records.length
    await write(suite.writer, topic, 20, { partitions: 2, from: 20 })
    await until(() => slow.records.length + quick.records.length === before + 15 + 20)
    for (const each of [consumer, other]) await each.close()
    await Promise.all([reading, othersReading])
    expect(await committedOf(client, group)).toEqual([20, 20])
  })

  test('a loop over batches alone in its group reads the batch again, and one in time is left alone', async () => {
    const { topic, journal, consumer } = await limited({ records: 10 })
    const from: number[] = []
    for await (const batch of consumer.batches()) {
      from.push(batch.fromOffset)
      await moment(LIMIT_MS / 4)
      if (from.length === 1) void write(suite.writer, topic, 10, { from: 10 })
      if (batch.fromOffset !== 10) continue
      if (from.length === 2) await until(() => journal.losses.length === 1)
      else break
    }
    expect(from).toEqual([0, 10, 10])
    expect(journal.events).toEqual(['assigned 0@0', 'lost 0@10', 'assigned 0@10', 'revoked 0@10'])
    await consumer.close()
  })

  test('a handler that hangs has its signal aborted, and is called for its record again', async () => {
    const { group, journal, consumer } = await limited({ partitions: 2, records: 20 })
    let hung = 0
    const running = consumer.run({ concurrency: 2 }, async (record, { signal }) => {
      if (record.partition === 0 && record.offset === 3 && hung++ === 0) {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      }
      journal.take(record)
    })
    const of = (partition: number) => journal.records.filter((it) => it.startsWith(`${partition}/`))
    await until(() => of(0).length === 10 && of(1).length >= 10)
    expect(of(0)).toEqual(Array.from({ length: 10 }, (_, offset) => `0/${offset}`))
    expect(hung).toBe(2)
    expect(journal.losses).toHaveLength(2)
    await consumer.close()
    await running
    expect(await committedOf(client, group)).toEqual([10, 10])
  })

  test('one that hangs all the same is in the way of its own partition alone', async () => {
    const { topic, group, journal, consumer } = await limited({ partitions: 2, records: 20 })
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>()
    let isHung = false
    const running = consumer.run({ concurrency: 2 }, async (record) => {
      const isFirst = record.partition === 0 && record.offset === 3 && !isHung
      isHung ||= isFirst
      if (isFirst) await goOn
      journal.take(record)
    })
    await until(() => journal.losses.length > 0)
    const of = (partition: number) => journal.records.filter((it) => it.startsWith(`${partition}/`))
    const before = of(1).length
    await write(suite.writer, topic, 20, { partitions: 2, from: 20 })
    await until(() => of(1).length >= before + 10)
    expect(of(0)).toEqual(['0/0', '0/1', '0/2'])
    // It is given up again and again, so that another may have it; not all the time.
    const rounds = () => journal.events.filter((it) => it.startsWith('lost')).length
    const roundsBefore = rounds()
    const beganAtMs = performance.now()
    await until(() => rounds() >= roundsBefore + 2)
    expect(performance.now() - beganAtMs).toBeGreaterThan(LIMIT_MS)
    release()
    await until(() => of(0).length === 3 + 1 + 17)
    expect(of(0).slice(3, 6)).toEqual(['0/3', '0/3', '0/4'])
    await consumer.close()
    await running
    expect(await committedOf(client, group)).toEqual([20, 20])
  })

  test('one with an instanceId comes back to its partitions, which waited for it', async () => {
    const { topic, group, journal, consumer } = await limited({
      partitions: 2,
      records: 8,
      instanceId: 'one',
    })
    const others = new Journal()
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>()
    let isHung = false
    const reading = consume(consumer, journal, async () => {
      if (isHung || journal.records.length < 3) return
      isHung = true
      await goOn
    })
    await until(() => journal.losses.length > 0)
    const other = client.consumer({ group, topics: [topic], ...others.hooks })
    const othersReading = consume(other, others)
    await expect.poll(() => membersOf(group), { timeout: 20_000 }).toBe(2)
    expect(others.records).toEqual([])
    release()
    await until(() => journal.records.length + others.records.length === 9)
    await until(() => other.assignment().length === 1 && consumer.assignment().length === 1)
    for (const each of [consumer, other]) await each.close()
    await Promise.all([reading, othersReading])
    expect(await committedOf(client, group)).toEqual([4, 4])
  })

  test('what waits for its next attempt, or for records, is not overdue', async () => {
    const { journal, consumer } = await limited({ records: 2 })
    const retry = { attempts: 2, backoffMs: LIMIT_MS * 4 }
    let calls = 0
    const running = consumer.run({ retry }, (record) => {
      if (calls++ === 0) throw new Error('on purpose')
      journal.take(record)
    })
    await until(() => journal.records.length === 2)
    await moment(LIMIT_MS * 2)
    await consumer.close()
    await running
    expect(journal.events).toEqual(['assigned 0@0', 'revoked 0@2'])
  })

  test('one that is closed while its work stands still has left', async () => {
    const { group, journal, consumer } = await limited({ records: 2 })
    const { promise: goOn, resolve: release } = Promise.withResolvers<void>()
    const reading = consume(consumer, new Journal(), () => goOn)
    await until(() => journal.losses.length === 1)
    await consumer.close()
    expect(await membersOf(group)).toBe(0)
    release()
    await reading
    await moment(LIMIT_MS * 2)
    expect(await membersOf(group)).toBe(0)
  })
})
