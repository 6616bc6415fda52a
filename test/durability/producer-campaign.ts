/**
 * The client's producers against a broker that is killed over and over, a proxy that cuts connections, or
 * both: each acknowledged record once, in order, nothing refused in the log, the unknown at most once.
 *
 *     node test/durability/producer-campaign.ts --kills 100 [--seed N]
 *     node test/durability/producer-campaign.ts --proxy [--cuts 500] [--kills 20] [--seed N]
 */

import { parseArgs } from 'node:util'
import { isClean, runProducerTrial } from './producer-trial.ts'
import { ANOMALIES, type Anomaly } from './send-history.ts'

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
const verdict = await runProducerTrial({
  seed,
  kills: Number(values.kills ?? (values.proxy ? 0 : 100)),
  cuts: values.proxy ? Number(values.cuts) : 0,
  report: console.log,
})

for (const example of verdict.examples) console.log(example)
const { told, inLog, unknownThere, cuts } = verdict
if (cuts !== undefined) {
  const each = Object.entries(cuts).map(([fault, count]) => `${count} ${fault}`)
  console.log(`faults of the proxy: ${each.join(', ')}`)
}
console.log(
  `${told.acknowledged} acknowledged, ${told.refused} refused, ${told.unknown} unknown (${unknownThere} of them there), ${inLog} in the log`,
)
const width = Math.max(...Object.keys(ANOMALIES).map((name) => name.length))
for (const [name, sentence] of Object.entries(ANOMALIES)) {
  const count = String(verdict.counts[name as Anomaly]).padStart(6)
  console.log(`${name.padEnd(width)} ${count}   ${sentence}`)
}
process.exitCode = isClean(verdict) ? 0 : 1
