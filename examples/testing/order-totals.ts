/** What each customer spent, from the records of a topic; the little service that the tests are about. */

import { type Client, json, string } from 'spool'

export interface Order {
  readonly cents: number
}

/** Orders are kept by customer: the key of a record is the customer, a tombstone takes nothing back. */
export async function placeOrder(
  client: Client,
  topic: string,
  customer: string,
  order: Order,
): Promise<number> {
  await using producer = client.producer({ topic, key: string, value: json<Order>() })
  const { offset } = await producer.send({ key: customer, value: order })
  return offset
}

/** Reads the topic as it is now, from its beginning. */
export async function totals(client: Client, topic: string): Promise<Map<string, number>> {
  const spent = new Map<string, number>()
  const orders = client.reader(topic, { key: string, value: json<Order>(), until: 'latest' })
  for await (const { key, value } of orders) {
    if (key === null || value === null) continue
    spent.set(key, (spent.get(key) ?? 0) + value.cents)
  }
  return spent
}
