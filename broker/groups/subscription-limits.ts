/**
 * How different the subscriptions of a group's members may be. Those that are alike are looked at once,
 * however many members there are; a group in which they differ costs more with each. Pure.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { LISTED_TOPICS_MAX, PATTERNS_MAX } from './group-limits.ts'
import type { GroupState } from './group-state.ts'
import type { MemberMetadataValue } from './records/group-record.ts'
import { patternOf, subscriptionKey } from './subscriptions.ts'

/** @throws SpoolError LIMIT_EXCEEDED where the member would subscribe to one thing more than there may be. */
export function checkSubscriptions(
  state: GroupState,
  memberId: string,
  after: MemberMetadataValue,
): void {
  const others = [...state.members].filter(([id]) => id !== memberId).map(([, member]) => member)
  checkPatterns(state, others, after)
  checkLists(state, others, after)
}

function checkPatterns(
  state: GroupState,
  others: readonly MemberMetadataValue[],
  after: MemberMetadataValue,
): void {
  const pattern = patternOf(after)
  if (pattern === undefined || state.patterns.has(pattern)) return
  const patterns = new Set(others.flatMap((member) => patternOf(member) ?? []))
  if (patterns.size < PATTERNS_MAX) return
  throw new SpoolError(
    'LIMIT_EXCEEDED',
    `members of group ${state.groupId} subscribe to ${patterns.size} different patterns, the most there may be; use one of theirs, or another group`,
    { extensions: { field: 'topicPattern', max: PATTERNS_MAX } },
  )
}

function checkLists(
  state: GroupState,
  others: readonly MemberMetadataValue[],
  after: MemberMetadataValue,
): void {
  const lists = new Map(others.map((member) => [subscriptionKey(member), member]))
  const own = subscriptionKey(after)
  if (lists.has(own)) return
  let listed = 0
  for (const { subscribedTopicNames } of lists.values()) listed += subscribedTopicNames.length
  const more = after.subscribedTopicNames.length
  if (listed + more <= LISTED_TOPICS_MAX) return
  throw new SpoolError(
    'LIMIT_EXCEEDED',
    `members of group ${state.groupId} have ${lists.size} different lists of ${listed} topics in all; ${more} more are beyond the ${LISTED_TOPICS_MAX} there may be: use one of their lists, a pattern, or another group`,
    { extensions: { field: 'topics', max: LISTED_TOPICS_MAX } },
  )
}
