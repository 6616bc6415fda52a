/** What metrics say of more places of groups than they tell of. */

import { expect, test } from 'vitest'
import { groupFigures } from '../../../broker/groups/group-figures.ts'
import { startBroker } from '../../../broker/testing.ts'
import { GroupClient } from '../http/groups/group-client.ts'

test('places that are too many are counted: committed ones, and those that members have', async () => {
  await using broker = await startBroker()
  const client = new GroupClient(broker.url)
  await client.topic('orders', 4, 8)
  const offsets = [0, 1].map((partition) => ({ topic: 'orders', partition, offset: 1 }))
  await client.get('PUT', '/v1/groups/a/offsets', { offsets })
  await client.join('a', { topics: ['orders'] })
  await client.join('b', { topics: ['orders'] })
  await client.get('PUT', '/v1/groups/c/offsets', { offsets })
  const { places } = groupFigures(broker.context)
  const all = await places(100)
  expect(
    all.told.map(({ group, partition, lagRecords }) => [group, partition, lagRecords]),
  ).toEqual([
    ['a', 0, 1],
    ['a', 1, 1],
    ['a', 2, 2],
    ['a', 3, 2],
    ...[0, 1, 2, 3].map((partition) => ['b', partition, 2]),
    ['c', 0, 1],
    ['c', 1, 1],
  ])
  expect(all.untold).toBe(0)
  for (const max of [0, 3, 4, 6]) {
    const { told, untold } = await places(max)
    expect(told).toHaveLength(max)
    expect(untold).toBe(10 - max)
  }
})
