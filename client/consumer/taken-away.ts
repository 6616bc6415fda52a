/** What is said of a partition that is not a consumer's any more, where it is known without asking. */

import { SpoolError } from '../api/errors.ts'
import type { TopicPartition } from './held-partition.ts'

/** As the broker would refuse it. */
export function takenAway({ topic, partition }: TopicPartition): SpoolError {
  return new SpoolError(
    'FENCED_MEMBER_EPOCH',
    `partition ${partition} of ${topic} is not this consumer's, or was taken away, rewound or sought elsewhere since this was given`,
    { outcome: 'refused' },
  )
}
