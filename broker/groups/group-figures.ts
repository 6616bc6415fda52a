/** How far groups are behind, for whoever counts: looked up in the groups and the logs, nothing kept. */

import type { BrokerContext } from '../context.ts'
import type { GroupFigures, GroupPlaceFigures } from '../group-metrics.ts'
import type { Partition } from '../partition/partition.ts'

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
        all += group.offsetCount
        if (places.length >= max) continue
        const offsets = group.committed(context.groups.topics)
        for (const { topic, topicId, partition, offset } of offsets) {
          if (places.length >= max) break
          const served = servedPartition(context, topic, topicId, partition)
          if (served === undefined) continue
          const lag = await context.groups.lags.lagAt(served, offset, context.clock.now())
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
