/**
 * Kills a broker over and over while it compacts a topic that is written to, and counts keys whose last
 * value is not what it was, which must be none.
 *
 *     node test/durability/compaction-campaign.ts --keys 1000000 --kills 50 [--seed N]
 */

import { parseArgs } from 'node:util'
import { runCompactionTrial } from './compaction-trial.ts'

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const startedAt = performance.now()
const verdict = await runCompactionTrial({
  keys: Number(values.keys),
  kills: Number(values.kills),
  seed,
  segmentBytes: 8 * 1024 * 1024,
  judgedEvery: 5,
  report: console.log,
})
for (const problem of verdict.problems) console.log(problem)
const { acknowledged, found, inMiddleOf, compactions, removedRecords, problems } = verdict
const seconds = Math.round((performance.now() - startedAt) / 1_000)
console.log(
  `${values.kills} kills: ${inMiddleOf.copy} in the middle of a copy, ${inMiddleOf.swap} of a swap, ${inMiddleOf.neither} of neither; ${compactions} compactions came to their end and removed ${removedRecords} records`,
)
console.log(
  `${values.keys} keys, ${acknowledged} records acknowledged, ${found} left, ${problems.length} problems, ${seconds} s`,
)
process.exitCode = problems.length === 0 ? 0 : 1
