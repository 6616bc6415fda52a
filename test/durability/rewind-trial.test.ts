/** A running group goes back: everything from the target on is read again. Short here; `rewind-campaign.ts` is long. */

import { expect, test } from 'vitest'
import { runRewindTrial } from './rewind-trial.ts'

test('a group of four workers is rewound twice while it reads', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`rewind seed ${seed} (SEED=${seed} repeats it)`)
  const verdict = await runRewindTrial({ seed, records: 80_000 })
  expect(verdict).toMatchObject({ missed: 0, lateAccepted: 0, examples: [] })
  expect(verdict.lateCommits).toBeGreaterThan(0)
  for (const again of verdict.recordsAgain) expect(again).toBeGreaterThan(0)
}, 180_000)
