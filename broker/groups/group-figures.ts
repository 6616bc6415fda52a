/** How far groups are behind, for whoever counts: looked up in the groups and the logs, nothing kept. */

import type { BrokerContext } from '../context.ts'
import type { GroupFigures, GroupPlaceFigures } from '../group-metrics.ts'
import type { Partition } from '../partition/partition.ts'
import type { GroupMachine } from './group-machine.ts'
import type { GroupTopics } from './group-topics.ts'

export function groupFigures(context: BrokerContext): GroupFigures {
  const groups = () => (context.isReady() ? [...context.groups.groups()] : [])
  return {
    count: () => groups().length,
    members: () => groups().reduce((sum, group) => sum + group.memberCount, 0),
    bytes: () => (context.isReady() ? context.groups.heldBytes : 0),
    async places(max) {
      const places: GroupPlaceFigures[] = []
      let all = 0
      for (const group of groups().sort((a, b) => (a.groupId < b.groupId ? -1 : 1))) {
        const read = placesOf(group, context.groups.topics)
        for (const { topic, topicId, partition, offset } of read) {
          const served = servedPartition(context, topic, topicId, partition)
          if (served === undefined) continue
          all++
          if (places.length >= max) continue
          const from = offset ?? served.logStartOffset
          const lag = await context.groups.lags.lagAt(served, from, context.clock.now())
          const { groupId } = group
          places.push({
            group: groupId,
            topic,
            partition,
            lagRecords: lag.records,
            lagSeconds: lag.ms === null ? null : lag.ms / 1_000,
          })
        }
      }
      return { places, all }
    },
  }
}

interface PlaceRead {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** What is committed; a member that has not committed yet is behind by all of the partition. */
  readonly offset?: number
}

/** What the group has committed, and what its members have. */
function placesOf(group: GroupMachine, topics: GroupTopics): Iterable<PlaceRead> {
  const committed = group.committed(topics)
  if (group.memberCount === 0) return committed
  const places = new Map<string, PlaceRead>()
  for (const { assignment } of group.describe(topics).members) {
    for (const { topic, topicId, partitions } of assignment) {
      if (topic === '') continue
      for (const partition of partitions) {
        places.set(`${topic}/${partition}`, { topic, topicId, partition })
      }
    }
  }
  for (const place of committed) places.set(`${place.topic}/${place.partition}`, place)
  return places.values()
}

function servedPartition(
  { replicas }: BrokerContext,
  topic: string,
  topicId: string,
  partition: number,
): Partition | undefined {
  try {
    const served = replicas.partition(topic, partition)
    return served.isServed && served.topicId === topicId ? served : undefined
  } catch {
    return undefined
  }
}
