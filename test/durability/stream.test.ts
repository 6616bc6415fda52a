/**
 * Many readers of one topic while records come: every record once and in order for those who read, an end
 * for those who do not. A few readers here; `stream-campaign.ts` has a thousand.
 */

import { expect, test } from 'vitest'
import { runStreamTrial } from './stream-trial.ts'

test.each([
  ['a partition', 1],
  ['a topic', 2],
])(
  'readers of %s get everything, stalled ones are cut, and nobody pays for them',
  async (_what, partitions) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`streams seed ${seed} (SEED=${seed} repeats it)`)
    const verdict = await runStreamTrial({
      minutes: 0.2,
      readers: 60,
      stalled: 8,
      partitions,
      recordsPerSecond: 200,
      stalledMsMax: 2_000,
      reportMs: 2_000,
      seed,
    })
    expect(verdict.problems).toEqual([])
    expect(verdict.stalledCut).toBeGreaterThanOrEqual(4)
    expect(verdict.delivered).toBeGreaterThan(verdict.appended)
  },
  180_000,
)
