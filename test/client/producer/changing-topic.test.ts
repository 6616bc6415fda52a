/** A topic that changes while records for it are on their way: partitions are added, it is made anew. */

import { expect, test } from 'vitest'
import { connect, SpoolError } from '../../../client/index.ts'
import { ProducerSuite } from './producer-rig.ts'

const suite = ProducerSuite.serve()

/** A thousand times, with a pause now and then so that answers come in between. */
async function* ordinals(count: number): AsyncGenerator<number> {
  for (let ordinal = 0; ordinal < count; ordinal++) {
    if (ordinal % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    yield ordinal
  }
}

async function logOf(topic: string, partitions: number): Promise<number[][]> {
  const logs = []
  for (let partition = 0; partition < partitions; partition++) {
    logs.push((await suite.values(topic, partition)).map(Number))
  }
  return logs
}

test('partitions that are added get their share, and nothing is lost, repeated or out of order', async () => {
  await suite.client.admin.createTopic({ name: 'growing', partitions: 1 })
  await using quick = connect({ url: suite.broker.url, metadataMaxAgeMs: 1 })
  await using producer = quick.producer({ topic: 'growing', batchBytes: 500 })
  const count = 6_000
  const growing = (async () => {
    for (const partitions of [2, 3, 8]) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await suite.client.admin.alterTopic('growing', { partitions })
    }
  })()
  const sending: Promise<unknown>[] = []
  for await (const ordinal of ordinals(count)) {
    const key = ordinal % 2 === 0 ? `k${ordinal % 50}` : null
    sending.push(producer.send({ key, value: `${ordinal}` }))
    if (ordinal % 1_000 === 0) await Promise.all(sending)
  }
  await growing
  // Sent when it has all of them.
  for (let partition = 0; partition < 8; partition++) {
    sending.push(producer.send({ partition, value: `${count + partition}` }))
  }
  await Promise.all(sending)
  const logs = await logOf('growing', 8)
  for (const log of logs) expect(log).toEqual(log.toSorted((a, b) => a - b))
  const all = logs.flat().sort((a, b) => a - b)
  expect(all).toEqual(Array.from({ length: count + 8 }, (_, at) => at))
})

test('a topic that is deleted and made anew: each record has its end, what is there was not refused', async () => {
  const name = 'phoenix'
  await suite.client.admin.createTopic({ name, partitions: 3 })
  await using producer = suite.client.producer({ topic: name, batchBytes: 500 })
  const told: ('acknowledged' | 'refused' | 'unknown')[] = []
  const sending: Promise<void>[] = []
  const changing = (async () => {
    for (const partitions of [1, 3, 2, 3]) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await suite.client.admin.deleteTopic(name)
      await new Promise((resolve) => setTimeout(resolve, 5))
      await suite.client.admin.createTopic({ name, partitions })
    }
  })()
  let isChanging = true
  void changing.finally(() => {
    isChanging = false
  })
  let count = 0
  for (; isChanging; count++) {
    const ordinal = count
    const sent = producer.send({ value: `${ordinal}` }).then(
      () => {
        told[ordinal] = 'acknowledged'
      },
      (error) => {
        expect(error).toBeInstanceOf(SpoolError)
        told[ordinal] = error.outcome
      },
    )
    sending.push(sent)
    if (ordinal % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (ordinal % 500 === 0) await Promise.all(sending)
  }
  await changing
  await Promise.all(sending)
  // What failed last may still have to be asked about.
  await producer.send({ value: `${count}` }).catch(() => {})
  expect(await producer.send({ value: `${count + 1}` })).toMatchObject({ topic: name })
  told[count] = 'unknown'
  told[count + 1] = 'acknowledged'
  const logs = await logOf(name, 3)
  for (const log of logs) {
    expect(log).toEqual([...new Set(log)].sort((a, b) => a - b))
    expect(log.filter((ordinal) => told[ordinal] === 'refused')).toEqual([])
  }
  const there = new Set(logs.flat())
  expect(there.has(count + 1)).toBe(true)
  // Nothing that was acknowledged by this topic is missing: it has all from its first on, but for failures.
  const first = Math.min(...there)
  const missing = told.flatMap((fate, ordinal) =>
    fate === 'acknowledged' && ordinal > first && !there.has(ordinal) ? [ordinal] : [],
  )
  expect(missing).toEqual([])
})
