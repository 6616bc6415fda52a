/**
 * The client's consumers while their processes come, leave, stand still and die and the broker is killed:
 * every record at least once, in order, one owner for each partition, nothing committed that was not done,
 * and what was committed never less than before. With --proxy their connections are cut and their requests
 * delayed, so that some arrive twice, or late.
 *
 *     node test/durability/consumer-campaign.ts --kills 20 --leaves 20 --broker-kills 10 --pauses 10 [--proxy]
 *         [--between-ms 4000] [--seed N]
 */

import { parseArgs } from 'node:util'
import { isCleanConsuming, runConsumerTrial } from './consumer-trial.ts'
import { CONSUMER_ANOMALIES, type ConsumerAnomaly } from './consumer-verdict.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    leaves: { type: 'string', default: '20' },
    'broker-kills': { type: 'string', default: '10' },
    pauses: { type: 'string', default: '10' },
    proxy: { type: 'boolean', default: false },
    'between-ms': { type: 'string', default: '4000' },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runConsumerTrial({
  seed,
  kills: Number(values.kills),
  leaves: Number(values.leaves),
  brokerKills: Number(values['broker-kills']),
  pauses: Number(values.pauses),
  isCut: values.proxy,
  betweenMsMax: Number(values['between-ms']),
  report: console.log,
})

const { counts, examples, complaints, written, done, again, workers, tenures } = verdict
for (const sentence of [...complaints, ...examples]) console.log(sentence)
console.log(
  `${written} records written, ${done} done by ${workers} workers in ${tenures} tenures, ${again} of them again`,
)
const width = Math.max(...Object.keys(CONSUMER_ANOMALIES).map((name) => name.length))
for (const [name, sentence] of Object.entries(CONSUMER_ANOMALIES)) {
  const count = String(counts[name as ConsumerAnomaly]).padStart(6)
  console.log(`${name.padEnd(width)} ${count}   ${sentence}`)
}
process.exitCode = isCleanConsuming(verdict) ? 0 : 1
