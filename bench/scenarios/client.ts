/**
 * Our own client, in a process of its own, sharing the processors with the broker: what each way of
 * producing and reading costs, beside raw clients as the ceiling. Acknowledged after fdatasync (the
 * default); read from the page cache.
 */

import { PRODUCING_TRIALS, producingRatios } from '../client-producing.ts'
import { READING_TRIALS, readingRatios } from '../client-reading.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'client',
  sentence: 'the TypeScript client in a process beside the broker, acknowledged after fdatasync',
  trials: [...PRODUCING_TRIALS, ...READING_TRIALS],
  derive: (median) => [...producingRatios(median), ...readingRatios(median)],
}
