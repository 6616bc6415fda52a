/**
 * What a reset is to do, partition by partition: which partitions the request means, and which offset its
 * position is in each of them at this moment. The group decides what comes of it.
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { Position } from '../../../client/api/positions.ts'
import type { ResetOffsets } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { ResetTarget } from '../../groups/group-event.ts'
import { groupPlaces } from '../../groups/group-places.ts'
import type { Partition } from '../../partition/partition.ts'
import { positionOf, resolvePosition } from '../resolve-position.ts'
import { checkPartitionCount } from './document-limits.ts'

interface Place {
  readonly topic: string
  readonly partition: number
}

/** @throws SpoolError INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, GROUP_ID_NOT_FOUND. */
export async function resetTargets(
  context: BrokerContext,
  groupId: string,
  { topics, partitions, to }: ResetOffsets,
): Promise<ResetTarget[]> {
  checkPartitionCount(context, 'partitions', partitions?.length ?? 0)
  if (typeof to === 'object' && 'offsets' in to) {
    if (topics !== undefined || partitions !== undefined) {
      throw invalid('to', 'lists partitions itself: leave out topics and partitions')
    }
    checkPartitionCount(context, 'to', to.offsets.length)
    checkOnce('to', to.offsets)
    return to.offsets.map(({ topic, partition, offset }) =>
      target(context.replicas.partition(topic, partition), { offset }),
    )
  }
  const places = await placesOf(context, groupId, topics, partitions)
  if (places.length === 0)
    throw invalid('topics', 'is needed: the group has committed nothing and reads nothing')
  if (typeof to === 'object') {
    return places.map(({ topic, partition }) =>
      target(context.replicas.partition(topic, partition), { shift: to.shift }),
    )
  }
  const position = positionOf(to, 'field', 'to')
  if (position.kind === 'offset' && places.length > 1) {
    throw invalid(
      'to',
      `is the offset ${position.offset}, which means a record of one partition; this is about ${places.length}: name one, give a time, or {"offsets": […]}`,
    )
  }
  const now = context.clock.now()
  const targets: ResetTarget[] = []
  for (const { topic, partition } of places) {
    const served = context.replicas.partition(topic, partition)
    targets.push(target(served, { offset: await offsetOf(served, position, now) }))
  }
  return targets
}

/** An offset is taken as it is: the group says where it was clamped. */
async function offsetOf(partition: Partition, position: Position, now: number): Promise<number> {
  if (position.kind === 'offset') return position.offset
  return (await resolvePosition(partition, position, now)).offset
}

function target(partition: Partition, to: ResetTarget['to']): ResetTarget {
  const { topic, logStartOffset, highWatermark } = partition
  return { topic, partition: partition.partition, to, logStartOffset, logEndOffset: highWatermark }
}

async function placesOf(
  context: BrokerContext,
  groupId: string,
  topics: readonly string[] | undefined,
  partitions: readonly Place[] | undefined,
): Promise<readonly Place[]> {
  if (topics === undefined && partitions === undefined) return await placesOfGroup(context, groupId)
  const ofTopics = [...new Set(topics)].flatMap((topic) =>
    context.replicas.partitionsOf(topic).map(({ partition }) => ({ topic, partition })),
  )
  const named = partitions ?? []
  const isTwice = named.some(({ topic }) => topics?.includes(topic))
  if (isTwice) throw invalid('partitions', 'names a topic that topics has whole')
  checkOnce('partitions', named)
  return [...ofTopics, ...named]
}

/** Every partition the group has committed or reads, and those on their way from one member to another. */
async function placesOfGroup(context: BrokerContext, groupId: string): Promise<readonly Place[]> {
  const group = await context.groups.describe(groupId)
  const topics = context.groups.topics
  return groupPlaces(group).filter(
    ({ topic, topicId }) => topics.byName(topic)?.topicId === topicId,
  )
}

function checkOnce(field: string, places: readonly Place[]): void {
  const seen = new Set<string>()
  for (const { topic, partition } of places) {
    const key = `${topic}/${partition}`
    if (seen.has(key)) throw invalid(field, `names partition ${partition} of ${topic} twice`)
    seen.add(key)
  }
}

function invalid(field: string, why: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', `field ${field} ${why}`, { extensions: { field } })
}
