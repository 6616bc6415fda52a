/** A broker that stops and comes back: members wait for it, and take nothing for theirs that may be another's by now. */

import { describe, expect, test } from 'vitest'
import { DOORS, NODE, newTopic, until, write } from '../reader/doors.ts'
import { allOf, committedOf, consume, Journal, newGroup, startGroupBroker } from './group-rig.ts'

describe.each(DOORS)('over $name', ({ connect }) => {
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
