/** Every line of a file becomes a record of the topic `lines`: `node produce.ts FILE` */

import { open } from 'node:fs/promises'
import { connect, string } from 'spool'

const path = process.argv[2]
if (path === undefined) throw new Error('say which file: node produce.ts FILE')

await using client = connect()
await client.admin.ensureTopic({ name: 'lines' })

let acknowledged = 0
await using producer = client.producer({
  topic: 'lines',
  value: string,
  // Once per batch, not once per record.
  onDelivery(delivery) {
    if (delivery.error !== undefined) console.error(`not stored: ${delivery.error.message}`)
    else acknowledged += delivery.recordCount
  },
})

await using file = await open(path)
for await (const line of file.readLines()) {
  // Full: what is under way must be stored before more is taken. That is all the backpressure there is.
  if (!producer.enqueue({ value: line })) await producer.room()
}
await producer.flush()
console.log(`${acknowledged} records are on the broker's disk`)
