/** Follows the topic `lines`: `node read.ts [POSITION]`, until Ctrl-C. */

import { connect, string } from 'spool'

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

await using client = connect()
const reader = client.reader('lines', {
  value: string,
  from: process.argv[2] ?? 'latest',
  signal: stop.signal,
})
try {
  for await (const { partition, offset, value } of reader) console.log(partition, offset, value)
} catch (error) {
  if (!stop.signal.aborted) throw error
}
// What a later run gives as `from` to go on here.
console.log('read up to', reader.position())
