/** The verdict over workers finds what is planted, and nothing where nothing is wrong. */

import { expect, test } from 'vitest'
import { type GroupAnomaly, noGroupAnomalies } from './worker-anomalies.ts'
import { type WorkerEvent, WorkerHistory } from './worker-history.ts'
import { judgeWorkers } from './worker-verdict.ts'

const told = (member: string, partitions: number[], invokedAt: number, endedAt = invokedAt + 1) =>
  ({ kind: 'assignment', member, partitions, invokedAt, endedAt }) as const
const commit = (member: string, offset: number, invokedAt: number, isAccepted = true) =>
  ({
    kind: 'commit',
    member,
    partition: 0,
    offset,
    invokedAt,
    endedAt: invokedAt + 1,
    isAccepted,
  }) as const
const lost = (member: string, at: number) => ({ kind: 'break', member, at }) as const
const seen = (offset: number | null, invokedAt: number) =>
  ({
    kind: 'look',
    offsets: [offset],
    owners: [null],
    members: [],
    ends: [0],
    invokedAt,
    endedAt: invokedAt + 1,
  }) as const
const broker = (isUp: boolean, at: number) => ({ kind: 'broker', isUp, at }) as const

function judge(events: readonly WorkerEvent[], given = [2, 1, 1, 1, 1, 1, 1, 1, 1]) {
  const history = new WorkerHistory(1)
  for (const event of events) history.add(event)
  given.forEach((times, offset) => {
    for (let time = 0; time < times; time++) history.gave(0, offset)
  })
  const limits = { orphanMsMax: 1_000, stuckMsMax: 1_000, deadMsMax: 1_000, stepMsMax: 200 }
  return judgeWorkers(history, limits)
}

test('a partition that moves as it should is found right', () => {
  const { counts, ...rest } = judge([
    told('a', [0], 10),
    commit('a', 3, 20),
    seen(3, 30),
    // Asked back, committed once more, let go of.
    told('a', [], 40),
    commit('a', 5, 42),
    told('a', [], 50),
    told('b', [0], 52),
    commit('a', 6, 60, false),
    broker(false, 70),
    lost('b', 70),
    broker(true, 80),
    seen(5, 90),
    told('b', [0], 100),
    commit('b', 7, 110),
    // It came back to a after an answer was lost, which may have been the one that said so.
    lost('b', 120),
    lost('a', 120),
    told('a', [0], 200),
    commit('a', 8, 210),
    seen(8, 1_500),
  ])
  expect(counts).toEqual(noGroupAnomalies())
  const longest = { orphanMs: 0, stuckMs: 0, deadMs: 0 }
  expect(rest).toEqual({ examples: [], accepted: 4, refused: 1, records: 9, again: 1, longest })
})

const planted: readonly [GroupAnomaly, readonly WorkerEvent[]][] = [
  ['double-owner', [told('a', [0], 10), told('b', [0], 20), told('a', [0], 30)]],
  ['zombie-commit', [told('a', [0], 10), told('b', [0], 20), commit('a', 3, 30)]],
  [
    'zombie-commit',
    [told('a', [0], 10), told('a', [], 12), told('b', [0], 20), commit('a', 3, 30)],
  ],
  ['zombie-commit', [{ ...commit('a', 3, 30), isGhost: true }]],
  ['committed-offset-regression', [commit('a', 3, 10), seen(2, 20)]],
  ['committed-offset-regression', [seen(3, 10), seen(null, 20)]],
  ['lost-commit', [commit('a', 3, 10), broker(false, 12), broker(true, 13), seen(2, 20)]],
  ['poll-skip', [commit('a', 10, 10)]],
  ['poll-skip', [seen(10, 10)]],
]

test.each(planted)('%s is found where it is planted', (name, events) => {
  const { counts, examples } = judge(events)
  expect(counts).toEqual({ ...noGroupAnomalies(), [name]: 1 })
  expect(examples).toHaveLength(1)
})

test('what overlaps is no anomaly: either order may have been', () => {
  const overlapping = [
    told('a', [0], 10, 40),
    told('b', [0], 20, 30),
    commit('a', 5, 50),
    seen(4, 50.5),
  ]
  expect(judge(overlapping).counts).toEqual(noGroupAnomalies())
})
