/** Which offset may be committed: all that comes before what is in hand. */

import { expect, test } from 'vitest'
import { OffsetTracker } from '../../../client/consumer/offset-tracker.ts'

const begun = (offset = 0) => new OffsetTracker(offset, { isCommitted: true })

test('what is in hand and is given up will be given again', () => {
  const tracker = begun(10)
  tracker.moveTo(15, 12)
  tracker.abandon()
  expect(tracker).toMatchObject({ doneUpTo: 12, position: 12, toCommit: 12, isInHand: false })
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
