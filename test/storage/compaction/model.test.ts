/** Compaction against a model, by seed; a failing one is run again with `runSeed(seed)`. */

import { expect, test } from 'vitest'
import { CompactionModel } from './model.ts'

const SEEDS = 60
const STEPS = 50

async function runSeed(seed: number): Promise<void> {
  const model = await CompactionModel.start(seed)
  for (let step = 0; step < STEPS; step++) await model.step()
  await model.finish()
}

test(`whatever happens to a log, compaction keeps the last record of every key (seeds 1 to ${SEEDS})`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      await runSeed(seed)
    } catch (error) {
      expect.fail(`seed ${seed}: ${(error as Error).stack}`)
    }
  }
})
