/** `run` and `runBatches`: order, concurrency, what happens when a handler throws, and how a run ends. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Client,
  type DeadLetter,
  json,
  type ReadRecord,
  type RunOptions,
  SpoolError,
  string,
} from '../../../client/index.ts'
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

describe.each(DOORS)('over $name', ({ name: door, connect }) => {
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

  test('a record that nobody can work on goes to the dead letters, with all that is known of it', async () => {
    const topic = await newTopic(suite.writer, 2)
    await using producer = suite.writer.producer({ topic })
    const bytes = Uint8Array.of(0, 255, 128)
    for (let at = 0; at < 4; at++) await producer.send({ partition: 1, value: `${at}` })
    await producer.send({
      partition: 1,
      key: bytes,
      value: bytes,
      timestamp: 4_711,
      headers: [
        ['trace', 'a'],
        ['raw', bytes],
        ['nothing', null],
      ],
    })
    for (let at = 5; at < 8; at++) await producer.send({ partition: 1, value: `${at}` })
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const letters: DeadLetter[] = []
    const done: number[] = []
    const running = consumer.run(
      {
        retry: { attempts: 2, backoffMs: 1 },
        deadLetter: { onDeadLetter: (letter) => letters.push(letter) },
      },
      ({ offset }) => {
        if (offset === 4) throw Object.assign(new Error('no room'), { code: 'ENOSPC' })
        done.push(offset)
      },
    )
    await until(() => done.length === 7)
    await consumer.close()
    await running
    expect(done).toEqual([0, 1, 2, 3, 5, 6, 7])
    expect((await committedOf(client, group)).at(-1)).toBe(8)
    expect(letters).toMatchObject([
      { topic, partition: 1, offset: 4, error: { message: 'no room' } },
    ])
    const [dead] = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
    expect(dead).toMatchObject(letters[0]!.to)
    expect([dead!.keyBytes, dead!.valueBytes].map((it) => [...it!])).toEqual([
      [...bytes],
      [...bytes],
    ])
    expect(dead!.headers).toEqual([
      ['trace', 'a'],
      ['raw', bytes],
      ['nothing', null],
      ['spool-dlq-reason', 'failed'],
      ['spool-dlq-topic', topic],
      ['spool-dlq-partition', '1'],
      ['spool-dlq-offset', '4'],
      ['spool-dlq-timestamp', '4711'],
      ['spool-dlq-group', group],
      ['spool-dlq-attempts', '2'],
      ['spool-dlq-error', 'Error: no room'],
      ['spool-dlq-error-code', 'ENOSPC'],
    ])
  })

  test('what a serde can not read is not attempted again', async () => {
    const topic = await newTopic(suite.writer)
    await using producer = suite.writer.producer({ topic, value: string })
    for (const value of ['1', '{', '3']) await producer.send({ value })
    const dead = `unreadable-${door}`
    const consumer = client.consumer({ group: newGroup(), topics: [topic], value: json<number>() })
    const found: number[] = []
    let calls = 0
    const running = consumer.run(
      { retry: { attempts: 5, backoffMs: 60_000 }, deadLetter: { topic: dead } },
      (record) => {
        calls++
        found.push(record.value!)
      },
    )
    await until(() => found.length === 2)
    await consumer.close()
    await running
    expect(calls).toBe(3)
    expect(found).toEqual([1, 3])
    const [letter] = await Array.fromAsync(client.reader(dead, { value: string, until: 'latest' }))
    expect(letter!.value).toBe('{')
    expect(new Map(letter!.headers as [string, string][]).get('spool-dlq-reason')).toBe(
      'unreadable',
    )
  })

  test('without create, a topic for dead letters that is not there ends the run', async () => {
    const topic = await newTopic(suite.writer)
    await write(suite.writer, topic, 2)
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [topic] })
    const running = consumer.run({ deadLetter: { create: false } }, () => {
      throw new Error('never')
    })
    expect(await failure(running)).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
    expect((await committedOf(client, group))[0] ?? 0).toBe(0)
  })

  test('a large record has room among the dead letters, and where it has none it goes without its value', async () => {
    const KIB = 1024
    const large = new Uint8Array(300 * KIB).map(() => Math.random() * 256)
    const name = `large-${door}`
    const limit = { 'max.message.bytes': 9_000 * KIB }
    for (const each of [name, `${name}-2`]) {
      await client.admin.createTopic({ name: each, partitions: 1, config: limit })
    }
    // One is created with what the source takes; one is there, and takes little, or next to nothing.
    await client.admin.createTopic({
      name: `${name}-2.dlq`,
      config: { 'max.message.bytes': 9 * KIB },
    })
    await using producer = client.producer({ compression: 'none' })
    const key = new Uint8Array(10 * KIB)
    const headers = [['trace', 'a']] as const
    for (const topic of [name, `${name}-2`]) {
      await producer.send({ topic, key: 'k', value: large, headers })
      await producer.send({ topic, key: crypto.getRandomValues(key), value: large, headers })
      await producer.send({ topic, key: 'k', value: 'small', headers })
    }
    const group = newGroup()
    const consumer = client.consumer({ group, topics: [name, `${name}-2`] })
    let dead = 0
    const deadLetter = { onDeadLetter: () => ++dead === 6 && consumer.stop() }
    await consumer.run({ deadLetter }, () => {
      throw new Error('poison')
    })
    expect(await committedOf(client, group)).toEqual([3, 3])
    const letters = async (topic: string) => {
      const found = await Array.fromAsync(client.reader(`${topic}.dlq`, { until: 'latest' }))
      return found.map(({ keyBytes, valueBytes, headers }) => {
        const names = headers.map(([name]) => name)
        const sizes = headers.filter(([name]) => name.endsWith('-omitted'))
        const isWhole = names.includes('trace')
        return { key: keyBytes?.length, value: valueBytes?.length, isWhole, sizes }
      })
    }
    expect((await client.admin.describeTopic(`${name}.dlq`)).config['max.message.bytes']).toEqual(
      expect.objectContaining({ value: 9_064 * KIB }),
    )
    const whole = { isWhole: true, sizes: [] }
    expect(await letters(name)).toEqual([
      { key: 1, value: 300 * KIB, ...whole },
      { key: 10 * KIB, value: 300 * KIB, ...whole },
      { key: 1, value: 5, ...whole },
    ])
    const valueOmitted = ['spool-dlq-value-omitted', `${300 * KIB}`]
    const rest = [
      ['spool-dlq-key-omitted', `${10 * KIB}`],
      ['spool-dlq-headers-omitted', '1'],
    ]
    expect(await letters(`${name}-2`)).toEqual([
      { key: 1, value: undefined, isWhole: true, sizes: [valueOmitted] },
      { key: undefined, value: undefined, isWhole: false, sizes: [valueOmitted, ...rest] },
      { key: 1, value: 5, ...whole },
    ])
  })

  test('dead letters that would come back to where they are from end the run, with nothing written', async () => {
    const name = `circle-${door}`
    await client.admin.createTopic({ name, partitions: 1 })
    await write(suite.writer, name, 1)
    const never = () => {
      throw new Error('never')
    }
    const deadLetter = { topic: name }
    const named = client.consumer({ group: newGroup(), topics: ['other', name] })
    const refusal = await failure(named.run({ deadLetter }, never))
    expect(refusal).toMatchObject({ code: 'INVALID_CONFIG' })
    expect((refusal as SpoolError).message).toContain(`other → ${name} → ${name}`)
    const round = { topic: (topic: string) => (topic === 'other' ? name : 'other') }
    expect(await failure(named.run({ deadLetter: round }, never))).toMatchObject({
      code: 'INVALID_CONFIG',
    })
    // Which topics a pattern matches comes out when one of them fails.
    const matching = client.consumer({ group: newGroup(), topicPattern: `circle-${door}` })
    expect(await failure(matching.run({ deadLetter }, never))).toMatchObject({
      code: 'INVALID_CONFIG',
    })
    expect((await client.admin.offsets(name, { at: 'latest' })).partitions[0]!.offset).toBe(1)
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
