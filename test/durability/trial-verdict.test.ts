/** The judge of the kill trial is not blind: each kind of broken promise, made up, is found. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBroker, type TestBroker } from '../../broker/testing.ts'
import { SeededRandom } from '../rigs/random.ts'
import { Address } from './kill-trial.ts'
import { IdempotentProducer, PlainProducer, type TrialProducer } from './trial-producers.ts'
import { compareLogs } from './trial-verdict.ts'

const TOPIC = 'judged'
let broker: TestBroker
beforeAll(async () => {
  broker = await startBroker()
})
afterAll(() => broker[Symbol.asyncDispose]())

/** Two producers that wrote for a moment into a topic of their own, and kept their promises. */
async function honestRun(name: string): Promise<TrialProducer[]> {
  const created = await fetch(`${broker.url}/v1/topics/${TOPIC}-${name}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"partitions":1}',
  })
  expect(created.status).toBe(201)
  const address = new Address()
  address.isUp(broker.url)
  const producers = [PlainProducer, IdempotentProducer].map(
    (Kind, index) =>
      new Kind({
        index,
        topic: `${TOPIC}-${name}`,
        partition: 0,
        address,
        durability: 'flushed',
        random: new SeededRandom(index),
      }),
  )
  const work = producers.map((producer) => producer.run())
  await new Promise((resolve) => setTimeout(resolve, 100))
  for (const producer of producers) producer.finish()
  await Promise.all(work)
  return producers
}

const judge = (name: string, producers: readonly TrialProducer[]) =>
  compareLogs(broker.url, `${TOPIC}-${name}`, 1, producers)

test('kept promises are no problem', async () => {
  const producers = await honestRun('honest')
  const verdict = await judge('honest', producers)
  expect(verdict.problems).toEqual([])
  expect(verdict.acknowledged).toBeGreaterThan(0)
  expect(verdict.found).toBe(verdict.acknowledged)
})

test('a record that was acknowledged and is not there, or elsewhere', async () => {
  const producers = await honestRun('lost')
  producers[0]?.acknowledged.set('p0:999999:', 7)
  const [value = ''] = producers[1]?.acknowledged.keys() ?? []
  producers[1]?.acknowledged.set(value, 1_000_000)
  const verdict = await judge('lost', producers)
  expect(verdict.lost).toBe(2)
  expect(verdict.problems.map((problem) => problem.split(':')[0])).toEqual(['lost', 'lost'])
})

test('a record twice, and one that nobody sent', async () => {
  const producers = await honestRun('twice')
  const [value = ''] = producers[1]?.sent ?? []
  for (const extra of [value, 'p1:never-sent']) {
    const url = `${broker.url}/v1/topics/${TOPIC}-twice/records`
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ value: extra })
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200)
  }
  const verdict = await judge('twice', producers)
  expect(verdict.duplicated).toBe(1)
  const kinds = verdict.problems.map((problem) => problem.split(':')[0])
  expect(kinds).toEqual(expect.arrayContaining(['duplicated', 'unexpected', 'disorder']))
})

test('a run in which nothing was acknowledged proves nothing', async () => {
  const producers = await honestRun('silent')
  for (const producer of producers) producer.acknowledged.clear()
  expect((await judge('silent', producers)).problems.at(-1)).toContain('proves nothing')
})
