/** The campaign finds bugs that are put in on purpose; with none put in, it finds none. */

import { expect, test } from 'vitest'
import { hunt, PLANTED_BUGS } from './planted-bugs.ts'

/** Thousands of seeds, on a machine that has other things to do. */
const HUNT_MS_MAX = 300_000

for (const bug of PLANTED_BUGS) {
  test(
    `found: ${bug.name}`,
    async () => {
      const { seed, output } = await hunt(bug)
      expect(seed, output).toBeDefined()
    },
    HUNT_MS_MAX,
  )
}

test('a copy without a bug passes, so it is the bugs that are found', async () => {
  const { seed, output } = await hunt(undefined, 50)
  expect(seed, output).toBeUndefined()
})

test('a bug that no longer applies is an error', async () => {
  const bug = { name: 'nowhere', file: 'storage/clock.ts', find: 'not in it', replace: '' }
  await expect(hunt(bug, 1)).rejects.toThrow('applies in 0 places')
})
