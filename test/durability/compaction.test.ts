/**
 * The last value of every key survives a broker that is killed in the middle of compacting it. A few kills
 * and keys here; `compaction-campaign.ts` has a million keys and fifty kills.
 */

import { expect, test } from 'vitest'
import { runCompactionTrial } from './compaction-trial.ts'

test('compaction under writes, killed in the middle, keeps the last value of every key', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`compaction seed ${seed} (SEED=${seed} repeats it)`)
  const verdict = await runCompactionTrial({
    keys: 20_000,
    kills: 4,
    seed,
    segmentBytes: 256 * 1024,
    judgedEvery: 2,
  })
  expect(verdict.problems).toEqual([])
  expect(verdict.removedRecords).toBeGreaterThan(0)
  expect(verdict.found).toBeLessThan(verdict.acknowledged)
}, 300_000)
