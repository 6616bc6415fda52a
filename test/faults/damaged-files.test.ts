/**
 * A bit flipped, an end missing, zeros, stale content or no file at all, in every kind of file: it is
 * refused or mended, never served as something else. `node test/faults/damaged-files-campaign.ts` does
 * it as often as one likes.
 */

import { expect, test } from 'vitest'
import { runDamaged } from './campaign/damage.ts'

const SEEDS = 400

test(`damage at rest is told or mended, never passed on (seeds 1 to ${SEEDS})`, async () => {
  const outcomes = { refused: 0, whole: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { what, outcome, problems } = await runDamaged(seed)
    expect(problems, `seed ${seed}: ${what}`).toEqual([])
    outcomes[outcome]++
  }
  expect(outcomes.refused).toBeGreaterThan(SEEDS / 10)
  expect(outcomes.whole).toBeGreaterThan(SEEDS / 10)
})
