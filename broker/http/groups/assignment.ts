/** An assignment as members get it over HTTP: a flat list, each partition with the offset to begin at. */

import type { AssignedPartition } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { AssignedTopic, CommittedOffset } from '../../groups/group-event.ts'
import type { TopicPartitions } from '../../groups/group-topics.ts'
import type { Partition } from '../../partition/partition.ts'

/** Every assigned partition that is served, with where its owner begins. */
export async function assignmentOf(
  context: BrokerContext,
  groupId: string,
  assignment: readonly AssignedTopic[],
): Promise<AssignedPartition[]> {
  const places = flat(assignment)
  const { offsets } = await context.groups.run(groupId, {
    kind: 'fetchOffsets',
    partitions: places,
  })
  const committed = new Map(offsets.map((each) => [keyOf(each), each]))
  return places.map(({ topic, topicId, partition }) => {
    const offset = startOf(
      context.replicas.find(topic, partition),
      committed.get(keyOf({ topic, partition })),
      topicId,
    )
    return { topic, topicId, partition, ...(offset === undefined ? {} : { offset }) }
  })
}

/** The partitions of an assignment, one by one; those of topics that are gone left out. */
export function flat(
  assignment: readonly AssignedTopic[],
): { topic: string; topicId: string; partition: number }[] {
  return assignment.flatMap(({ topic, topicId, partitions }) =>
    topic === '' ? [] : partitions.map((partition) => ({ topic, topicId, partition })),
  )
}

/** What a member says it owns, by topic id; partitions of topics that are gone are not its any more. */
export function ownedOf(
  context: BrokerContext,
  owned: readonly {
    readonly topic: string
    readonly topicId?: string
    readonly partition: number
  }[],
): TopicPartitions[] {
  const { topics } = context.groups
  const present = owned.flatMap(({ topic, topicId: readId, partition }) => {
    const topicId = topics.byName(topic)?.topicId
    return topicId === undefined || (readId ?? topicId) !== topicId ? [] : [{ topicId, partition }]
  })
  return byTopicId(present)
}

/** As the group's machine lists them: each once, rising within its topic. */
export function byTopicId(
  places: readonly { readonly topicId: string; readonly partition: number }[],
): TopicPartitions[] {
  return [...Map.groupBy(places, ({ topicId }) => topicId)].map(([topicId, ofTopic]) => ({
    topicId,
    partitions: [...new Set(ofTopic.map(({ partition }) => partition))].sort((a, b) => a - b),
  }))
}

/** Where a partition ends for its readers, for a commit that must not be beyond; nothing where it is not served. */
export function endOf(
  context: BrokerContext,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): { readonly logEndOffset?: number } {
  const served = context.replicas.find(topic, partition)
  return served === undefined ? {} : { logEndOffset: served.highWatermark }
}

/** The same by topic id, as tokens name a partition. */
export function endOfToken(
  context: BrokerContext,
  { topicId, partition }: { readonly topicId: string; readonly partition: number },
): { readonly logEndOffset?: number } {
  const topic = context.groups.topics.byId(topicId)?.name
  return topic === undefined ? {} : endOf(context, { topic, partition })
}

/** Where reading begins: at the commit for this very topic, and nowhere that the log does not reach. */
export function startOf(
  partition: Partition | undefined,
  committed: CommittedOffset | undefined,
  topicId: string,
): number | undefined {
  if (partition === undefined) return undefined
  const { logStartOffset, highWatermark } = partition
  const isOfTopic = committed !== undefined && committed.topicId === topicId
  if (!isOfTopic || committed.offset < 0) return logStartOffset
  return Math.min(Math.max(committed.offset, logStartOffset), highWatermark)
}

function keyOf({
  topic,
  partition,
}: {
  readonly topic: string
  readonly partition: number
}): string {
  return `${topic}/${partition}`
}
