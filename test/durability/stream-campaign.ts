/**
 * A thousand readers of one topic, two hundred of them more that never read, for as long as one likes.
 * Ends with 1 if a record was lost, repeated or out of order, memory grew, or anybody else suffered.
 *
 *     node test/durability/stream-campaign.ts --minutes 10 [--readers 1000] [--stalled 200]
 *         [--partitions 2] [--rate 100] [--seed N]
 */

import { parseArgs } from 'node:util'
import { runStreamTrial, TABLE_HEAD } from './stream-trial.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    readers: { type: 'string', default: '1000' },
    stalled: { type: 'string', default: '200' },
    partitions: { type: 'string', default: '2' },
    rate: { type: 'string', default: '100' },
    seed: { type: 'string' },
  },
})
const REPORT_MS = 30_000
const STALLED_MS_MAX = 20_000
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}\n\n${TABLE_HEAD}`)
const verdict = await runStreamTrial({
  minutes: Number(values.minutes),
  readers: Number(values.readers),
  stalled: Number(values.stalled),
  partitions: Number(values.partitions),
  recordsPerSecond: Number(values.rate),
  stalledMsMax: STALLED_MS_MAX,
  reportMs: REPORT_MS,
  seed,
  report: console.log,
})
const { appended, delivered, stalledCut, probeBefore, problems } = verdict
const { p50, p99, max } = probeBefore
console.log(
  `\n${appended} records appended, ${delivered} delivered, ${stalledCut} stalled readers cut.`,
)
console.log(
  `Before the readers, an append and a page took ${p50.toFixed(1)} ms (p50), ${p99.toFixed(1)} (p99), ${max.toFixed(0)} (max).`,
)
for (const problem of problems) console.log(`- **${problem}**`)
process.exitCode = problems.length === 0 ? 0 : 1
