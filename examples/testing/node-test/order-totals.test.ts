/** The service against a real broker, with node:test. */

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, connect } from 'spool'
import { startBroker, type TestBroker } from 'spool/testing'
import { placeOrder, totals } from '../order-totals.ts'

let broker: TestBroker
let client: Client

before(async () => {
  broker = await startBroker()
  client = connect(broker.url)
})

after(async () => {
  await client.close()
  await broker[Symbol.asyncDispose]()
})

test('orders add up per customer', async () => {
  await client.admin.createTopic({ name: 'orders', partitions: 3 })
  await placeOrder(client, 'orders', 'ada', { cents: 250 })
  await placeOrder(client, 'orders', 'bob', { cents: 100 })
  await placeOrder(client, 'orders', 'ada', { cents: 1 })
  assert.deepEqual([...(await totals(client, 'orders'))].sort(), [
    ['ada', 251],
    ['bob', 100],
  ])
})

test('a topic that is not there is an error with a code', async () => {
  await assert.rejects(totals(client, 'no-such-topic'), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})
