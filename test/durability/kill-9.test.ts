/**
 * Nothing that was acknowledged is lost when the broker is killed, and an idempotent producer's repeats
 * never duplicate. A few kills here; `kill-9-campaign.ts` does a hundred.
 */

import { expect, test } from 'vitest'
import { runKillTrial } from './kill-trial.ts'

const KILLS = 3

test.each([
  ['flushed', 1],
  ['written', 1_000],
])(
  'records acknowledged as %s survive kill -9, once',
  async (_word, flushMessages) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`kill-9 seed ${seed} (SEED=${seed} repeats it)`)
    const verdict = await runKillTrial({ kills: KILLS, seed, flushMessages })
    expect(verdict.problems).toEqual([])
    expect(verdict).toMatchObject({ lost: 0, duplicated: 0 })
    expect(verdict.acknowledged).toBeGreaterThan(0)
  },
  120_000,
)
