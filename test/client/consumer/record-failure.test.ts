/** Handlers of whole batches that say which record failed: what is done then, attempted again, and dead. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Client,
  type DeadLetter,
  type ReadBatch,
  type ReadRecord,
  RecordFailure,
} from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, GroupSuite, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

const boom = new Error('boom')
const retry = { attempts: 3, backoffMs: 1 }

const offsetsOf = (batch: ReadBatch) => [...batch].map(({ offset }) => offset)
const from = (offset: number, until = 9) =>
  Array.from({ length: until + 1 - offset }, (_, at) => offset + at)

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  /** Ten records in one partition, which a handler is given until the last of them is done or dead. */
  async function tenRecords() {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    return { topic, group, consumer: client.consumer({ group, topics: [topic] }) }
  }

  test('those before it are done, and the rest is attempted again from it on', async () => {
    const { consumer, group } = await tenRecords()
    const calls: [attempt: number, offsets: number[]][] = []
    const done: number[] = []
    // 4 fails twice; then 7, which is another story, once.
    const failing = [4, 4, 7]
    await consumer.runBatches({ retry }, (batch, { attempt }) => {
      calls.push([attempt, offsetsOf(batch)])
      for (const record of batch) {
        if (record.offset === failing[0]) {
          failing.shift()
          throw new RecordFailure(record, boom)
        }
        done.push(record.offset)
      }
      consumer.stop()
    })
    expect(calls).toEqual([
      [1, from(0)],
      [2, from(4)],
      [3, from(4)],
      [2, from(7)],
    ])
    expect(done).toEqual(from(0))
    expect(await committedOf(client, group)).toEqual([10])
    await consumer.close()
  })

  test('it alone goes to the dead letters, with its cause, also where it is the last', async () => {
    const { consumer, group, topic } = await tenRecords()
    const calls: [attempt: number, offsets: number[]][] = []
    const letters: DeadLetter[] = []
    const running = consumer.runBatches(
      { retry: { ...retry, attempts: 2 }, deadLetter: { onDeadLetter: (it) => letters.push(it) } },
      (batch, { attempt }) => {
        calls.push([attempt, offsetsOf(batch)])
        for (const record of batch) {
          if ([0, 4, 9].includes(record.offset)) throw new RecordFailure(record, boom)
        }
      },
    )
    await until(() => letters.length === 3)
    await consumer.close()
    await running
    expect(calls).toEqual([
      [1, from(0)],
      [2, from(0)],
      [1, from(1)],
      [2, from(4)],
      [1, from(5)],
      [2, from(9)],
    ])
    expect(letters.map(({ offset, error }) => [offset, error])).toEqual([
      [0, boom],
      [4, boom],
      [9, boom],
    ])
    const dead = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
    expect(dead).toHaveLength(3)
    const headers = new Map(dead[1]!.headers as [string, string][])
    expect(headers.get('spool-dlq-offset')).toBe('4')
    expect(headers.get('spool-dlq-error')).toBe('Error: boom')
    expect(headers.get('spool-dlq-attempts')).toBe('2')
    expect(await committedOf(client, group)).toEqual([10])
  })

  test('without dead letters the run rejects with it, and what came before is committed', async () => {
    const { consumer, group, topic } = await tenRecords()
    let isWorthItAsked: unknown
    const options = {
      retry: {
        ...retry,
        isWorthIt: (error: unknown) => {
          isWorthItAsked = error
          return false
        },
      },
    }
    const failed = await failure(
      consumer.runBatches(options, (batch) => {
        for (const record of batch) if (record.offset === 6) throw new RecordFailure(record, boom)
      }),
    )
    expect(failed).toBeInstanceOf(RecordFailure)
    expect(failed).toMatchObject({ name: 'RecordFailure', cause: boom, record: { offset: 6 } })
    expect((failed as Error).message).toBe(`offset 6 of partition 0 of ${topic}: boom`)
    expect(isWorthItAsked).toBe(boom)
    expect(await committedOf(client, group)).toEqual([6])
    for await (const { offset } of consumer) {
      expect(offset).toBe(6)
      break
    }
    await consumer.close()
  })

  test('one that names a record it was not given, or is done already, fails as a whole', async () => {
    const { consumer, group } = await tenRecords()
    let stranger: ReadRecord | undefined
    for await (const record of client.reader(await tenRecords().then(({ topic }) => topic))) {
      stranger = record
      break
    }
    const calls: number[][] = []
    const letters: number[] = []
    let first: ReadRecord | undefined
    const running = consumer.runBatches(
      {
        retry: { attempts: 2, backoffMs: 1 },
        deadLetter: { onDeadLetter: ({ offset }) => letters.push(offset) },
      },
      (batch) => {
        calls.push(offsetsOf(batch))
        const records = [...batch]
        first ??= records[0]!
        if (calls.length === 1) throw new RecordFailure(stranger!, boom)
        if (calls.length === 2) throw new RecordFailure(records[3]!, boom)
        throw new RecordFailure(first, boom)
      },
    )
    await until(() => letters.length === 7)
    await consumer.close()
    await running
    expect(calls).toEqual([from(0), from(0), from(3)])
    expect(letters).toEqual(from(3))
    expect(await committedOf(client, group)).toEqual([10])
  })

  test('in a handler of single records it is its cause', async () => {
    const { consumer } = await tenRecords()
    const letters: DeadLetter[] = []
    await consumer.run(
      { deadLetter: { onDeadLetter: (letter) => letters.push(letter) } },
      (record) => {
        if (record.offset === 9) consumer.stop()
        if (record.offset === 2) throw new RecordFailure(record, boom)
      },
    )
    expect(letters.map(({ offset, error }) => [offset, error])).toEqual([[2, boom]])
    await consumer.close()
  })
})
