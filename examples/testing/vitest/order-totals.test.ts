/** The service against a real broker, with vitest. */

import { type Client, connect, SpoolError } from 'spool'
import { startBroker, type TestBroker } from 'spool/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { placeOrder, totals } from '../order-totals.ts'

let broker: TestBroker
let client: Client

beforeAll(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})

afterAll(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

test('orders add up per customer', async () => {
  await client.admin.createTopic({ name: 'orders', partitions: 3 })
  await placeOrder(client, 'orders', 'ada', { cents: 250 })
  await placeOrder(client, 'orders', 'bob', { cents: 100 })
  await placeOrder(client, 'orders', 'ada', { cents: 1 })
  expect(await totals(client, 'orders')).toEqual(
    new Map([
      ['ada', 251],
      ['bob', 100],
    ]),
  )
})

test('a topic that is not there is an error with a code', async () => {
  const error = await totals(client, 'no-such-topic').catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SpoolError)
  expect(error).toMatchObject({ code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})
