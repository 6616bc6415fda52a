/**
 * A group of four workers is rewound while it runs: every record from the target on is read again, and nothing
 * from before undoes it.
 *
 *     node test/durability/rewind-campaign.ts [--records 1000000] [--seed N]
 */

import { parseArgs } from 'node:util'
import { runRewindTrial } from './rewind-trial.ts'

const { values } = parseArgs({
  options: { records: { type: 'string', default: '1000000' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
console.log(`seed ${seed}`)
const verdict = await runRewindTrial({ seed, records: Number(values.records), report: console.log })
for (const example of verdict.examples) console.log(example)
const { records, recordsAgain, givenAgain, missed, lateCommits, lateAccepted } = verdict
console.log(`${records} records, rewound by ${recordsAgain.join(' and then by ')}`)
console.log(`${givenAgain} given by workers that knew of the last rewind`)
console.log(`${missed} from a target on were not given again`)
console.log(`${lateCommits} commits from before a rewind tried after it, ${lateAccepted} accepted`)
process.exitCode = missed === 0 && lateAccepted === 0 && lateCommits > 0 ? 0 : 1
