/**
 * The client's producers lose, repeat and deny nothing while the broker is killed or connections are cut.
 * Short here; `producer-campaign.ts` does a hundred kills and five hundred cuts.
 */

import { expect, test } from 'vitest'
import { runProducerTrial } from './producer-trial.ts'

const CLEAN = {
  'lost-write': 0,
  duplicate: 0,
  'inconsistent-offsets': 0,
  unexpected: 0,
  'aborted-read': 0,
  'nonmonotonic-send': 0,
  'stale-offset': 0,
  'offset-gap': 0,
  'given-up': 0,
  untold: 0,
}

test.each([
  ['the broker is killed', { kills: 3, cuts: 0 }],
  ['connections are cut', { kills: 0, cuts: 30 }],
  ['both', { kills: 2, cuts: 10 }],
])(
  'producers while %s',
  async (_, faults) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`producers seed ${seed} (SEED=${seed} repeats it)`)
    const { counts, told, examples } = await runProducerTrial({ seed, ...faults })
    expect(examples).toEqual([])
    expect(counts).toEqual(CLEAN)
    expect(told.acknowledged).toBeGreaterThan(0)
  },
  120_000,
)
