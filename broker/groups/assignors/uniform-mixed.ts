/**
 * The uniform assignor where members subscribe to different topics. Perfect balance may not exist (a
 * member alone on a large topic has all of it), so it goes as far as single moves lead:
 *
 *   1. everyone keeps what it had of topics it subscribes to;
 *   2. what is left goes, topic by topic, to the subscriber with the fewest partitions, topics with few
 *      subscribers first, because the others can even out what these must take;
 *   3. as long as some topic has a subscriber with at least two partitions more than another, one of the
 *      topic's partitions moves over.
 *
 * Each move of step 3 makes the sum of the squares of the counts smaller, so it ends; at its end, members
 * with equal subscriptions differ by one at most, for otherwise there would be one more move.
 */

import type { GroupTopic } from '../group-topics.ts'
import { AssignmentBuilder, type AssignorQuestion, type GroupAssignment } from './assignor.ts'
import { KeptPartitions } from './kept-partitions.ts'

interface Holder {
  readonly memberId: string
  count: number
  /** Partitions by topic; the last of a topic is the first to move. */
  readonly held: Map<string, number[]>
}

interface TopicHolders {
  readonly topic: GroupTopic
  readonly holders: readonly Holder[]
}

export function assignMixed(question: AssignorQuestion): GroupAssignment {
  const kept = new KeptPartitions(question)
  const holders = new Map<string, Holder>()
  for (const { memberId } of question.members) {
    const held = new Map<string, number[]>()
    const mine = kept.ofMember(memberId)
    for (const { topicId, partition } of mine) addTo(held, topicId, partition)
    holders.set(memberId, { memberId, count: mine.length, held })
  }
  const topics = holdersByTopic(question, holders)
  giveOut(kept, topics)
  while (topics.reduce((moves, topic) => moves + evenOut(topic), 0) > 0);
  return toAssignment(question, holders.values())
}

/** By rising number of subscribers, then by name. */
function holdersByTopic(
  { members, topics }: AssignorQuestion,
  holders: ReadonlyMap<string, Holder>,
): TopicHolders[] {
  const byTopic = new Map(topics.map((topic) => [topic.topicId, [] as Holder[]]))
  for (const member of members) {
    const holder = holders.get(member.memberId)!
    for (const { topicId } of member.topics) byTopic.get(topicId)?.push(holder)
  }
  const lists = topics.map((topic) => ({ topic, holders: byTopic.get(topic.topicId)! }))
  return lists.sort((a, b) => a.holders.length - b.holders.length)
}

function giveOut(kept: KeptPartitions, topics: readonly TopicHolders[]): void {
  const waiting = new Map<string, number[]>()
  for (const { topicId, partition } of kept.unassigned()) addTo(waiting, topicId, partition)
  for (const { topic, holders } of topics) {
    for (const partition of waiting.get(topic.topicId) ?? []) {
      let fewest = holders[0]!
      for (const holder of holders) if (holder.count < fewest.count) fewest = holder
      addTo(fewest.held, topic.topicId, partition)
      fewest.count++
    }
  }
}

/** Moves partitions of one topic from those with the most to those with the fewest; says how many. */
function evenOut({ topic: { topicId }, holders }: TopicHolders): number {
  let moves = 0
  for (;;) {
    let most: Holder | undefined
    let fewest = holders[0]!
    for (const holder of holders) {
      if (holder.count < fewest.count) fewest = holder
      const hasSome = (holder.held.get(topicId)?.length ?? 0) > 0
      if (hasSome && (most === undefined || holder.count > most.count)) most = holder
    }
    if (most === undefined || most.count - fewest.count < 2) return moves
    addTo(fewest.held, topicId, most.held.get(topicId)!.pop()!)
    most.count--
    fewest.count++
    moves++
  }
}

function toAssignment(question: AssignorQuestion, holders: Iterable<Holder>): GroupAssignment {
  const builder = new AssignmentBuilder(question)
  for (const { memberId, held } of holders) {
    for (const [topicId, partitions] of held) {
      for (const partition of partitions) builder.add(memberId, topicId, partition)
    }
  }
  return builder.finish()
}

function addTo(byTopic: Map<string, number[]>, topicId: string, partition: number): void {
  const partitions = byTopic.get(topicId)
  if (partitions === undefined) byTopic.set(topicId, [partition])
  else partitions.push(partition)
}
