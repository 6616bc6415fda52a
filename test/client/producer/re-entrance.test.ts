/** Programs whose own code, called while a record is given, gives the same producer another. */

import { expect, test } from 'vitest'
import { connect, type Producer, string } from '../../../client/index.ts'
import { StandInBroker, TOPIC } from './stand-in-broker.ts'

test('a serde that gives a record of its own changes nothing of the one it is asked for', async () => {
  await using broker = await StandInBroker.start()
  await using client = connect(broker.url)
  let isInside = false
  const inside = () => {
    if (isInside) return
    isInside = true
    producer.enqueue({ key: 'inner key', value: 'inner', headers: { inner: '1' }, timestamp: 1 })
    isInside = false
  }
  const serialize = (value: string) => {
    inside()
    return string.serialize(value)
  }
  const producer: Producer<string, string> = client.producer({
    topic: TOPIC,
    key: { serialize },
    value: { serialize },
  })
  const headers = (function* () {
    inside()
    yield ['outer', '2'] as const
  })()
  producer.enqueue({ key: 'outer key', value: 'outer', headers, timestamp: 2 })
  await producer.close()
  const records = broker.received.flatMap(({ records }) => records)
  expect(records.filter(({ value }) => value === 'outer')).toEqual([
    { key: 'outer key', value: 'outer', headers: ['outer'], timestamp: 2 },
  ])
  expect(records.filter(({ value }) => value === 'inner')).toHaveLength(3)
})

test('what hears of a delivery may give the next record, or close the producer', async () => {
  await using broker = await StandInBroker.start()
  await using client = connect(broker.url)
  let left = 20
  const producer: Producer = client.producer({
    topic: TOPIC,
    onDelivery: () => {
      left -= 1
      if (left > 0) producer.enqueue({ value: `${left}` })
      else void producer.close()
    },
  })
  producer.enqueue({ value: 'first' })
  await expect.poll(() => left).toBe(0)
  await producer.close()
  expect(broker.received.flatMap(({ values }) => values)).toHaveLength(20)
})

test('a serde that gives anything but bytes fails its record alone', async () => {
  await using broker = await StandInBroker.start()
  await using client = connect(broker.url)
  for (const wrong of ['text', undefined, [1, 2], 7]) {
    const producer = client.producer({ topic: TOPIC, value: { serialize: () => wrong as never } })
    expect(() => producer.enqueue({ value: 'x' })).toThrow('not a Uint8Array')
    expect(() => producer.enqueue({ key: 'k', value: null })).not.toThrow()
    await producer.close()
  }
  expect(broker.received.flatMap(({ records }) => records)).toHaveLength(4)
})
