/** A thousand partitions with a little in each: what many logs cost in time and memory. */

import { restartTrial } from '../restart-trial.ts'
import type { Scenario } from '../scenario.ts'

const RECORDS = 1_000_000
const PARTITIONS = 1_000

export const scenario: Scenario = {
  name: 'partitions',
  sentence: `${RECORDS.toLocaleString('en-US')} records of 100 B in ${PARTITIONS} partitions`,
  roundsMax: 1,
  trials: [
    restartTrial({
      name: `${PARTITIONS} partitions`,
      partitions: PARTITIONS,
      records: RECORDS,
      recordBytes: 100,
      batchBytes: 16 * 1024,
    }),
  ],
}
