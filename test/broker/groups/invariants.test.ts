/**
 * Whatever happens to a group, and in whatever order: no partition has two owners, no commit from before
 * changes an offset, no epoch falls, the log brings the same group back at every moment, and once members
 * behave every partition has an owner. fast-check prints the seed and the shortest history that fails.
 */

import fc from 'fast-check'
import { test } from 'vitest'
import { GroupHistory, MEMBERS, type Move, TOPICS } from './group-history.ts'

const RUNS = Number(process.env.GROUP_HISTORIES ?? 100)
const MOVES_MAX = 80

const who = fc.nat(MEMBERS.length - 1)
const topic = fc.nat(TOPICS.length - 1)
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('join' as const),
      who,
      wish: fc.nat(4),
      static: fc.nat(3).map((it) => it === 0),
    }),
  },
  {
    weight: 16,
    arbitrary: fc.record({
      do: fc.constant('beat' as const),
      who,
      isLost: fc.nat(2).map((it) => it === 0),
      stale: fc.oneof(
        { weight: 5, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.nat(3) },
      ),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('hoard' as const), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('leave' as const), who, forAWhile: fc.boolean() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('token' as const, 'commit' as const),
      which: fc.nat(200),
      offset: fc.nat(1_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('topic' as const),
      which: topic,
      partitions: fc.integer({ min: 1, max: 5 }),
      isTold: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop' as const), which: topic }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.oneof(fc.nat(5_000), fc.nat(70_000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('reset' as const), offset: fc.nat(1_200), topic }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('expire', 'crash', 'crashCompacted') }),
  },
)

test('a random history keeps every promise, at every step', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: MOVES_MAX, size: 'max' }), (moves) => {
      const history = new GroupHistory()
      for (const one of moves) history.play(one)
      history.settle()
    }),
    { numRuns: RUNS },
  )
})
