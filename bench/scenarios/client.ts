/**
 * Our own client, in a process of its own, sharing the processors with the broker: what each way of
 * producing costs, beside a raw client as the ceiling. Acknowledged after fdatasync (the default).
 */

import { PRODUCING_TRIALS, producingRatios } from '../client-producing.ts'
import type { Scenario } from '../scenario.ts'

export const scenario: Scenario = {
  name: 'client',
  sentence: 'the TypeScript client in a process beside the broker, acknowledged after fdatasync',
  trials: PRODUCING_TRIALS,
  derive: producingRatios,
}
