/** How a loop or a run is ended: from within, from outside, while it is still joining; and what is done then. */

import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Consumer, ReadRecord, RevokedPlace } from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { committedOf, consume, GroupSuite, Journal, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

/** Longer than any test: who waited for itself so long would fail it. */
const FOR_EVER_MS = 10_000_000

async function membersOf(group: string): Promise<number> {
  try {
    return (await suite.writer.admin.describeGroup(group)).members.length
  } catch {
    return 0
  }
}

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test('stop() within a loop ends it at its next step, and the record in hand is done', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs: FOR_EVER_MS })
    const journal = new Journal()
    await consume(consumer, journal, ({ offset }) => {
      if (offset === 5) consumer.stop()
    })
    expect(journal.records.at(-1)).toBe('0/5')
    expect(await committedOf(client, group)).toEqual([6])
    expect(await membersOf(group)).toBe(0)
    for await (const batch of consumer.batches()) {
      expect(batch.fromOffset).toBe(6)
      consumer.stop()
    }
    expect(await committedOf(client, group)).toEqual([10])
    consumer.stop()
    await consumer.close()
  })

  test('stop() within a handler ends the run once everything in hand is done', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 20, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs: FOR_EVER_MS })
    const journal = new Journal()
    await consumer.run({ concurrency: 2 }, async (record) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (record.offset === 3) consumer.stop()
      await new Promise((resolve) => setTimeout(resolve, 5))
      journal.take(record)
    })
    const done = [0, 1].map((it) => journal.records.filter((at) => at.startsWith(`${it}/`)).length)
    expect(Math.max(...done)).toBe(4)
    expect((await committedOf(client, group)).map((it) => it ?? 0)).toEqual(done)
    await consumer.close()
  })

  test('stop() in a hook, and from outside while a loop waits', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 3)
    const group = newGroup()
    const hooked: Consumer = client.consumer({
      group,
      topics: [topic],
      onAssigned: () => hooked.stop(),
    })
    const journal = new Journal()
    await consume(hooked, journal)
    expect(journal.records).toEqual([])
    const consumer = client.consumer({ group, topics: [topic], closeTimeoutMs: FOR_EVER_MS })
    const reading = consume(consumer, journal)
    await until(() => journal.records.length === 3)
    consumer.stop()
    await reading
    expect(await committedOf(client, group)).toEqual([3])
    for (const each of [hooked, consumer]) await each.close()
  })

  test('who is stopped or closed while it joins ends without an error', async () => {
    // Takes connections, and never answers.
    const silent = createServer(() => {})
    silent.listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    await using nowhere = connect(`http://127.0.0.1:${port}`)
    for (const end of ['stop', 'close'] as const) {
      for (const isRun of [false, true]) {
        const consumer = nowhere.consumer({ group: 'any', topics: ['any'] })
        const work = isRun ? consumer.run(() => {}) : consume(consumer, new Journal())
        await new Promise((resolve) => setTimeout(resolve, 50))
        const ended = consumer[end]()
        await Promise.all([work, ended])
        await consumer.close()
      }
    }
    silent.close()
  })

  test('a loop that is left while it joins has left its group', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 3)
    for (const delayMs of [0, 1, 2, 4, 8, 16]) {
      const group = newGroup()
      const consumer = client.consumer({ group, topics: [topic] })
      const loop = consumer[Symbol.asyncIterator]()
      const first = loop.next()
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      await loop.return?.()
      expect(await membersOf(group)).toBe(0)
      const { done } = await first
      expect(done === true || delayMs > 0).toBe(true)
      // It did not come late, either.
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await membersOf(group)).toBe(0)
      await consumer.close()
    }
  })

  test('what ended a loop is what it rejects with, also where a hook fails on the way out', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 3)
    const ending = new AbortController()
    const consumer = client.consumer({
      group: newGroup(),
      topics: [topic],
      signal: ending.signal,
      onRevoked: () => {
        throw new Error('on the way out')
      },
    })
    const reading = consume(consumer, new Journal(), ({ offset }) => {
      if (offset === 2) ending.abort(new Error('the reason'))
    })
    expect(await failure(reading)).toEqual(new Error('the reason'))
    await consumer.close().catch(() => {})
  })

  test('onRevoked may commit, however the loop ends', async () => {
    for (const end of ['break', 'stop', 'close', 'error'] as const) {
      const topic = await newTopic(suite.writer)
      await write(suite.writer, topic, 10)
      const group = newGroup()
      let inHand: ReadRecord | undefined
      const revoked: RevokedPlace[] = []
      const consumer = client.consumer({
        group,
        topics: [topic],
        autoCommit: false,
        onRevoked: async (places) => {
          revoked.push(...places)
          await consumer.commit(inHand!)
        },
      })
      const reading = consume(consumer, new Journal(), (record) => {
        inHand = record
        if (record.offset !== 4) return
        if (end === 'error') throw new Error('on purpose')
        if (end === 'stop') consumer.stop()
        if (end === 'close') void consumer.close()
      })
      if (end === 'error') expect(await failure(reading)).toEqual(new Error('on purpose'))
      else if (end !== 'break') await reading
      else {
        consumer.stop()
        await reading
        for await (const record of consumer) {
          inHand = record
          if (record.offset === 4) break
        }
      }
      expect(revoked.at(-1)?.offset).toBe(end === 'break' || end === 'error' ? 4 : 5)
      expect(await committedOf(client, group)).toEqual([5])
      await consumer.close()
    }
  })
})
