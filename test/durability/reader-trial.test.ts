/**
 * The client's readers miss, repeat and disorder nothing while the broker is killed or connections are
 * cut. Short here; `reader-campaign.ts` does a hundred kills and five hundred cuts.
 */

import { expect, test } from 'vitest'
import { checkReading, noAnomalies } from './read-history.ts'
import { runReaderTrial } from './reader-trial.ts'

test.each([
  ['the broker is killed', { kills: 3, cuts: 0 }],
  ['connections are cut', { kills: 0, cuts: 30 }],
  ['both', { kills: 2, cuts: 10 }],
])(
  'readers while %s',
  async (_, faults) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
    console.log(`readers seed ${seed} (SEED=${seed} repeats it)`)
    const { counts, examples, inLog } = await runReaderTrial({ seed, ...faults })
    expect(examples).toEqual([])
    expect(counts).toEqual(noAnomalies())
    expect(inLog).toBeGreaterThan(0)
  },
  120_000,
)

test('the verdict tells every way a reading can be wrong', () => {
  const log = ['a', 'b', 'c', 'd'].map((value, offset) => ({ offset, value }))
  const right = checkReading('right', [[]], [[]])
  expect(right).toEqual({ counts: noAnomalies(), examples: [] })
  // Of a, b, c, d: a twice, c as something else, d before it, b never, and a fifth that is not there.
  const checksums = { a: 0xe8b7be43, c: 1, d: 0x98dd4acc }
  const given = [
    { offset: 0, checksum: checksums.a },
    { offset: 0, checksum: checksums.a },
    { offset: 3, checksum: checksums.d },
    { offset: 2, checksum: checksums.c },
    { offset: 4, checksum: 0 },
  ]
  const { counts, examples } = checkReading('wrong', [given], [log])
  expect(counts).toEqual({ missed: 1, repeated: 1, disordered: 1, vanished: 1, altered: 1 })
  expect(examples).toContain('missed: 0/1 (wrong)')
})
