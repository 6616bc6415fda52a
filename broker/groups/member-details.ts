/**
 * What a member says of itself, checked and laid over what it said before. Every refusal names the field,
 * the value and the bounds.
 */

import { SpoolError } from '../../client/api/errors.ts'
import { ASSIGNOR_NAMES, type MemberDetails } from './group-event.ts'
import {
  type GroupLimits,
  ID_CHARACTERS_MAX,
  REBALANCE_TIMEOUT_MS_DEFAULT,
  REBALANCE_TIMEOUT_MS_MAX,
  REBALANCE_TIMEOUT_MS_MIN,
  SUBSCRIBED_TOPICS_MAX,
  TOPIC_NAME_CHARACTERS_MAX,
} from './group-limits.ts'
import { invalidPattern } from './group-refusals.ts'
import type { TopicPatterns } from './group-topics.ts'
import type { MemberMetadataValue } from './records/group-record.ts'

/** A member of which nothing is known yet. */
export const UNKNOWN_MEMBER: MemberMetadataValue = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  subscribedTopicNames: [],
  // Kafka writes the empty text for "no pattern".
  subscribedTopicRegex: '',
  rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS_DEFAULT,
  serverAssignor: null,
  classic: null,
  sessionTimeoutMs: null,
}

/**
 * @throws SpoolError INVALID_REQUEST, INVALID_SESSION_TIMEOUT, UNSUPPORTED_ASSIGNOR or
 * INVALID_REGULAR_EXPRESSION.
 */
export function checkDetails(
  details: MemberDetails,
  limits: GroupLimits,
  patterns: TopicPatterns,
): void {
  const { topics, topicPattern, assignor, sessionTimeoutMs, rebalanceTimeoutMs } = details
  if (topics !== undefined) checkTopics(topics)
  if (topicPattern) checkPattern(topicPattern, patterns)
  if (assignor !== undefined && !ASSIGNOR_NAMES.includes(assignor)) {
    throw new SpoolError(
      'UNSUPPORTED_ASSIGNOR',
      `assignor is "${assignor}"; known are ${ASSIGNOR_NAMES.join(' and ')}`,
      { extensions: { field: 'assignor' } },
    )
  }
  if (sessionTimeoutMs !== undefined) {
    const { sessionTimeoutMsMin: min, sessionTimeoutMsMax: max } = limits
    checkBounds('INVALID_SESSION_TIMEOUT', 'sessionTimeoutMs', sessionTimeoutMs, min, max)
  }
  if (rebalanceTimeoutMs !== undefined) {
    const [min, max] = [REBALANCE_TIMEOUT_MS_MIN, REBALANCE_TIMEOUT_MS_MAX]
    checkBounds('INVALID_REQUEST', 'rebalanceTimeoutMs', rebalanceTimeoutMs, min, max)
  }
  for (const field of ['clientId', 'clientHost', 'rackId'] as const) {
    const text = details[field]
    if (text !== undefined && text !== '') checkId(field, text)
  }
}

/** @throws SpoolError INVALID_REQUEST for an id that is empty, too long or no Unicode text. */
export function checkId(field: string, id: string): void {
  if (id.length >= 1 && id.length <= ID_CHARACTERS_MAX && id.isWellFormed()) return
  throw new SpoolError(
    'INVALID_REQUEST',
    `${field} has ${id.length} characters${id.isWellFormed() ? '' : ' and half a surrogate pair'}; it takes 1 to ${ID_CHARACTERS_MAX} of Unicode`,
    { extensions: { field } },
  )
}

/** What is known of the member after `details`; `instanceId` undefined: as before. */
export function withDetails(
  member: MemberMetadataValue,
  details: MemberDetails,
  instanceId: string | undefined,
): MemberMetadataValue {
  const { topics } = details
  return {
    ...member,
    instanceId: instanceId ?? member.instanceId,
    rackId: details.rackId ?? member.rackId,
    clientId: details.clientId ?? member.clientId,
    clientHost: details.clientHost ?? member.clientHost,
    subscribedTopicNames: topics ? [...new Set(topics)].sort() : member.subscribedTopicNames,
    subscribedTopicRegex: details.topicPattern ?? member.subscribedTopicRegex,
    rebalanceTimeoutMs: details.rebalanceTimeoutMs ?? member.rebalanceTimeoutMs,
    serverAssignor: details.assignor ?? member.serverAssignor,
    classic: null,
    sessionTimeoutMs: details.sessionTimeoutMs ?? member.sessionTimeoutMs,
  }
}

/** Whether the group has to assign anew because of what changed. */
export function changesAssignment(
  before: MemberMetadataValue,
  after: MemberMetadataValue,
): boolean {
  return (
    before.serverAssignor !== after.serverAssignor ||
    (before.subscribedTopicRegex ?? '') !== (after.subscribedTopicRegex ?? '') ||
    before.subscribedTopicNames.join('\n') !== after.subscribedTopicNames.join('\n')
  )
}

export function isSameMember(a: MemberMetadataValue, b: MemberMetadataValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function checkTopics(topics: readonly string[]): void {
  if (topics.length > SUBSCRIBED_TOPICS_MAX) {
    throw invalid(`topics has ${topics.length} names, more than ${SUBSCRIBED_TOPICS_MAX}`)
  }
  for (const name of topics) {
    if (/^[a-zA-Z0-9._-]+$/.test(name) && name.length <= TOPIC_NAME_CHARACTERS_MAX) continue
    throw new SpoolError(
      'INVALID_TOPIC_EXCEPTION',
      `topics has a name that no topic can have: 1 to ${TOPIC_NAME_CHARACTERS_MAX} of a-z, A-Z, 0-9, ".", "_" and "-"`,
      { extensions: { field: 'topics' } },
    )
  }
}

function checkPattern(pattern: string, patterns: TopicPatterns): void {
  const problem = pattern.isWellFormed() ? patterns.problem(pattern) : 'it is no Unicode text'
  if (problem === undefined) return
  throw invalidPattern(problem)
}

function checkBounds(
  code: 'INVALID_SESSION_TIMEOUT' | 'INVALID_REQUEST',
  field: string,
  value: number,
  min: number,
  max: number,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new SpoolError(code, `${field} is ${value}, not a whole number from ${min} to ${max}`, {
    extensions: { field },
  })
}

function invalid(detail: string): SpoolError {
  return new SpoolError('INVALID_REQUEST', detail, { extensions: { field: 'topics' } })
}
