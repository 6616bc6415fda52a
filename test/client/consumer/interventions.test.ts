/**
 * What somebody does to a group while it runs: its offsets are reset, a member is thrown out, a topic is made
 * anew. Loops go on where that puts them, and nothing is committed of before.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, SpoolError } from '../../../client/index.ts'
import { GroupClient } from '../../broker/http/groups/group-client.ts'
import { DOORS, failure, NODE, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, consume, GroupSuite, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

/** Throws out the only member there is. */
async function throwOut(client: Client, group: string): Promise<void> {
  const { members } = await client.admin.describeGroup(group)
  const path = `/v1/groups/${group}/members/${members[0]!.memberId}`
  await new GroupClient(suite.broker.url).get('DELETE', path)
}

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('a reset rewinds a running loop, and what was given before it is not committed any more', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 40, { partitions: 2 })
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
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const journal = new Journal()
    const consumer = client.consumer({ group, topics: [topic], ...journal.hooks })
    const reading = consume(consumer, journal, async (record) => {
      if (record.offset === 3 && journal.losses.length === 0) await consumer.commit(record)
    })
    await until(() => journal.records.length === 10)
    await throwOut(client, group)
    await until(() => journal.records.length === 16)
    expect(journal.records.slice(10)).toEqual([4, 5, 6, 7, 8, 9].map((offset) => `0/${offset}`))
    expect(journal.events.slice(0, 3)).toEqual(['assigned 0@0', 'lost 0@10', 'assigned 0@4'])
    expect(journal.losses[0]!.error.code).toBe('UNKNOWN_MEMBER_ID')
    await consumer.close()
    await reading
  })

  test('a topic that is deleted and made anew is read from its beginning, beside others', async () => {
    const topics = [await newTopic(suite.writer), await newTopic(suite.writer)] as const
    for (const topic of topics) await write(suite.writer, topic, 5)
    const group = newGroup()
    const journal = new Journal()
    const found: string[] = []
    const consumer = client.consumer({ group, topics, ...journal.hooks })
    const reading = consume(consumer, journal, ({ topic, value }) =>
      found.push(`${topic} ${value}`),
    )
    await until(() => found.length === 10)
    await suite.writer.admin.deleteTopic(topics[0])
    await suite.writer.admin.createTopic({ name: topics[0] })
    await write(suite.writer, topics[0], 3, { from: 100 })
    await until(() => found.length === 13)
    expect(found.slice(10)).toEqual([100, 101, 102].map((it) => `${topics[0]} value ${it}`))
    await write(suite.writer, topics[1], 1, { from: 5 })
    await until(() => found.length === 14)
    await consumer.close()
    await reading
  })
})

test('a commit that is refused is thrown where the program committed, and nowhere else', async () => {
  await using client = NODE.connect(suite.broker.url)
  const topic = await newTopic(suite.writer)
  await write(suite.writer, topic, 10)
  const group = newGroup()
  const journal = new Journal()
  const consumer = client.consumer({ group, topics: [topic], autoCommit: false, ...journal.hooks })
  const errors: unknown[] = []
  const reading = consume(consumer, journal, async (record) => {
    if (record.offset === 2) await consumer.commit(record)
    if (record.offset !== 5 || errors.length > 0) return
    await throwOut(client, group)
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
