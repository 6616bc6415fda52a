/**
 * The client's consumers, as processes that come, leave and die while the broker is killed. Short here;
 * `consumer-campaign.ts` does it for long. And the verdict itself: that it tells every anomaly.
 */

import { expect, test } from 'vitest'
import type { ConsumerEventKind } from './consumer-journal.ts'
import { isCleanConsuming, runConsumerTrial } from './consumer-trial.ts'
import { type ConsumerAnomaly, judgeConsumers, noConsumerAnomalies } from './consumer-verdict.ts'

test('consumers that come, leave and die while the broker is killed', async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`consumers seed ${seed} (SEED=${seed} repeats it)`)
  const faults = {
    kills: 2,
    leaves: 2,
    brokerKills: 1,
    pauses: 1,
    isCut: false,
    betweenMsMax: 4_000,
  }
  const verdict = await runConsumerTrial({ seed, ...faults })
  expect([...verdict.complaints, ...verdict.examples]).toEqual([])
  expect(verdict.counts).toEqual(noConsumerAnomalies())
  expect(isCleanConsuming(verdict)).toBe(true)
}, 240_000)

type Line = readonly [kind: ConsumerEventKind, at: number, partition: number, offset: number]

function judged(
  a: readonly Line[],
  b: readonly Line[],
  committed: [at: number, offset: number][] = [],
) {
  const eventsOf = (lines: readonly Line[]) =>
    lines.map(([kind, at, partition, offset]) => ({
      kind,
      at,
      places: [[partition, offset] as const],
    }))
  const journals = [
    { worker: 'a', events: eventsOf(a) },
    { worker: 'b', events: eventsOf(b) },
  ]
  const looks = committed.map(([at, offset]) => ({ askedAt: at, at, offsets: [offset] }))
  return judgeConsumers(journals, looks, [2])
}

const first: Line[] = [
  ['assigned', 1, 0, 0],
  ['begun', 2, 0, 0],
  ['done', 3, 0, 0],
  ['committed', 4, 0, 1],
  ['revoked', 5, 0, 1],
]
const second: Line[] = [
  ['assigned', 6, 0, 1],
  ['begun', 7, 0, 1],
  ['done', 8, 0, 1],
]

test('a history in order is clean, also where a record is done twice', () => {
  const { counts, done, again, tenures } = judged(first, second, [[9, 2]])
  expect({ counts, done, again, tenures }).toEqual({
    counts: noConsumerAnomalies(),
    done: 2,
    again: 0,
    tenures: 2,
  })
  const lost: Line[] = [
    ...first.slice(0, 4),
    ['begun', 6.5, 0, 1],
    ['done', 7, 0, 1],
    ['lost', 9, 0, 2],
  ]
  expect(judged(lost, second)).toMatchObject({ counts: noConsumerAnomalies(), again: 1 })
})

test.each<[ConsumerAnomaly, Line[], Line[], [number, number][]]>([
  ['missed', first, second.slice(0, 2), []],
  [
    'disordered',
    [
      ['assigned', 1, 0, 0],
      ['begun', 2, 0, 1],
      ['done', 3, 0, 1],
    ],
    [],
    [],
  ],
  ['after-revocation', [...first, ['begun', 5.5, 0, 1]], second, []],
  ['double-owner', [...first.slice(0, 4), ['begun', 6.5, 0, 1], ['revoked', 9, 0, 2]], second, []],
  ['overdue', [...first.slice(0, 4), ['overdue', 5, 0, 1]], second, []],
  ['lost-commit', first, second, [[7.5, 2]]],
  ['committed-offset-regression', first, [['assigned', 6, 0, 0], ...second.slice(1)], []],
  [
    'committed-offset-regression',
    first,
    second,
    [
      [4.5, 1],
      [4.6, 0],
    ],
  ],
])('the verdict tells %s', (name, a, b, committed) => {
  const { counts, examples } = judged(a, b, committed)
  expect(counts[name]).toBeGreaterThan(0)
  expect(examples.join()).toContain(name)
})
