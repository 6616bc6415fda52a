/**
 * `spool produce --resume` killed over and over, its broker too, with connections cut between them if that
 * is asked for: each line of each file once, in order per key.
 *
 *     node test/durability/upload-campaign.ts --kills 100 [--broker-kills 20] [--proxy] [--lines 60000] [--seed N]
 */

import { parseArgs } from 'node:util'
import { runUploadTrial } from './upload-trial.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    'broker-kills': { type: 'string', default: '20' },
    proxy: { type: 'boolean', default: false },
    lines: { type: 'string', default: '60000' },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runUploadTrial({
  seed,
  kills: Number(values.kills),
  brokerKills: Number(values['broker-kills']),
  hasProxy: values.proxy,
  linesPerFile: Number(values.lines),
  report: console.log,
})
for (const problem of verdict.problems) console.log(problem)
const { files, lines, kills, killsUnderWay, brokerKills, cuts } = verdict
if (cuts !== undefined) {
  const each = Object.entries(cuts).map(([fault, count]) => `${count} ${fault}`)
  console.log(`faults of the proxy: ${each.join(', ')}`)
}
console.log(
  `${files} files of ${lines} lines in all; ${kills} kills of the command, ${killsUnderWay} of them while it appended; ${brokerKills} of the broker; ${verdict.problems.length} problems`,
)
process.exitCode = verdict.problems.length === 0 ? 0 : 1
