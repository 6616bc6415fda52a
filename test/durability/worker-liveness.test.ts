/**
 * The verdict over time finds partitions that nobody has, or does anything with, and members whose worker is
 * dead; and nothing where the machine stood still, the broker was away or there was nothing to read.
 */

import { expect, test } from 'vitest'
import { Findings, noGroupAnomalies } from './worker-anomalies.ts'
import type { LookEvent, WorkerEvent } from './worker-history.ts'
import { checkLiveness, type LongestTimes } from './worker-liveness.ts'

const LIMITS = { orphanMsMax: 1_000, stuckMsMax: 2_000, deadMsMax: 500, stepMsMax: 200 }

const told = (member: string, partitions: number[], at: number) =>
  ({ kind: 'assignment', member, partitions, invokedAt: at, endedAt: at }) as const
const died = (member: string, at: number) => ({ kind: 'death', member, at }) as const
const lost = (member: string, at: number) => ({ kind: 'break', member, at }) as const
const broker = (isUp: boolean, at: number) => ({ kind: 'broker', isUp, at }) as const

/** Partition 0 stands, or as `offset` says, with 100 records in it; partition 1 is another's, who gets on. */
const look = (at: number, seen: Partial<LookEvent> & { readonly offset?: number } = {}) => {
  const { offset = 5, ...other } = seen
  return {
    kind: 'look',
    offsets: [offset, at],
    owners: [null, 'other'],
    members: [],
    ends: [100, 1_000_000],
    invokedAt: at,
    endedAt: at,
    ...other,
  } as const
}

/** A look every 100 ms, the first and the last included. */
function looks(fromMs: number, toMs: number, seen: Parameters<typeof look>[1] = {}): LookEvent[] {
  const count = (toMs - fromMs) / 100 + 1
  return Array.from({ length: count }, (_, index) => look(fromMs + index * 100, seen))
}

function judge(...parts: readonly (WorkerEvent | readonly WorkerEvent[])[]) {
  const found = new Findings()
  const timeOf = (event: WorkerEvent) => ('endedAt' in event ? event.endedAt : event.at)
  const events = parts.flat().toSorted((a, b) => timeOf(a) - timeOf(b))
  const longest = checkLiveness(events, LIMITS, found)
  return { ...found, longest }
}

const nothingFor = (longest: Partial<LongestTimes>) => ({
  counts: noGroupAnomalies(),
  examples: [],
  longest: { orphanMs: 0, stuckMs: 0, deadMs: 0, ...longest },
})

test('a partition that no living worker was given', () => {
  const { counts, examples, longest } = judge(looks(0, 1_100))
  expect(counts).toEqual({ ...noGroupAnomalies(), 'orphan-partition': 1 })
  expect(examples[0]).toMatch(
    /^orphan-partition: 0 stands at 5 of 100, and for 1100 ms .* of nobody/,
  )
  expect(longest.orphanMs).toBe(1_100)
  // It is counted again when it lasts as long again.
  expect(judge(looks(0, 2_200)).counts['orphan-partition']).toBe(2)
})

test('a partition that the group says is a dead worker’s, and the member too', () => {
  const seen = { owners: ['a', 'other'], members: ['a', 'other'] }
  const events = [told('a', [0], 0), told('other', [1], 0), died('a', 50), looks(100, 1_200, seen)]
  const { counts, examples } = judge(...events)
  expect(counts['orphan-partition']).toBe(1)
  expect(counts['immortal-member']).toBe(1)
  expect(examples).toEqual([
    expect.stringMatching(/^immortal-member: a is there for 600 ms, at 700; whose worker is dead$/),
    expect.stringMatching(/^orphan-partition: .* it is of a, whose worker is dead, at 1200$/),
  ])
})

test('a member that no worker ever heard to be', () => {
  const { counts, examples } = judge(told('other', [0, 1], 0), looks(0, 600, { members: ['x'] }))
  expect(counts['immortal-member']).toBe(1)
  expect(examples[0]).toContain('which no worker ever heard to be')
})

test('a partition that a living worker has and does nothing with', () => {
  const { counts, examples, longest } = judge(told('a', [0], 0), looks(0, 2_100))
  expect(counts).toEqual({ ...noGroupAnomalies(), 'stuck-partition': 1 })
  expect(examples[0]).toBe('stuck-partition: 0 stands at 5 of 100 for 2100 ms; a has it, at 2100')
  expect(longest).toEqual({ orphanMs: 0, stuckMs: 2_100, deadMs: 0 })
  // From hand to hand is no getting on.
  const handed = [told('a', [0], 0), died('a', 950), told('b', [0], 980), looks(0, 2_100)]
  expect(judge(...handed).counts['stuck-partition']).toBe(1)
})

test('what was not read to its end when nobody comes or goes', () => {
  const undrained = { kind: 'undrained', partitions: [0, 1], at: 500 } as const
  const { counts } = judge(told('a', [1], 0), undrained)
  expect(counts).toEqual({
    ...noGroupAnomalies(),
    'orphan-partition': 1,
    'stuck-partition': 1,
  })
})

test('who is given it in time, or gets on, is no anomaly', () => {
  const given = [told('b', [0], 950), looks(0, 900), lost('b', 960), looks(1_000, 1_900)]
  expect(judge(...given)).toEqual(nothingFor({ orphanMs: 1_000 }))
  const committed = judge(looks(0, 900), looks(1_000, 1_900, { offset: 6 }))
  expect(committed).toEqual(nothingFor({ orphanMs: 900 }))
})

test('without records to read nobody is missed', () => {
  expect(judge(looks(0, 5_000, { ends: [5, 1_000_000] }))).toEqual(nothingFor({}))
})

test('while nobody gets on nothing counts, and of a long step only a part', () => {
  const still = looks(0, 5_000, { offsets: [5, 7] })
  expect(judge(still)).toEqual(nothingFor({}))
  expect(judge([look(0), look(9_000)])).toEqual(nothingFor({ orphanMs: 200 }))
  // Its own getting on is not that of others.
  expect(judge(told('a', [0], 0), looks(0, 5_000, { offsets: [5, 7] }))).toEqual(nothingFor({}))
})

test('after a start of the broker sessions begin anew', () => {
  const seen = { members: ['a'] }
  const events = [told('a', [0], 0), died('a', 0), looks(0, 400, seen)]
  const again = [broker(false, 450), broker(true, 2_000), looks(2_100, 2_600, seen)]
  expect(judge(...events, ...again)).toEqual(nothingFor({ orphanMs: 500, deadMs: 500 }))
})

test('what a worker was told before it died is told late, and counts for nothing', () => {
  const events = [told('a', [0], 0), died('a', 50), told('a', [0], 600), looks(100, 1_200)]
  expect(judge(...events).counts['orphan-partition']).toBe(1)
})
