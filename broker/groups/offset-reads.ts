/** What a group has committed, for people and programs to read. Offsets of a topic that is another one by now are not shown. */

import { isFor } from './committed-offsets.ts'
import type { CommittedOffset, FetchOffsetsEvent, FetchOffsetsReply } from './group-event.ts'
import { unknownGroup } from './group-refusals.ts'
import type { GroupState } from './group-state.ts'
import type { GroupTopics } from './group-topics.ts'
import type { OffsetCommitValue } from './records/group-record.ts'

export function fetchOffsets(
  state: GroupState,
  event: FetchOffsetsEvent,
  topics: GroupTopics,
): FetchOffsetsReply {
  if (state.isVoid) throw unknownGroup(state.groupId)
  if (event.partitions === undefined) return { offsets: committedOffsets(state, topics) }
  const offsets = event.partitions.map(({ topic, partition }) => {
    const value = state.offsets.get(topic, partition)
    return visible(topic, partition, value, topics) ?? none(topic, partition, topics)
  })
  return { offsets }
}

export function committedOffsets(state: GroupState, topics: GroupTopics): CommittedOffset[] {
  const offsets: CommittedOffset[] = []
  for (const [topic, partition, value] of state.offsets.entries()) {
    const shown = visible(topic, partition, value, topics)
    if (shown !== undefined) offsets.push(shown)
  }
  return offsets
}

function visible(
  topic: string,
  partition: number,
  value: OffsetCommitValue | undefined,
  topics: GroupTopics,
): CommittedOffset | undefined {
  if (value === undefined) return undefined
  const known = topics.byName(topic)
  if (known !== undefined && !isFor(value, known)) return undefined
  const { offset, leaderEpoch, metadata, commitTimestampMs } = value
  const topicId = value.topicId ?? known?.topicId ?? ''
  return { topic, topicId, partition, offset, leaderEpoch, metadata, commitTimestampMs }
}

function none(topic: string, partition: number, topics: GroupTopics): CommittedOffset {
  return {
    topic,
    topicId: topics.byName(topic)?.topicId ?? '',
    partition,
    offset: -1,
    leaderEpoch: -1,
    metadata: '',
    commitTimestampMs: -1,
  }
}
