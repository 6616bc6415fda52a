/** What a program does with what it holds: commits by hand, pauses, resumes, seeks. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, ReadBatch, ReadRecord } from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, consume, GroupSuite, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

const settled = () => new Promise((resolve) => setTimeout(resolve, 200))

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('without autoCommit nothing is committed but what the program commits', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const given: ReadRecord[] = []
    const consumer = client.consumer({
      group,
      topics: [topic],
      autoCommit: false,
      autoCommitIntervalMs: 10,
    })
    for await (const record of consumer) {
      given.push(record)
      if (given.length < 20) continue
      const committed = () => committedOf(client, group)
      expect((await committed()).filter((it) => it !== null)).toEqual([])
      const at = (partition: number, offset: number) =>
        given.find((it) => it.partition === partition && it.offset === offset)!
      await consumer.commit(at(0, 3))
      expect(await committed()).toContain(4)
      await consumer.commit([at(0, 5), at(1, 7), at(0, 4)])
      expect(await committed()).toEqual([6, 8])
      // Behind what is committed is no news.
      await consumer.commit(at(0, 0))
      expect(await committed()).toEqual([6, 8])
      await consumer.commit({ topic, partition: 0, offset: 9, metadata: 'nearly' })
      await consumer.commit([{ topic, partition: 1, offset: 2 }])
      expect(await committed()).toEqual([9, 2])
      const [first] = await client.admin.groupOffsets(group)
      expect(first).toMatchObject({ metadata: 'nearly' })
      break
    }
    expect(await committedOf(client, group)).toEqual([9, 2])
    const batches: ReadBatch[] = []
    for await (const batch of consumer.batches()) {
      batches.push(batch)
      if (batch.partition !== 1) continue
      await consumer.commit(batch)
      expect((await committedOf(client, group))[1]).toBe(batch.nextOffset)
      break
    }
    await consumer.close()
  })

  test('commit() commits all that is done, and nothing that is in hand', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
    expect(await failure(consumer.commit())).toMatchObject({ code: 'FENCED_MEMBER_EPOCH' })
    expect(consumer.memberId).toBeUndefined()
    const done = [0, 0]
    let count = 0
    for await (const { partition, offset } of consumer) {
      if (++count === 15) {
        await consumer.commit()
        expect((await committedOf(client, group)).map((it) => it ?? 0)).toEqual(done)
        // Once more: no news.
        await consumer.commit()
        const { members } = await client.admin.describeGroup(group)
        expect(members.map(({ memberId }) => memberId)).toEqual([consumer.memberId])
        break
      }
      done[partition] = offset + 1
    }
    expect(await committedOf(client, group)).toEqual(done.map((it) => it || null))
    expect(consumer.memberId).toBeUndefined()
    await consumer.close()
  })

  test('commits that do not wait for each other end with the furthest', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 100)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommit: false })
    const commits: Promise<void>[] = []
    const given: ReadRecord[] = []
    for await (const record of consumer) {
      given.push(record)
      commits.push(consumer.commit(record))
      if (record.offset % 10 === 9) commits.push(consumer.commit(given[record.offset - 9]!))
      if (record.offset === 99) break
    }
    await Promise.allSettled(commits)
    expect(await committedOf(client, group)).toEqual([100])
    await consumer.close()
  })

  test('what is not held, or no offset, is refused', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 5)
    const consumer = client.consumer({ group: newGroup(), topics: [topic] })
    const offset = { topic, partition: 0, offset: 1 }
    expect(await failure(consumer.commit(offset))).toMatchObject({ code: 'FENCED_MEMBER_EPOCH' })
    expect(await failure(consumer.seek(topic, 0, 0))).toMatchObject({ code: 'FENCED_MEMBER_EPOCH' })
    let read: ReadRecord | undefined
    for await (const record of client.reader(topic)) {
      read = record
      break
    }
    for await (const record of consumer) {
      for (const [given, code] of [
        [{ ...offset, partition: 7 }, 'FENCED_MEMBER_EPOCH'],
        [{ ...offset, topic: 'other' }, 'FENCED_MEMBER_EPOCH'],
        [{ ...offset, offset: -1 }, 'INVALID_REQUEST'],
        [{ ...offset, offset: 1.5 }, 'INVALID_REQUEST'],
        [read, 'INVALID_REQUEST'],
        [undefined, 'INVALID_REQUEST'],
        ['0', 'INVALID_REQUEST'],
        [[undefined], 'INVALID_REQUEST'],
        [[record, null], 'INVALID_REQUEST'],
      ] as const) {
        const commit = consumer.commit(given as ReadRecord)
        expect(await failure(commit)).toMatchObject({ code, outcome: 'refused' })
      }
      expect(await failure(consumer.seek(topic, 5, 0))).toMatchObject({
        code: 'FENCED_MEMBER_EPOCH',
      })
      expect(await failure(consumer.seek(topic, 0, 'yesterday'))).toMatchObject({
        code: 'INVALID_REQUEST',
      })
      await consumer.commit([])
      expect(record.offset).toBe(0)
      break
    }
    await consumer.close()
  })

  test('a paused partition gives nothing, others go on, and resuming leaves nothing out', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 200, { partitions: 2 })
    const consumer = client.consumer({ group: newGroup(), topics: [topic] })
    const journal = new Journal()
    const of = (partition: number) => journal.records.filter((it) => it.startsWith(`${partition}/`))
    const places = [{ topic, partition: 0 }]
    const reading = consume(consumer, journal, ({ partition, offset }) => {
      if (partition === 0 && offset === 20) consumer.pause(places)
    })
    await until(() => of(1).length === 100 && of(0).length >= 21)
    await settled()
    expect(of(0)).toHaveLength(21)
    expect(consumer.assignment()).toMatchObject([
      { partition: 0, position: 21, isPaused: true },
      { partition: 1, position: 100, isPaused: false },
    ])
    consumer.pause(places)
    await write(suite.writer, topic, 20, { partitions: 2 })
    await until(() => of(1).length === 110)
    consumer.resume(places)
    consumer.resume(places)
    await until(() => of(0).length === 110)
    expect(of(0)).toEqual(Array.from({ length: 110 }, (_, offset) => `0/${offset}`))
    await consumer.close()
    await reading
  })

  test('everything may be paused, and what is not held is left alone', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const consumer = client.consumer({ group: newGroup(), topics: [topic] })
    consumer.pause([{ topic, partition: 0 }])
    const journal = new Journal()
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 20)
    consumer.pause([...consumer.assignment(), { topic, partition: 17 }])
    await write(suite.writer, topic, 20, { partitions: 2 })
    await settled()
    expect(journal.records).toHaveLength(20)
    consumer.resume(consumer.assignment())
    await until(() => journal.records.length === 40)
    await consumer.close()
    await reading
  })

  test('seek goes on anywhere, also from within the loop, and is what is committed', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 40, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const journal = new Journal()
    let seeks = 0
    const reading = consume(consumer, journal, async ({ partition, offset }) => {
      if (partition === 0 && offset === 7 && seeks++ === 0) await consumer.seek(topic, 0, 15)
    })
    const of = (partition: number) =>
      journal.records.filter((it) => it.startsWith(`${partition}/`)).map((it) => +it.split('/')[1]!)
    await until(() => journal.records.length === 33)
    expect(of(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 19])
    // Records have the times 1000 to 1039: 1020 is the eleventh of partition 0.
    for (const [position, from] of [
      ['earliest', 0],
      [12, 12],
      [-2, 18],
      [new Date(1_020), 10],
      ['latest', 20],
    ] as const) {
      const before = of(0).length
      await consumer.seek(topic, 0, position)
      await until(() => of(0).length === before + 20 - from)
      expect(of(0).slice(before)).toEqual(Array.from({ length: 20 - from }, (_, at) => from + at))
    }
    await consumer.seek(topic, 1, 3)
    consumer.pause([{ topic, partition: 1 }])
    await consumer.seek(topic, 1, 5)
    const count = of(1).length
    await settled()
    expect(of(1).length - count).toBeLessThanOrEqual(20 - 3)
    const paused = of(1).length
    consumer.resume([{ topic, partition: 1 }])
    await until(() => of(1).length === paused + 15)
    await consumer.close()
    await reading
    expect(await committedOf(client, group)).toEqual([20, 20])
  })

  test('seek in onAssigned is where a partition begins', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const journal = new Journal()
    const group = newGroup()
    const consumer = client.consumer({
      group,
      topics: [topic],
      onAssigned: async (partitions) => {
        for (const { partition } of partitions) await consumer.seek(topic, partition, -3)
      },
    })
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 6)
    await settled()
    await consumer.close()
    await reading
    expect(journal.records.sort()).toEqual(['0/7', '0/8', '0/9', '1/7', '1/8', '1/9'])
  })

  test('what was sought beyond the end is not committed, and the loop goes on where outOfRange says', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 5)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], autoCommitIntervalMs: 10 })
    const journal = new Journal()
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 5)
    await expect.poll(() => committedOf(client, group), { timeout: 20_000 }).toEqual([5])
    consumer.pause([{ topic, partition: 0 }])
    await consumer.seek(topic, 0, 1_000)
    await settled()
    expect(await committedOf(client, group)).toEqual([5])
    consumer.resume([{ topic, partition: 0 }])
    await until(() => journal.records.length === 10)
    expect(journal.records.slice(5)).toEqual(journal.records.slice(0, 5))
    await consumer.close()
    await reading
    expect(await committedOf(client, group)).toEqual([5])
  })

  test('an offset that was removed meanwhile is passed over, or ends the loop where that is asked', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 100)
    for (const outOfRange of ['earliest', 'error'] as const) {
      const consumer = client.consumer({ group: newGroup(), topics: [topic], outOfRange })
      const offsets: number[] = []
      const reading = (async () => {
        for await (const { offset } of consumer) {
          offsets.push(offset)
          if (offsets.length === 1) await consumer.seek(topic, 0, 5)
          else break
        }
      })()
      await suite.writer.admin.trim(topic, 0, 60)
      if (outOfRange === 'error') {
        expect(await failure(reading)).toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
      } else {
        await reading
        expect(offsets.at(-1)).toBeOneOf([5, 60])
      }
      await consumer.close()
    }
  })
})
