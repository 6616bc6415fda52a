/**
 * Damage at rest as a program: `node test/faults/damaged-files-campaign.ts --seeds 5000 --from 1`. Prints
 * the seeds in which damage was passed on; exits 1 if there was one.
 */

import { parseArgs } from 'node:util'
import { runDamaged } from './campaign/damage.ts'

const { values } = parseArgs({
  options: { from: { type: 'string', default: '1' }, seeds: { type: 'string', default: '5000' } },
})
const outcomes = { refused: 0, whole: 0 }
const from = Number(values.from)
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  const { what, outcome, problems } = await runDamaged(seed)
  outcomes[outcome]++
  if (problems.length === 0) continue
  console.log(`seed ${seed}: ${what}: ${problems.slice(0, 3).join('; ')}`)
  process.exitCode = 1
}
console.log(`${outcomes.refused} refused, ${outcomes.whole} mended or not touched`)
