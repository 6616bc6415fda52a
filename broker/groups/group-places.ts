/** The partitions a group has to do with: where it committed, and what its members read or are to read. Pure. */

import type { AssignedTopic, CommittedOffset, GroupDescription } from './group-event.ts'

export interface GroupPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** `undefined` where nothing is committed: a member begins at the start. */
  readonly committed: CommittedOffset | undefined
  /** Who reads there, which is still whoever has yet to let go of it. */
  readonly memberId: string | null
}

/** By topic and partition; what members had of topics that are gone is left out. */
export function groupPlaces({ offsets, members }: GroupDescription): GroupPlace[] {
  const places = new Map<string, GroupPlace>()
  const add = (topics: readonly AssignedTopic[], memberId: string | null) => {
    for (const { topic, topicId, partitions } of topics) {
      if (topic === '') continue
      for (const partition of partitions) {
        const key = `${topic}/${partition}`
        if (memberId === null && places.has(key)) continue
        places.set(key, { topic, topicId, partition, committed: undefined, memberId })
      }
    }
  }
  for (const { memberId, assignment, revoking } of members) {
    add(assignment, memberId)
    add(revoking, memberId)
  }
  // Whoever waits for a partition does not read it yet.
  for (const { target } of members) add(target, null)
  for (const committed of offsets) {
    const { topic, topicId, partition } = committed
    const key = `${topic}/${partition}`
    const memberId = places.get(key)?.memberId ?? null
    places.set(key, { topic, topicId, partition, committed, memberId })
  }
  return [...places.values()].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}
