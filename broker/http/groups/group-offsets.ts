/** Where a group stands, as a document: committed offsets beside what the partitions hold, and the lag. */

import type { GroupOffset } from '../../../client/api/schemas/groups.ts'
import type { BrokerContext } from '../../context.ts'
import type { GroupDescription } from '../../groups/group-event.ts'
import { type GroupPlace, groupPlaces } from '../../groups/group-places.ts'

/** Partitions whose next record is looked for at once. */
const LOOKS_AT_ONCE = 16

/** Every partition the group has committed, or a member reads or is to read, by topic and partition. */
export async function groupOffsets(
  context: BrokerContext,
  group: GroupDescription,
  topic?: string,
): Promise<GroupOffset[]> {
  const wanted = groupPlaces(group).filter((place) => topic === undefined || place.topic === topic)
  const documents: GroupOffset[] = []
  for (let at = 0; at < wanted.length; at += LOOKS_AT_ONCE) {
    const looks = wanted.slice(at, at + LOOKS_AT_ONCE).map((place) => offsetOf(context, place))
    documents.push(...(await Promise.all(looks)))
  }
  return documents
}

async function offsetOf(
  context: BrokerContext,
  { topic, topicId, partition, committed, memberId }: GroupPlace,
): Promise<GroupOffset> {
  const place = {
    topic,
    topicId,
    partition,
    offset: committed?.offset ?? null,
    ...(committed === undefined
      ? {}
      : { metadata: committed.metadata, committedAt: committed.commitTimestampMs }),
  }
  const served = context.replicas.find(topic, partition)
  if (served === undefined || served.topicId !== topicId) {
    return { ...place, logStartOffset: null, highWatermark: null, lag: null, lagMs: null, memberId }
  }
  const { logStartOffset, highWatermark } = served
  const from = committed?.offset ?? logStartOffset
  const lag = await context.groups.lags.lagAt(served, from, context.clock.now())
  return { ...place, logStartOffset, highWatermark, lag: lag.records, lagMs: lag.ms, memberId }
}
