/** `run` and `runBatches`: order, concurrency, what happens when a handler throws, and how a run ends. Dead letters: `dead-letters.test.ts`. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, type ReadRecord, type RunOptions, SpoolError } from '../../../client/index.ts'
import { DOORS, failure, newTopic, until, write } from '../reader/doors.ts'
import { allOf, committedOf, GroupSuite, Journal, moment, newGroup } from './group-rig.ts'

const suite = GroupSuite.serve()

/** How many are under way, and of which partition. */
class Watch {
  readonly inHand = new Map<number, number>()
  most = 0
  #wrongOrders = 0
  readonly #last = new Map<number, number>()

  async over({ partition, offset }: ReadRecord, work: () => unknown): Promise<void> {
    const before = this.inHand.get(partition) ?? 0
    const isNext = offset === (this.#last.get(partition) ?? -1) + 1
    if (before > 0 || !isNext) this.#wrongOrders++
    this.#last.set(partition, offset)
    this.inHand.set(partition, before + 1)
    this.most = Math.max(this.most, [...this.inHand.values()].filter((it) => it > 0).length)
    await work()
    this.inHand.set(partition, this.inHand.get(partition)! - 1)
  }

  get wrongOrders(): number {
    return this.#wrongOrders
  }
}

describe.each(DOORS)('over $name', ({ connect }) => {
  let client: Client
  beforeAll(() => {
    client = connect(suite.broker.url)
  })
  afterAll(() => client.close())

  test.each([1, 3, 10])('with concurrency %i, each partition in order', async (concurrency) => {
    const topic = await newTopic(suite.writer, 6)
    await write(suite.writer, topic, 300, { partitions: 6 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const watch = new Watch()
    const journal = new Journal()
    const running = consumer.run({ concurrency }, (record) =>
      watch.over(record, async () => {
        await moment(record.offset % 3)
        journal.take(record)
      }),
    )
    await until(() => journal.records.length === 300)
    await consumer.close()
    await running
    expect(watch.wrongOrders).toBe(0)
    expect(watch.most).toBe(Math.min(concurrency, 6))
    expect(journal.records.sort()).toEqual(allOf(6, 50).sort())
    expect(await committedOf(client, group)).toEqual(Array(6).fill(50))
  })

  test('a partition that hangs holds up no other, also where more of it comes than may wait', async () => {
    const topic = await newTopic(suite.writer, 3)
    const value = 'x'.repeat(10_000)
    await using producer = suite.writer.producer({ topic, batchBytes: 20_000 })
    for (let at = 0; at < 100; at++) {
      await producer.sendMany([0, 1, 2].map((partition) => ({ partition, value })))
    }
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic], prefetchBytes: 60_000 })
    const journal = new Journal()
    const { promise: goOn, resolve: open } = Promise.withResolvers<void>()
    const running = consumer.run({ concurrency: 3 }, async (record) => {
      if (record.partition === 1 && record.offset === 7) await goOn
      journal.take(record)
    })
    await until(() => journal.records.length === 207)
    await moment(100)
    expect(journal.records).toHaveLength(207)
    open()
    await until(() => journal.records.length === 300)
    expect(journal.records.filter((it) => it.startsWith('1/'))).toEqual(
      Array.from({ length: 100 }, (_, offset) => `1/${offset}`),
    )
    await consumer.close()
    await running
  })

  test('a handler that throws is called again, after a while, until it does not', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 10)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const calls: string[] = []
    const times: number[] = []
    const running = consumer.run(
      { retry: { attempts: 4, backoffMs: 50 } },
      ({ offset }, { attempt }) => {
        calls.push(`${offset}, ${attempt}`)
        if (offset !== 3 || attempt === 4) return
        times.push(performance.now())
        throw new Error('not yet')
      },
    )
    await until(() => calls.length === 13)
    await consumer.close()
    await running
    expect(calls.slice(2, 8)).toEqual(['2, 1', '3, 1', '3, 2', '3, 3', '3, 4', '4, 1'])
    // Half of the step at least: 50, then 100.
    expect(times[1]! - times[0]!).toBeGreaterThan(20)
    expect(times[2]! - times[1]!).toBeGreaterThan(45)
    expect(await committedOf(client, group)).toEqual([10])
  })

  test.each<[string, RunOptions, number]>([
    ['at once', {}, 1],
    ['after its attempts', { retry: { attempts: 3, backoffMs: 1 } }, 3],
    ['when another is not worth it', { retry: { isWorthIt: () => false } }, 1],
  ])('without dead letters the run ends with what was thrown, %s', async (_, options, attempts) => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 40, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    let calls = 0
    const running = consumer.run(options, ({ partition, offset }) => {
      if (partition !== 1 || offset !== 5) return
      calls++
      throw new Error('never')
    })
    expect(await failure(running)).toEqual(new Error('never'))
    expect(calls).toBe(attempts)
    expect((await committedOf(client, group)).at(-1)).toBe(5)
    expect(await client.admin.describeGroup(group)).toMatchObject({ members: [] })
    // The next run begins with it.
    let first: number | undefined
    const again = consumer.run((record) => {
      if (record.partition === 1) first ??= record.offset
    })
    await until(() => first !== undefined)
    await consumer.close()
    await again
    expect(first).toBe(5)
  })

  test('batches are done as a whole, attempted again as a whole, and dead as a whole', async () => {
    const topic = await newTopic(suite.writer, 2)
    await write(suite.writer, topic, 200, { partitions: 2 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const journal = new Journal()
    const poison = (offset: number) => offset === 42
    const tries = new Map<string, number>()
    let deadCount = 0
    const running = consumer.runBatches(
      { concurrency: 2, retry: { attempts: 2, backoffMs: 1 }, deadLetter: true },
      (batch) => {
        const records = [...batch]
        if (!records.some(({ offset }) => poison(offset))) {
          for (const record of records) journal.take(record)
          return
        }
        const name = `${batch.partition}`
        tries.set(name, (tries.get(name) ?? 0) + 1)
        if (tries.get(name) === 2) deadCount += records.length
        throw new Error('one of them is bad')
      },
    )
    await until(() => journal.records.length + deadCount === 200 && tries.size === 2)
    await consumer.close()
    await running
    expect([...tries.values()]).toEqual([2, 2])
    const dead = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
    const places = dead.map(({ headers }) => {
      const of = new Map(headers as [string, string][])
      return `${of.get('spool-dlq-partition')}/${of.get('spool-dlq-offset')}`
    })
    expect([...journal.records, ...places].sort()).toEqual(allOf(2, 100).sort())
    expect(await committedOf(client, group)).toEqual([100, 100])
  })

  test('a partition that is asked back while its record is attempted again goes at once', async () => {
    const topic = await newTopic(suite.writer, 2)
    await using producer = suite.writer.producer({ topic })
    for (let at = 0; at < 5; at++) await producer.send({ value: `${at}`, partition: 1 })
    const group = newGroup()
    const first = client.consumer({ group, topics: [topic] })
    let attempts = 0
    const running = first.run({ retry: { attempts: 99, backoffMs: 600_000 } }, ({ offset }) => {
      if (offset !== 2) return
      attempts++
      throw new Error('not here')
    })
    await until(() => attempts === 1)
    const second = client.consumer({ group, topics: [topic] })
    const found: number[] = []
    const other = second.run(({ offset }) => {
      found.push(offset)
    })
    await until(() => found.length === 3)
    expect(found).toEqual([2, 3, 4])
    expect(attempts).toBe(1)
    for (const consumer of [first, second]) await consumer.close()
    await Promise.all([running, other])
  })

  test('a handler that takes too long hears that its partition is somebody else’s', async () => {
    const topic = await newTopic(suite.writer, 2)
    await using producer = suite.writer.producer({ topic })
    for (let at = 0; at < 3; at++) await producer.send({ value: `${at}`, partition: 1 })
    const group = newGroup()
    const journal = new Journal()
    const options = { group, topics: [topic], rebalanceTimeoutMs: 1_500 }
    const first = client.consumer({ ...options, ...journal.hooks })
    let isAborted = false
    let isInHand = false
    const running = first.run(async (_, { signal }) => {
      isInHand = true
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      isAborted = true
    })
    await until(() => isInHand)
    const second = client.consumer(options)
    const found: number[] = []
    const other = second.run(({ offset }) => {
      found.push(offset)
    })
    await until(() => found.length === 3)
    await until(() => isAborted)
    expect(journal.losses).toMatchObject([{ error: { code: 'REBALANCE_IN_PROGRESS' } }])
    for (const consumer of [first, second]) await consumer.close()
    await Promise.all([running, other])
    expect(await committedOf(client, group)).toContain(3)
  })

  test('pause, seek and reset while handlers work: never two of a partition at a time', async () => {
    const topic = await newTopic(suite.writer, 3)
    await write(suite.writer, topic, 300, { partitions: 3 })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const inHand = new Map<number, number>()
    let overlaps = 0
    const seen = new Map<number, Set<number>>([0, 1, 2].map((it) => [it, new Set()]))
    const running = consumer.run({ concurrency: 3 }, async ({ partition, offset }) => {
      const before = inHand.get(partition) ?? 0
      if (before > 0) overlaps++
      inHand.set(partition, before + 1)
      await moment(offset % 2)
      inHand.set(partition, inHand.get(partition)! - 1)
      seen.get(partition)!.add(offset)
    })
    const reached = (count: number) =>
      until(() => [...seen.values()].every((it) => it.size >= count))
    await reached(10)
    for (let round = 0; round < 10; round++) {
      const partition = round % 3
      consumer.pause([{ topic, partition }])
      await moment(10)
      await consumer.seek(topic, partition, round)
      consumer.resume([{ topic, partition }])
    }
    await client.admin.resetGroupOffsets(group, { to: 'earliest' })
    await moment(100)
    for (const it of seen.values()) it.clear()
    await client.admin.resetGroupOffsets(group, { to: 'earliest' })
    await reached(100)
    expect(overlaps).toBe(0)
    await consumer.close()
    await running
    expect(await committedOf(client, group)).toEqual([100, 100, 100])
  })

  test('closing waits for handlers, for a while, and a signal ends a run with its reason', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 5)
    const group = newGroup()
    const stop = new AbortController()
    const consumer = client.consumer({ group, topics: [topic], signal: stop.signal })
    let done = 0
    const running = consumer.run(async ({ offset }) => {
      if (offset === 2) stop.abort('enough')
      await moment(20)
      done++
    })
    expect(await failure(running)).toBe('enough')
    expect(done).toBe(3)
    expect(await committedOf(client, group)).toEqual([3])

    const slow = client.consumer({ group, topics: [topic], closeTimeoutMs: 100 })
    let isAborted = false
    const hanging = slow.run(async (_, { signal }) => {
      await slow.close()
      isAborted = signal.aborted
    })
    await hanging
    await until(() => isAborted)
    expect(await committedOf(client, group)).toEqual([3])
    expect(await failure(slow.run(() => {}))).toMatchObject({ code: 'CLIENT_CLOSED' })
  })

  test('what is not right is told before anything is asked', async () => {
    const consumer = client.consumer({ group: 'unused', topics: ['unused'] })
    const wrong: [RunOptions, string][] = [
      [{ concurrency: 0 }, 'concurrency'],
      [{ retry: { attempts: 0 } }, 'retry.attempts'],
      [{ retry: { backoffMs: -1 } }, 'retry.backoffMs'],
      [{ retry: { backoffMs: 10, backoffMsMax: 5 } }, 'retry.backoffMsMax'],
      [{ deadLetter: { topic: '' } }, 'deadLetter.topic'],
      [{ colour: 'red' } as RunOptions, 'colour'],
      [{ retry: { colour: 'red' } } as RunOptions, 'colour'],
    ]
    for (const [options, name] of wrong) {
      const error = (await failure(consumer.run(options, () => {}))) as SpoolError
      expect(error).toBeInstanceOf(SpoolError)
      expect(error.message).toContain(name)
    }
    expect(await failure(consumer.run({}, undefined as never))).toBeInstanceOf(SpoolError)
    await consumer.close()
  })
})
