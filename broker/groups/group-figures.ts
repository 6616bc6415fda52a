/** How far groups are behind, for whoever counts: looked up in the groups and the logs, nothing kept. */

import type { BrokerContext } from '../context.ts'
import type { GroupFigures, GroupPlaceFigures } from '../group-metrics.ts'
import type { Partition } from '../partition/partition.ts'
import { type GroupPlace, groupPlaces } from './group-places.ts'

export function groupFigures(context: BrokerContext): GroupFigures {
  const groups = () => (context.isReady() ? [...context.groups.groups()] : [])
  return {
    count: () => groups().length,
    members: () => groups().reduce((sum, group) => sum + group.memberCount, 0),
    bytes: () => (context.isReady() ? context.groups.heldBytes : 0),
    async places(max) {
      const told: GroupPlaceFigures[] = []
      let untold = 0
      for (const group of groups().sort((a, b) => (a.groupId < b.groupId ? -1 : 1))) {
        const { topics } = context.groups
        if (told.length >= max) {
          untold += group.placeCount(topics)
          continue
        }
        for (const place of groupPlaces(group.describe(topics))) {
          const served = servedPartition(context, place)
          if (served === undefined) continue
          if (told.length >= max) untold++
          else told.push(await figuresOf(context, group.groupId, place, served))
        }
      }
      return { told, untold }
    },
  }
}

/** A group without a commit begins at the start of the log. */
async function figuresOf(
  { groups, clock }: BrokerContext,
  groupId: string,
  { topic, partition, committed }: GroupPlace,
  served: Partition,
): Promise<GroupPlaceFigures> {
  const from = committed?.offset ?? served.logStartOffset
  const { records, ms } = await groups.lags.lagAt(served, from, clock.now())
  const lagSeconds = ms === null ? null : ms / 1_000
  return { group: groupId, topic, partition, lagRecords: records, lagSeconds }
}

function servedPartition(
  { replicas }: BrokerContext,
  { topic, topicId, partition }: GroupPlace,
): Partition | undefined {
  const served = replicas.find(topic, partition)
  return served?.isServed && served.topicId === topicId ? served : undefined
}
