/**
 * Many records that wait for room in the buffer, and many under one signal: each costs the same, however
 * many there are, and each has its end. (What takes time in the square of their number takes longer than a
 * test may.)
 */

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../../broker/testing.ts'
import { type Client, connect, type Producer, type ProducerOptions } from '../../../client/index.ts'
import { AbortListeners } from '../../../client/producer/abort-listeners.ts'
import { Fifo } from '../../../client/producer/fifo.ts'
import { SeededRandom } from '../../rigs/random.ts'

let broker: TestBroker
let client: Client
let topics = 0

beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})

afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

async function newProducer(options: ProducerOptions): Promise<Producer> {
  const topic = `topic-${topics++}`
  await client.admin.createTopic({ name: topic, partitions: 1 })
  return client.producer({ topic, ...options })
}

const PATIENCE_MS = 120_000

describe('many records that nobody waits for', () => {
  test(
    'in a buffer that holds a hundredth of them go in order',
    async () => {
      const producer = await newProducer({ bufferBytesMax: 100_000 })
      const calls = Array.from({ length: 100_000 }, (_, at) =>
        producer.send({ value: `${at}`.padEnd(100) }),
      )
      const sent = await Promise.all(calls)
      expect(sent.every(({ offset }, at) => offset === at)).toBe(true)
      await producer.close()
    },
    PATIENCE_MS,
  )

  test(
    'under one signal are sent, and none of its listeners is left',
    async () => {
      const producer = await newProducer({ bufferBytesMax: 5_000_000 })
      const signal = new CountingSignal()
      const calls = Array.from({ length: 100_000 }, () =>
        producer.send({ value: 'v'.repeat(100) }, { signal: signal.signal }),
      )
      expect(signal.count).toBe(1)
      await Promise.all(calls)
      expect(signal.count).toBe(0)
      await producer.close()
    },
    PATIENCE_MS,
  )

  test.each<[string, ProducerOptions, (producer: Producer, stop: AbortController) => unknown]>([
    ['its signal', {}, (_, stop) => stop.abort(new Error('enough'))],
    ['the producer', {}, (producer) => producer.close()],
    ['its time', { deliveryTimeoutMs: 1_000 }, () => {}],
  ])(
    'that find no room end with %s',
    async (_, options, end) => {
      // It takes connections, and says nothing.
      const server = createServer(() => {}).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const own = connect(`http://127.0.0.1:${port}`)
      const producer = own.producer({
        topic: 'any',
        bufferBytesMax: 1_000,
        closeTimeoutMs: 0,
        ...options,
      })
      const stop = new AbortController()
      const { signal } = stop
      const calls = Array.from({ length: 50_000 }, () =>
        producer.send({ value: 'v'.repeat(1_000) }, { signal }),
      )
      const ended = Promise.allSettled(calls)
      await new Promise((resolve) => setTimeout(resolve, 10))
      void end(producer, stop)
      expect((await ended).every(({ status }) => status === 'rejected')).toBe(true)
      await producer.close()
      expect(producer.bufferedBytes).toBe(0)
      await own.close()
      server.close()
    },
    PATIENCE_MS,
  )
})

/** A signal that says how many listen to it. */
class CountingSignal {
  readonly signal = new AbortController().signal
  count = 0

  constructor() {
    const { signal } = this
    const [add, remove] = [signal.addEventListener, signal.removeEventListener]
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      this.count += 1
      add.apply(signal, given)
    }
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      this.count -= 1
      remove.apply(signal, given)
    }
  }
}

test('a signal is heard by all who still listen, once', () => {
  const listeners = new AbortListeners()
  const [one, other] = [new AbortController(), new AbortController()]
  const heard: string[] = []
  listeners.add(one.signal, () => heard.push('a'))
  const takeBack = listeners.add(one.signal, () => heard.push('b'))
  listeners.add(other.signal, () => heard.push('c'))
  listeners.add(one.signal, () => {
    heard.push('d')
    takeBackLate()
  })
  const takeBackLate = listeners.add(one.signal, () => heard.push('e'))
  takeBack()
  one.abort()
  takeBack()
  expect(heard).toEqual(['a', 'd'])
  other.abort()
  expect(heard).toEqual(['a', 'd', 'c'])
})

test('a queue gives what it was given, in order', () => {
  const random = new SeededRandom(3)
  const queue = new Fifo<number>()
  let [given, taken] = [0, 0]
  for (let step = 0; step < 50_000; step++) {
    // Now and then much more is given than taken, and the other way round.
    if (random.next() < (step % 10_000 < 5_000 ? 0.7 : 0.3)) queue.push(given++)
    else {
      expect(queue.first).toBe(taken < given ? taken : undefined)
      expect(queue.shift()).toBe(taken < given ? taken++ : undefined)
    }
    expect(queue.length).toBe(given - taken)
  }
})
