/** A reading request on its way: what pages and streams have in common before the first record. */

import type { ROUTES } from '../../../client/api/routes.ts'
import type { Partition } from '../../partition/partition.ts'
import type { Call } from '../add-route.ts'
import type { ReadPlan } from './read-plan.ts'

export type ReadCall = Call<typeof ROUTES.readPartition> | Call<typeof ROUTES.readTopic>

export interface Reading {
  readonly call: ReadCall
  /** One, or all of the topic. */
  readonly partitions: readonly Partition[]
  /** True: all of the topic, be it one. */
  readonly isTopic: boolean
  readonly plan: ReadPlan
}
