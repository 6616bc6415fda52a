/** What a cluster looks like from outside. */

import { strictObject } from '../route.ts'
import { Type } from '../schema.ts'
import { BrokerId } from './scalars.ts'

export const ClusterDescription = strictObject({
  clusterId: Type.String(),
  controllerId: Type.Integer({
    minimum: -1,
    description: 'The broker that makes changes to the metadata; -1 while there is none.',
  }),
  brokers: Type.Array(
    strictObject({
      brokerId: BrokerId,
      url: Type.String({ description: 'Where clients reach it.' }),
    }),
  ),
})
