/**
 * Producers that go on where another stopped: against a model of everything that may happen on the way,
 * and against a real broker.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../../broker/testing.ts'
import { SpoolError } from '../../../client/api/errors.ts'
import { connect, type Delivery, string } from '../../../client/index.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { ContinuedModel, EVENT } from './continued-model.ts'

const RUNS = Number(process.env.RUNS ?? 2_000)
const RECORDS = 120

function modelOf(events: readonly Parameters<ContinuedModel['do']>[0][], seed: number) {
  const model = new ContinuedModel(new SeededRandom(seed), RECORDS)
  for (const event of events) model.do(event)
  model.finish()
  return model
}

describe('an upload that goes on', () => {
  test('appends each record once, in order, however often it is killed and whatever arrives late', () => {
    const events = fc.array(EVENT, { maxLength: 250, size: 'max' })
    fc.assert(
      fc.property(events, fc.nat(), (actions, seed) => {
        expect(modelOf(actions, seed).problems()).toEqual([])
      }),
      { numRuns: RUNS },
    )
  })

  test('the model is hard enough: kills, repeats, gaps and strays happen often', () => {
    const seen = { lives: 0, repeats: 0, gaps: 0, strays: 0 }
    const runs = fc.sample(fc.array(EVENT, { minLength: 150, maxLength: 250 }), 300)
    for (const [seed, events] of runs.entries()) {
      const model = modelOf(events, seed)
      for (const word of Object.keys(seen) as (keyof typeof seen)[]) seen[word] += model.seen[word]
    }
    for (const [word, count] of Object.entries(seen))
      expect([word, count > 50]).toEqual([word, true])
  })
})

describe('against a broker', () => {
  async function begun() {
    const broker = await startBroker()
    const client = connect(broker.url)
    const { topicId } = await client.admin.createTopic({ name: 'orders', partitions: 2 })
    const identity = await client.admin.createProducer()
    const deliveries: Delivery[] = []
    const open = (sequences: Record<number, number>) =>
      client.producer({
        topic: 'orders',
        value: string,
        continues: { topicId, ...identity, sequences },
        onDelivery: (delivery) => deliveries.push(delivery),
      })
    const values = async () => {
      const found: string[] = []
      for await (const record of client.reader('orders', { value: string, until: 'latest' })) {
        found.push(`${record.partition}:${record.value}`)
      }
      return found.sort()
    }
    return {
      client,
      deliveries,
      open,
      values,
      topicId,
      async [Symbol.asyncDispose]() {
        await client.close()
        await broker[Symbol.asyncDispose]()
      },
    }
  }

  test('goes on with the numbers it is given, in each partition its own', async () => {
    await using setup = await begun()
    const first = setup.open({})
    for (const value of ['a', 'b', 'c']) first.enqueue({ value, partition: 0 })
    first.enqueue({ value: 'd', partition: 1 })
    await first.close()
    const second = setup.open({ 0: 3, 1: 1 })
    second.enqueue({ value: 'e', partition: 0 })
    second.enqueue({ value: 'f', partition: 1 })
    await second.close()
    expect(await setup.values()).toEqual(['0:a', '0:b', '0:c', '0:e', '1:d', '1:f'])
  })

  test('a batch that is there already is known; other numbers are refused, and all behind them', async () => {
    await using setup = await begun()
    const first = setup.open({})
    for (const value of ['a', 'b']) first.enqueue({ value, partition: 0 })
    await first.close()
    const again = setup.open({})
    for (const value of ['a', 'b']) again.enqueue({ value, partition: 0 })
    await again.close()
    expect(setup.deliveries.at(-1)).toMatchObject({
      duplicate: true,
      baseOffset: 0,
      recordCount: 2,
    })
    for (const sequence of [1, 3]) {
      const wrong = setup.open({ 0: sequence })
      wrong.enqueue({ value: 'x', partition: 0 })
      await wrong.flush()
      expect(setup.deliveries.at(-1)?.error).toMatchObject({
        code: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
        outcome: 'unknown',
      })
      wrong.enqueue({ value: 'y', partition: 0 })
      wrong.enqueue({ value: 'z', partition: 1 })
      await wrong.flush()
      const behind = setup.deliveries.slice(-2).find(({ partition }) => partition === 0)
      expect(behind?.error).toMatchObject({ outcome: 'refused' })
      await wrong.close()
    }
    // In the other partition nothing was wrong; its first number was taken once.
    expect(await setup.values()).toEqual(['0:a', '0:b', '1:z'])
  })

  test('a record that is too large takes all behind it along: no number passes to another record', async () => {
    await using setup = await begun()
    await setup.client.admin.alterTopic('orders', { config: { 'max.message.bytes': 2_000 } })
    const producer = setup.open({})
    producer.enqueue({ value: 'a', partition: 0 })
    await producer.flush()
    const noise = new SeededRandom(1).bytes(9_000).toString('base64')
    producer.enqueue({ value: noise, partition: 0 })
    producer.enqueue({ value: 'b', partition: 0 })
    await producer.flush()
    const errors = setup.deliveries.map(({ error }) => error?.code)
    expect(errors).toEqual([undefined, 'MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE'])
    expect(await setup.values()).toEqual(['0:a'])
  })

  test('nothing goes to a topic made anew under the name', async () => {
    await using setup = await begun()
    const producer = setup.open({})
    producer.enqueue({ value: 'a', partition: 0 })
    await producer.flush()
    await setup.client.admin.deleteTopic('orders')
    await setup.client.admin.createTopic({ name: 'orders', partitions: 2 })
    producer.enqueue({ value: 'b', partition: 0 })
    await producer.flush()
    expect(setup.deliveries.at(-1)?.error).toBeInstanceOf(SpoolError)
    const told = setup.deliveries.length
    const { code } = await (async () => {
      try {
        producer.enqueue({ value: 'c', partition: 1 })
      } catch (error) {
        return error as SpoolError
      }
      await producer.flush()
      return setup.deliveries.slice(told)[0]?.error as SpoolError
    })()
    expect(code).toBe('INCONSISTENT_TOPIC_ID')
    expect(await setup.values()).toEqual([])
  })

  test('what is no continuation is refused when the producer is made', async () => {
    await using client = connect('http://127.0.0.1:1')
    const right = { topicId: 't', producerId: 1, producerEpoch: 0, sequences: {} }
    const wrong = [
      { continues: { ...right, producerId: -1 } },
      { continues: { ...right, producerEpoch: 40_000 } },
      { continues: { ...right, sequences: { 0: 2 ** 31 } } },
      { continues: right, idempotent: false },
      { continues: right, acks: 0 as const },
    ]
    for (const options of wrong) {
      expect(() => client.producer(options)).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG' }),
      )
    }
  })
})
