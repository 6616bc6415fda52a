/** Where a group stands, as a document: committed offsets beside what the partitions hold, and the lag. */

import type { GroupOffset } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { CommittedOffset, GroupDescription } from '../../groups/group-event.ts'
import { flat, servedPartition } from './assignment.ts'

/** Every partition the group has committed, or a member reads or is to read, by topic and partition. */
export async function groupOffsets(
  context: BrokerContext,
  { offsets, members }: GroupDescription,
  topic?: string,
): Promise<GroupOffset[]> {
  const owners = new Map<string, string>()
  const places = new Map<string, Place>()
  for (const { memberId, assignment, revoking, target } of members) {
    // Whoever has yet to let go of a partition still reads it; whoever waits for it does not yet.
    for (const place of flat([...assignment, ...revoking])) {
      owners.set(keyOf(place), memberId)
      places.set(keyOf(place), place)
    }
    for (const place of flat(target)) places.set(keyOf(place), place)
  }
  for (const committed of offsets) places.set(keyOf(committed), { ...committed, committed })
  const wanted = [...places.values()]
    .filter((place) => topic === undefined || place.topic === topic)
    .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
  const documents: GroupOffset[] = []
  for (const place of wanted) {
    const memberId = owners.get(keyOf(place)) ?? null
    documents.push({ ...(await offsetOf(context, place)), memberId })
  }
  return documents
}

interface Place {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly committed?: CommittedOffset
}

async function offsetOf(
  context: BrokerContext,
  { topic, topicId, partition, committed }: Place,
): Promise<Omit<GroupOffset, 'memberId'>> {
  const place = {
    topic,
    topicId,
    partition,
    offset: committed?.offset ?? null,
    ...(committed === undefined
      ? {}
      : { metadata: committed.metadata, committedAt: committed.commitTimestampMs }),
  }
  const served = servedPartition(context, topic, partition)
  if (served === undefined || served.topicId !== topicId) {
    return { ...place, logStartOffset: null, highWatermark: null, lag: null, lagMs: null }
  }
  const { logStartOffset, highWatermark } = served
  const from = committed?.offset ?? logStartOffset
  const lag = await context.groups.lags.lagAt(served, from, context.clock.now())
  return { ...place, logStartOffset, highWatermark, lag: lag.records, lagMs: lag.ms }
}

function keyOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}
