/** Worlds against the broker: it goes on with what it can, recovers, or says in one sentence why it does not start. */

import { expect, test } from 'vitest'
import { ENVIRONMENTS, runEnvironment } from './environments.ts'

test.each(ENVIRONMENTS.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
  const { problems, skipped } = await runEnvironment(each)
  if (skipped !== undefined) console.log(`${each.name} was not tried: ${skipped}`)
  expect(problems).toEqual([])
})
