/**
 * The uniform assignor, and the default one: as many partitions for each member as for the next, give or
 * take one, moving as few as that allows. Here is the case of one subscription for all; groups whose
 * members subscribe to different topics are `uniform-mixed.ts`.
 *
 * With P partitions and N members everyone gets ⌊P/N⌋, and P mod N of them one more. Those places for one
 * more go first to members that hold more already:
 *
 *     before   a ●●●●●   b ●●●●   c (new)     P = 9, N = 3: everyone 3, nobody one more
 *     kept     a ●●●     b ●●●                what is beyond the quota is dealt out
 *     after    a ●●●     b ●●●    c ●●●       three moved, the fewest there can be
 *
 * Partitions to deal out go round by topic, so that the partitions of a new topic are spread too.
 */

import type { GroupTopic } from '../group-topics.ts'
import {
  AssignmentBuilder,
  type AssignorMember,
  type AssignorQuestion,
  type GroupAssignment,
} from './assignor.ts'
import { type HeldPartition, KeptPartitions } from './kept-partitions.ts'
import { assignMixed } from './uniform-mixed.ts'

export function assignUniformly(question: AssignorQuestion): GroupAssignment {
  const subscription = question.members[0]?.topics
  const isShared = question.members.every(({ topics }) => topics === subscription)
  return isShared ? assignShared(question) : assignMixed(question)
}

function assignShared(question: AssignorQuestion): GroupAssignment {
  const { members, topics } = question
  const builder = new AssignmentBuilder(question)
  const kept = new KeptPartitions(question)
  const quotas = quotasOf(members, topics, kept)
  const needy: { memberId: string; missing: number }[] = []
  for (const { memberId } of members) {
    const quota = quotas.get(memberId)!
    const mine = kept.ofMember(memberId)
    const surplus = surplusOf(mine, mine.length - quota)
    for (const held of mine) {
      if (surplus.has(held)) kept.release(held)
      else builder.add(memberId, held.topicId, held.partition)
    }
    if (mine.length < quota) needy.push({ memberId, missing: quota - mine.length })
  }
  deal(kept.unassigned(), needy, builder)
  return builder.finish()
}

/** How many partitions each member gets. */
function quotasOf(
  members: readonly AssignorMember[],
  topics: readonly GroupTopic[],
  kept: KeptPartitions,
): Map<string, number> {
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions, 0)
  const least = Math.floor(partitions / members.length)
  let larger = partitions % members.length
  const quotas = new Map<string, number>()
  const countOf = (member: AssignorMember) => kept.ofMember(member.memberId).length
  // Whoever holds more than the least keeps one more by it; what is left of those places goes to anybody.
  const byNeed = [...members].sort(
    (a, b) => Number(countOf(b) > least) - Number(countOf(a) > least),
  )
  for (const { memberId } of byNeed) {
    quotas.set(memberId, larger > 0 ? least + 1 : least)
    larger--
  }
  return quotas
}

/**
 * Which `count` partitions a member gives up: always of the topic it has most of, so that a newcomer gets
 * its share of the busy topics and not only the last in the alphabet.
 */
function surplusOf(mine: readonly HeldPartition[], count: number): ReadonlySet<HeldPartition> {
  const surplus = new Set<HeldPartition>()
  if (count <= 0) return surplus
  const byTopic = Map.groupBy(mine, ({ topicId }) => topicId)
  while (surplus.size < count) {
    let most: HeldPartition[] = []
    for (const held of byTopic.values()) if (held.length > most.length) most = held
    surplus.add(most.pop()!)
  }
  return surplus
}

/** One partition to each in turn, until everyone has what is missing. */
function deal(
  partitions: Iterable<HeldPartition>,
  needy: { memberId: string; missing: number }[],
  builder: AssignmentBuilder,
): void {
  let round = needy
  let next = 0
  for (const { topicId, partition } of partitions) {
    if (next === round.length) {
      round = round.filter(({ missing }) => missing > 0)
      next = 0
    }
    const member = round[next++]!
    builder.add(member.memberId, topicId, partition)
    member.missing--
  }
}
