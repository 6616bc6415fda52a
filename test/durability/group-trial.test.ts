/**
 * Workers of a group come, leave and die, and the broker with them: one owner for each partition, nothing lost
 * or skipped, nothing committed from before. Short here; `group-campaign.ts` does it for minutes.
 */

import { expect, test } from 'vitest'
import { isCleanGroup, runGroupTrial } from './group-trial.ts'
import { noGroupAnomalies } from './worker-anomalies.ts'

test('eight workers that come and go while the broker is killed', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`groups seed ${seed} (SEED=${seed} repeats it)`)
  const verdict = await runGroupTrial({
    seed,
    runMs: 8_000,
    lifeMsMax: 6_000,
    brokerKillMsMax: 5_000,
  })
  expect(verdict.examples).toEqual([])
  expect(verdict.counts).toEqual(noGroupAnomalies())
  expect(isCleanGroup(verdict)).toBe(true)
  expect(verdict.killed).toBeGreaterThan(0)
}, 180_000)
