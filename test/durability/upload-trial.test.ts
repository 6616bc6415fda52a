/**
 * `spool produce --resume` loses and repeats nothing while it, its broker and their connections are killed.
 * Short here; `upload-campaign.ts` does hundreds.
 */

import { expect, test } from 'vitest'
import { runUploadTrial } from './upload-trial.ts'

test.each([
  ['the command is killed', { kills: 8, brokerKills: 0, hasProxy: false }],
  ['the broker is killed too', { kills: 4, brokerKills: 3, hasProxy: false }],
  ['connections are cut', { kills: 4, brokerKills: 0, hasProxy: true }],
])(
  'an upload that goes on while %s',
  async (_, faults) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`upload seed ${seed} (SEED=${seed} repeats it)`)
    const verdict = await runUploadTrial({ seed, linesPerFile: 30_000, ...faults })
    expect(verdict.problems).toEqual([])
    expect(verdict.kills).toBeGreaterThanOrEqual(faults.kills)
    expect(verdict.killsUnderWay).toBeGreaterThan(0)
    expect(verdict.brokerKills).toBe(faults.brokerKills)
  },
  300_000,
)
