/** What a consumer's hooks may do: hold up what they are told of, and end the loop. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { consume, GroupSuite, gate, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('a hook is waited for: before records come, and before a partition goes', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
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

  test('what a hook throws ends the loop, and the consumer leaves', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 3)
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
})
