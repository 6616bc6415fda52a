/**
 * Works on the records of the topic `lines`: `node worker.ts [GROUP]`. Start it in several terminals, and
 * each line goes to one of them; start it with another group, and that gets every line as well. Ctrl-C
 * finishes what is in hand, commits and leaves.
 */

import { connect, string } from 'spool'

await using client = connect()
const worker = client.consumer({
  group: process.argv[2] ?? 'workers',
  topics: ['lines'],
  value: string,
  onAssigned: (partitions) => console.log('mine now:', names(partitions)),
  onRevoked: (partitions) => console.log('given back:', names(partitions)),
  onLost: (partitions) => console.log('lost:', names(partitions)),
  onReset: (partitions) => {
    for (const { partition, from, to } of partitions) console.log(`${partition}: ${from} → ${to}`)
  },
})
process.once('SIGINT', () => void worker.close())

function names(places: readonly { readonly partition: number; readonly offset: number }[]): string {
  return places.map(({ partition, offset }) => `${partition} from ${offset}`).join(', ')
}

await worker.run(
  {
    // So many partitions at one time; of each, one line after another.
    concurrency: 4,
    retry: { attempts: 3, backoffMs: 500 },
    // What fails for the third time goes to `lines.dlq`, and the next line is worked on.
    deadLetter: { onDeadLetter: ({ offset, to }) => console.log(`${offset} is now ${to.topic}`) },
  },
  async ({ partition, offset, value }) => {
    if (value === 'poison') throw new Error('nobody can work on this')
    // At least once: after a crash the same line may come again, here or in another worker.
    console.log(partition, offset, value)
  },
)
