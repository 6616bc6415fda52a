/** Ten million records in a few partitions: starting again after a clean stop and after kill -9. */

import { restartTrial } from '../restart-trial.ts'
import type { Scenario } from '../scenario.ts'

const RECORDS = 10_000_000
const PARTITIONS = 8

export const scenario: Scenario = {
  name: 'recovery',
  sentence: `${RECORDS.toLocaleString('en-US')} records of 100 B in ${PARTITIONS} partitions`,
  roundsMax: 1,
  trials: [
    restartTrial({
      name: `${PARTITIONS} partitions`,
      partitions: PARTITIONS,
      records: RECORDS,
      recordBytes: 100,
      batchBytes: 256 * 1024,
    }),
  ],
}
