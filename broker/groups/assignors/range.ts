/**
 * The range assignor: each topic's partitions in order, cut into one run for each of its subscribers. For
 * members with the same subscription, partition p of every topic of the same size goes to the same member:
 * that is what it is for (joins of topics that are keyed alike), and why runs are cut even where it moves
 * more than `uniform` would.
 *
 *     orders  0 1 2 | 3 4 5 | 6 7        members keep their order: by what they had, so that a
 *     clicks  0 1 2 | 3 4 5 | 6 7        newcomer comes last and boundaries move, not runs
 *             a       b       c
 */

import {
  AssignmentBuilder,
  type AssignorMember,
  type AssignorQuestion,
  type GroupAssignment,
} from './assignor.ts'

export function assignRanges(question: AssignorQuestion): GroupAssignment {
  const builder = new AssignmentBuilder(question)
  const members = inTheirOrder(question)
  const subscriptions = new Set(members.map(({ topics }) => topics))
  const subscribed = new Map([...subscriptions].map((topics) => [topics, new Set(topics)]))
  for (const topic of question.topics) {
    const subscribers = members.filter(({ topics }) => subscribed.get(topics)!.has(topic))
    const least = Math.floor(topic.partitions / subscribers.length)
    const larger = topic.partitions % subscribers.length
    let partition = 0
    for (const [index, { memberId }] of subscribers.entries()) {
      const end = partition + least + (index < larger ? 1 : 0)
      for (; partition < end; partition++) builder.add(memberId, topic.topicId, partition)
    }
  }
  return builder.finish()
}

/**
 * By the first partition each had, the others after them by instance id and member id. Where all subscribe
 * alike, runs begin in the same order in every topic, so that this order is the one before. Where they do
 * not, there is no such order, and names decide.
 */
function inTheirOrder({ members, topics }: AssignorQuestion): AssignorMember[] {
  const byName = [...members].sort(compareNames)
  if (members.some((member) => member.topics !== members[0]!.topics)) return byName
  const ids = new Set(topics.map(({ topicId }) => topicId))
  const places = new Map(byName.map((member) => [member, firstPartition(member, ids)]))
  return byName.sort((a, b) => compare(places.get(a)!, places.get(b)!))
}

function firstPartition({ previous }: AssignorMember, topicIds: ReadonlySet<string>): number {
  let first = Number.POSITIVE_INFINITY
  for (const { topicId, partitions } of previous) {
    if (topicIds.has(topicId)) first = Math.min(first, ...partitions.slice(0, 1))
  }
  return first
}

function compareNames(a: AssignorMember, b: AssignorMember): number {
  if (a.instanceId !== null && b.instanceId === null) return -1
  if (a.instanceId === null && b.instanceId !== null) return 1
  return compare(a.instanceId ?? '', b.instanceId ?? '') || compare(a.memberId, b.memberId)
}

function compare<T extends number | string>(a: T, b: T): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
