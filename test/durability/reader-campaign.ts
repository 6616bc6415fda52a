/**
 * The client's readers against a broker that is killed over and over, a proxy that cuts their connections,
 * or both: each record once, in order, by every way of reading.
 *
 *     node test/durability/reader-campaign.ts --kills 100 [--seed N]
 *     node test/durability/reader-campaign.ts --proxy [--cuts 500] [--kills 20] [--seed N]
 */

import { parseArgs } from 'node:util'
import { READ_ANOMALIES, type ReadAnomaly } from './read-history.ts'
import { isCleanReading, runReaderTrial } from './reader-trial.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string' },
    proxy: { type: 'boolean', default: false },
    cuts: { type: 'string', default: '500' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runReaderTrial({
  seed,
  kills: Number(values.kills ?? (values.proxy ? 0 : 100)),
  cuts: values.proxy ? Number(values.cuts) : 0,
  report: console.log,
})

for (const example of verdict.examples) console.log(example)
const { counts, inLog, readers, cuts } = verdict
console.log(`${inLog} records in the log, read by ${readers} readers; ${cuts} faults of the proxy`)
const width = Math.max(...Object.keys(READ_ANOMALIES).map((name) => name.length))
for (const [name, sentence] of Object.entries(READ_ANOMALIES)) {
  const count = String(counts[name as ReadAnomaly]).padStart(6)
  console.log(`${name.padEnd(width)} ${count}   ${sentence}`)
}
process.exitCode = isCleanReading(verdict) ? 0 : 1
