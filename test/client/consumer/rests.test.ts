/** What waits before another attempt takes nobody's turn, at any concurrency, and goes at once when it is wanted elsewhere. */

import { expect, test } from 'vitest'
import { newTopic, until, write } from '../reader/doors.ts'
import { allOf, committedOf, GroupSuite, Journal, moment, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

test.each([1, 2])(
  'with concurrency %i, records that wait hold up no other partition',
  async (concurrency) => {
    const topic = await newTopic(suite.writer, 5)
    await write(suite.writer, topic, 100, { partitions: 5 })
    const group = newGroup()
    const consumer = suite.writer.consumer({ group, topics: [topic] })
    const journal = new Journal()
    let attempts = 0
    const running = consumer.run(
      { concurrency, retry: { attempts: 99, backoffMs: 600_000, backoffMsMax: 600_000 } },
      (record) => {
        if (record.partition < 3) {
          attempts++
          throw new Error('not here')
        }
        journal.take(record)
      },
    )
    await until(() => journal.records.length === 40 && attempts === 3)
    await consumer.close()
    await running
    expect(attempts).toBe(3)
    expect((await committedOf(suite.writer, group)).slice(-2)).toEqual([20, 20])
  },
)

test.each([1, 2, 4])(
  'with concurrency %i, never more at a time, each partition in order',
  async (concurrency) => {
    const topic = await newTopic(suite.writer, 6)
    await write(suite.writer, topic, 180, { partitions: 6 })
    const group = newGroup()
    const consumer = suite.writer.consumer({ group, topics: [topic] })
    const journal = new Journal()
    const wrong: string[] = []
    const last = new Map<number, number>()
    let inHand = 0
    let most = 0
    const running = consumer.run(
      { concurrency, retry: { attempts: 3, backoffMs: 2 } },
      async (record, { attempt }) => {
        const { partition, offset } = record
        inHand++
        most = Math.max(most, inHand)
        await moment(offset % 2)
        inHand--
        // Every third fails twice.
        if (offset % 3 === partition % 3 && attempt < 3) throw new Error('not yet')
        if (offset !== (last.get(partition) ?? -1) + 1) wrong.push(`${partition}/${offset}`)
        last.set(partition, offset)
        journal.take(record)
      },
    )
    await until(() => journal.records.length === 180)
    await consumer.close()
    await running
    expect(wrong).toEqual([])
    expect(most).toBe(concurrency)
    expect(journal.records.sort()).toEqual(allOf(6, 30).sort())
    expect(await committedOf(suite.writer, group)).toEqual(Array(6).fill(30))
  },
)

test('a partition whose record has waited, and waits for its turn, goes at once when it is asked back', async () => {
  const topic = await newTopic(suite.writer, 2)
  await write(suite.writer, topic, 2, { partitions: 2 })
  const group = newGroup()
  const first = suite.writer.consumer({ group, topics: [topic] })
  const { promise: goOn, resolve: open } = Promise.withResolvers<void>()
  let attempts = 0
  let isHanging = false
  const retry = { attempts: 99, backoffMs: 10, backoffMsMax: 10 }
  const running = first.run({ retry }, async ({ partition }) => {
    if (partition === 1) attempts++
    if (partition === 1 || attempts === 0) throw new Error('not here')
    isHanging = true
    await goOn
  })
  // That of partition 0 has the only turn; partition 1, which the other consumer is to get, waits for it.
  await until(() => isHanging)
  await moment(100)
  const attemptsBefore = attempts
  const second = suite.writer.consumer({ group, topics: [topic] })
  const found: number[] = []
  const other = second.run(({ partition }) => {
    found.push(partition)
  })
  await until(() => found.length === 1)
  expect(found).toEqual([1])
  open()
  for (const consumer of [first, second]) await consumer.close()
  await Promise.all([running, other])
  expect(attempts).toBe(attemptsBefore)
  expect(await committedOf(suite.writer, group)).toEqual([1, 1])
})
