/** Which offset may be committed: never one before which something is not done, and as far as that allows. */

import { expect, test } from 'vitest'
import { OffsetTracker } from '../../../client/consumer/offset-tracker.ts'
import { SeededRandom } from '../../rigs/random.ts'

const begun = (offset = 0) => new OffsetTracker(offset, { isCommitted: true })

test('done in any order: the first that is not done is where it stands', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`offset tracker seed ${seed} (SEED=${seed} repeats it)`)
  const random = new SeededRandom(seed)
  for (let run = 0; run < 200; run++) {
    const tracker = begun(random.below(100))
    const open = new Set<number>()
    let next = tracker.position
    let committed = next
    for (let step = 0; step < 100; step++) {
      if (random.chance(0.5)) {
        // Compaction leaves gaps.
        const offset = next + random.below(3)
        tracker.give(offset)
        open.add(offset)
        next = offset + 1
      } else if (open.size > 0) {
        const offset = random.pick([...open])
        tracker.done(offset)
        open.delete(offset)
      }
      const expected = open.size === 0 ? next : Math.min(...open)
      expect(tracker.doneUpTo).toBe(expected)
      expect(tracker.position).toBe(next)
      expect(tracker.isInHand).toBe(open.size > 0)
      expect(tracker.toCommit).toBe(expected > committed ? expected : undefined)
      if (random.chance(0.3) && tracker.toCommit !== undefined) {
        committed = tracker.toCommit
        tracker.committedUpTo(committed)
      }
    }
    tracker.abandon()
    const expected = open.size === 0 ? next : Math.min(...open)
    expect(tracker).toMatchObject({ doneUpTo: expected, position: expected, isInHand: false })
  }
})

test('a loop that has one thing in hand commits what comes before it', () => {
  const tracker = begun(10)
  expect(tracker.toCommit).toBeUndefined()
  tracker.moveTo(13, 12)
  expect(tracker).toMatchObject({ position: 13, doneUpTo: 12, toCommit: 12, isInHand: true })
  tracker.moveTo(13)
  expect(tracker).toMatchObject({ doneUpTo: 13, isInHand: false })
  tracker.committedUpTo(13)
  expect(tracker.toCommit).toBeUndefined()
  tracker.committedUpTo(11)
  expect(tracker.committed).toBe(13)
})

test('what was sought is told to the broker, also where nothing of it was done yet', () => {
  expect(new OffsetTracker(3, { isCommitted: false }).toCommit).toBe(3)
  expect(new OffsetTracker(0, { isCommitted: false }).toCommit).toBe(0)
  expect(begun().isBegun).toBe(true)
  const sought = new OffsetTracker(0, { isCommitted: false })
  expect(sought.isBegun).toBe(false)
  sought.committedUpTo(0)
  expect(sought.isBegun).toBe(true)
})
