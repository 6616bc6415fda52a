/**
 * Consumer groups while workers come, leave and die every second and the broker is killed every few seconds:
 * one owner for each partition and none without, no commit from before, none lost, no record skipped.
 *
 *     node test/durability/group-campaign.ts --minutes 5 [--seed N]
 */

import { parseArgs } from 'node:util'
import { isCleanGroup, LIVENESS_LIMITS, runGroupTrial } from './group-trial.ts'
import { GROUP_ANOMALIES, type GroupAnomaly } from './worker-anomalies.ts'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runGroupTrial({
  seed,
  runMs: Number(values.minutes) * 60_000,
  lifeMsMax: 15_000,
  brokerKillMsMax: 10_000,
  report: console.log,
})

const { counts, examples, written, records, again } = verdict
for (const example of examples) console.log(example)
console.log(
  `${verdict.workers} workers, ${verdict.killed} killed; the broker was killed ${verdict.brokerKills} times`,
)
console.log(
  `${written} records written, ${records} given to workers, ${again} of them again; ${verdict.accepted} commits accepted, ${verdict.refused} refused, ${verdict.ghosts} of them in the name of somebody whose partition was another's`,
)
const { longest } = verdict
const within = (value: number, max: number) => `${value.toFixed(0)} ms (of ${max})`
console.log(
  `longest, in time in which others got on: ${within(longest.orphanMs, LIVENESS_LIMITS.orphanMsMax)} without a living owner while there was something to read, ${within(longest.stuckMs, LIVENESS_LIMITS.stuckMsMax)} with an owner and without a commit, ${within(longest.deadMs, LIVENESS_LIMITS.deadMsMax)} a member after its worker’s death`,
)
const width = Math.max(...Object.keys(GROUP_ANOMALIES).map((name) => name.length))
for (const [name, sentence] of Object.entries(GROUP_ANOMALIES)) {
  const count = String(counts[name as GroupAnomaly]).padStart(6)
  console.log(`${name.padEnd(width)} ${count}   ${sentence}`)
}
process.exitCode = isCleanGroup(verdict) ? 0 : 1
