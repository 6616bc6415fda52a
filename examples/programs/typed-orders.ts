/** A topic whose values have a schema: wrong ones are refused before they are sent. */

import { connect, json, SpoolError, string } from 'spool'
import * as z from 'zod'

const Order = z.object({
  id: z.number().int(),
  cents: z.number().int().nonnegative(),
  placedAt: z.iso.datetime(),
})

await using client = connect()
await client.admin.ensureTopic({ name: 'typed-orders', partitions: 2 })
await using producer = client.producer({ topic: 'typed-orders', key: string, value: json(Order) })

const { partition, offset } = await producer.send({
  key: 'ada',
  value: { id: 1, cents: 250, placedAt: new Date().toISOString() },
})
console.log(`stored as offset ${offset} of partition ${partition}`)

try {
  await producer.send({ key: 'ada', value: { id: 2, cents: -1, placedAt: 'yesterday' } })
} catch (error) {
  if (!(error instanceof SpoolError)) throw error
  console.log(`${error.code}: ${error.message}`)
}

const reader = client.reader('typed-orders', { key: string, value: json(Order), until: 'latest' })
for await (const { key, value } of reader) {
  // `value` has the type of the schema, and has passed it.
  console.log(`${key} spent ${value?.cents} cents`)
}
