/**
 * Kills a broker over and over and counts what is lost, which must be nothing.
 *
 *     node test/durability/kill-9-campaign.ts --kills 100 [--seed N] [--flush-messages N]
 */

import { parseArgs } from 'node:util'
import { runKillTrial } from './kill-trial.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string' },
    'flush-messages': { type: 'string', default: '1' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runKillTrial({
  kills: Number(values.kills),
  seed,
  flushMessages: Number(values['flush-messages']),
  report: console.log,
})
for (const problem of verdict.problems) console.log(problem)
const { sent, acknowledged, found, lost, duplicated } = verdict
console.log(
  `${values.kills} kills: ${sent} sent, ${acknowledged} acknowledged, ${found} found, ${lost} lost, ${duplicated} duplicated`,
)
process.exitCode = verdict.problems.length === 0 ? 0 : 1
