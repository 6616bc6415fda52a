/** Ends readers in several ways and comes to its own end without `process.exit`, as a program should. */

import { connect } from '../../../client/index.ts'

const [url, topic] = process.argv.slice(2)
const said: string[] = []
const client = connect(url!)
const longWait = {
  from: 'latest',
  maxWaitMs: 30_000,
  until: new Date(Date.now() + 3_600_000),
} as const

for await (const _ of client.reader(topic!, { maxWaitMs: 30_000 })) {
  said.push('broken off')
  break
}
try {
  for await (const _ of client.reader(topic!, { ...longWait, signal: AbortSignal.timeout(300) }));
} catch {
  said.push('aborted')
}
const loop = client.reader(topic!, longWait)[Symbol.asyncIterator]()
const waiting = loop.next()
setTimeout(() => void client.close(), 300)
if ((await waiting).done === true) said.push('closed')
console.log(said.join(', '))
