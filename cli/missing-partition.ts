/** A partition that was named and is not there, in one sentence for every verb. */

import { SpoolError } from '../client/api/errors.ts'
import { counted } from './numbers.ts'

export function noPartition(topic: string, partition: number, count: number): SpoolError {
  return new SpoolError(
    'UNKNOWN_TOPIC_OR_PARTITION',
    `${topic} has no partition ${partition}; it has ${counted(count, 'partition')}, counted from 0`,
  )
}
