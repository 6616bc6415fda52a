/**
 * A worker of the consumers' trial, as a process of its own: consumes in one of several ways until it is
 * told to stop (SIGTERM) or killed, and writes down what it does.
 *
 *     node consumer-worker.ts URL TOPIC GROUP WAY JOURNAL SEED
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type ReadRecord } from '../../client/index.ts'
import { connect as connectWeb } from '../../client/web.ts'
import { SeededRandom } from '../rigs/random.ts'
import { ConsumerJournal, type Places } from './consumer-journal.ts'

const [url, topic, group, way, path, seed] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
]
const random = new SeededRandom(Number(seed))
const journal = new ConsumerJournal(path)
/** Some records take a moment. */
const SLOW_CHANCE = 0.05
const SLOW_MS_MAX = 30
/** And now and then one takes longer than it may: its consumer leaves, and comes back. */
const POLL_INTERVAL_MS_MAX = 1_000
const STALL_CHANCE = 0.0002
const STALL_MS = 2_000

const isOverFetch = way.endsWith('over-fetch')
const client = (isOverFetch ? connectWeb : connect)({
  url,
  retryBackoffMs: 20,
  retryBackoffMsMax: 300,
  requestTimeoutMs: 5_000,
})
const isManual = way.startsWith('manual')
const consumer = client.consumer({
  group,
  topics: [topic],
  autoCommit: !isManual,
  autoCommitIntervalMs: 100,
  sessionTimeoutMs: 4_000,
  rebalanceTimeoutMs: 8_000,
  maxPollIntervalMs: POLL_INTERVAL_MS_MAX,
  maxWaitMs: 200,
  onAssigned: (partitions) => journal.write('assigned', placesOf(partitions)),
  onRevoked: async (partitions) => {
    if (random.chance(0.5)) await sleep(random.below(SLOW_MS_MAX))
    journal.write('revoked', placesOf(partitions))
  },
  onLost: (partitions) => {
    const isOverdue = partitions.some(({ error }) => error.code === 'REBALANCE_IN_PROGRESS')
    journal.write(isOverdue ? 'overdue' : 'lost', placesOf(partitions))
  },
})
process.once('SIGTERM', () => void consumer.close())

function placesOf(
  places: readonly { readonly partition: number; readonly offset: number }[],
): Places {
  return places.map(({ partition, offset }) => [partition, offset])
}

async function work(record: ReadRecord): Promise<void> {
  journal.write('begun', placesOf([record]))
  if (random.chance(SLOW_CHANCE)) await sleep(random.below(SLOW_MS_MAX))
  // The rest of a batch would be begun after its partition was lost.
  if (!way.startsWith('batches') && random.chance(STALL_CHANCE)) await sleep(STALL_MS)
  journal.write('done', placesOf([record]))
}

async function loopThatCommits(): Promise<void> {
  for await (const record of consumer) {
    await work(record)
    if (!random.chance(0.2)) continue
    const { partition, offset } = record
    await consumer.commit(record).then(
      () => journal.write('committed', [[partition, offset + 1]]),
      // Refused, because the partition went away: another reads it again.
      () => {},
    )
  }
}

const ways: Record<string, () => Promise<void>> = {
  async loop() {
    for await (const record of consumer) await work(record)
  },
  async batches() {
    for await (const batch of consumer.batches()) for (const record of batch) await work(record)
  },
  manual: loopThatCommits,
  run: () => consumer.run({ concurrency: 3 }, work),
}

await ways[way.replace('-over-fetch', '')]!()
journal.write('ended', [])
await client.close()
