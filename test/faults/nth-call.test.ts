/**
 * Whichever disk call fails, nothing acknowledged is lost, nothing refused appears, a failed sync takes
 * its log offline and a full disk does not, and the next start on a good disk works. Two ways of failing
 * for each call here; all of them: `node test/faults/nth-call-campaign.ts`.
 */

import { expect, test } from 'vitest'
import { failEveryCall } from './nth-call-campaign.ts'

test('any call of a life may fail: create, append, roll, flush, retention, delete, close', async () => {
  const { calls, failed } = await failEveryCall('life', true)
  expect(failed).toEqual([])
  expect(calls).toBeGreaterThan(300)
})

test('any call of a start after a crash may fail, and the start after it finds everything', async () => {
  const { calls, failed } = await failEveryCall('start', true)
  expect(failed).toEqual([])
  expect(calls).toBeGreaterThan(50)
})
