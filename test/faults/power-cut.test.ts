/**
 * The power-cut campaign in the small: a few hundred seeds of it on every test run. Thousands of them:
 * `node test/faults/power-cut-campaign.ts --seeds 5000`.
 */

import { expect, test } from 'vitest'
import { runScenario } from './campaign/scenario.ts'
import { runCampaign } from './power-cut-campaign.ts'

const SEEDS = 300

test(`what was acknowledged survives power cuts, kills and disk errors (seeds 1 to ${SEEDS})`, async () => {
  const lines: string[] = []
  const result = await runCampaign({
    from: 1,
    seeds: SEEDS,
    failuresMax: 3,
    report: (line) => lines.push(line),
  })
  expect(lines.join('\n')).toBe('')
  expect(result.recordsJudged).toBeGreaterThan(SEEDS * 20)
})

test('a seed tells the same story twice', async () => {
  for (const seed of [3, 17, 42]) {
    expect(await runScenario(seed)).toEqual(await runScenario(seed))
  }
})
