/**
 * Who subscribes to which topics. Patterns are resolved into records (which topics a pattern stands for is
 * part of the durable state, so that a replay needs no topics); names that do not exist yet wait.
 */

import { createHash } from 'node:crypto'
import { xxHash32 } from '../../storage/record/xxhash32.ts'
import type { GroupDraft } from './group-draft.ts'
import type { GroupState } from './group-state.ts'
import type { GroupTopic, GroupTopics } from './group-topics.ts'
import type { MemberMetadataValue } from './records/group-record.ts'

export interface GroupSubscriptions {
  /** Existing topics that somebody subscribes to, by name. */
  readonly topics: readonly GroupTopic[]
  /** Of each member, by name. Members whose subscriptions come to the same topics share one array. */
  readonly ofMember: ReadonlyMap<string, readonly GroupTopic[]>
  /** Of names, ids and numbers of partitions: another one is a reason to assign anew. 0: no topics. */
  readonly hash: bigint
}

/** The pattern of a member, if it has one: Kafka writes the empty text for none. */
export function patternOf(member: MemberMetadataValue): string | undefined {
  return member.subscribedTopicRegex || undefined
}

/** Brings the patterns' records up to date; those that no member uses any more go. */
export function resolvePatterns(draft: GroupDraft): void {
  const { state, moment } = draft
  const used = new Set<string>()
  for (const member of state.members.values()) {
    const pattern = patternOf(member)
    if (pattern !== undefined) used.add(pattern)
  }
  for (const pattern of [...used].sort()) {
    const topics = draft.patterns.matching(pattern, moment.topics)
    const before = state.patterns.get(pattern)?.topics
    if (before !== undefined && isSame(before, topics)) continue
    const value = { topics, version: moment.topics.version, timestampMs: moment.wallMs }
    draft.put({ kind: 'pattern', groupId: state.groupId, pattern, value })
  }
  const unused = [...state.patterns.keys()].filter((pattern) => !used.has(pattern))
  for (const pattern of unused.sort()) {
    draft.put({ kind: 'pattern', groupId: state.groupId, pattern, value: null })
  }
}

export function subscriptionsOf(state: GroupState, topics: GroupTopics): GroupSubscriptions {
  const bySubscription = new Map<string, readonly GroupTopic[]>()
  const byTopics = new Map<string, readonly GroupTopic[]>()
  const ofMember = new Map<string, readonly GroupTopic[]>()
  const all = new Map<string, GroupTopic>()
  for (const [memberId, member] of state.members) {
    const key = subscriptionKey(member)
    let subscribed = bySubscription.get(key)
    if (subscribed === undefined) {
      const found = existingTopics(subscribedNames(state, member), topics)
      const names = found.map(({ name }) => name).join('\n')
      subscribed = byTopics.get(names) ?? found
      byTopics.set(names, subscribed)
      bySubscription.set(key, subscribed)
      for (const topic of subscribed) all.set(topic.name, topic)
    }
    ofMember.set(memberId, subscribed)
  }
  const everything = sorted([...all.values()])
  return { topics: everything, ofMember, hash: hashOf(everything) }
}

/** Whether any member subscribes to a topic of that name. */
export function subscribedTopicNames(state: GroupState): ReadonlySet<string> {
  const names = new Set<string>()
  for (const member of state.members.values()) {
    for (const name of subscribedNames(state, member)) names.add(name)
  }
  return names
}

export function subscribedNames(state: GroupState, member: MemberMetadataValue): Iterable<string> {
  const pattern = patternOf(member)
  const found = pattern === undefined ? undefined : state.patterns.get(pattern)?.topics
  if (found === undefined) return member.subscribedTopicNames
  return new Set([...member.subscribedTopicNames, ...found])
}

/** Of long lists a hash: with each join the keys of all members are compared, and a list may have 2.5 MB. */
const keys = new WeakMap<MemberMetadataValue, string>()
const KEY_CHARACTERS_MAX = 128

/** Different subscriptions have different keys: names hold no line breaks, a pattern comes last. */
export function subscriptionKey(member: MemberMetadataValue): string {
  const known = keys.get(member)
  if (known !== undefined) return known
  const text = `${member.subscribedTopicNames.join('\n')}\n\n${patternOf(member) ?? ''}`
  const key =
    text.length <= KEY_CHARACTERS_MAX ? text : createHash('sha256').update(text).digest('base64')
  keys.set(member, key)
  return key
}

function existingTopics(names: Iterable<string>, topics: GroupTopics): readonly GroupTopic[] {
  const existing: GroupTopic[] = []
  for (const name of names) {
    const topic = topics.byName(name)
    if (topic !== undefined) existing.push(topic)
  }
  return sorted(existing)
}

function sorted(topics: GroupTopic[]): GroupTopic[] {
  return topics.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** 64 bits of two hashes over texts that differ in more than their beginning. */
function hashOf(topics: readonly GroupTopic[]): bigint {
  if (topics.length === 0) return 0n
  const lines = topics.map(({ name, topicId, partitions }) => `${name} ${topicId} ${partitions}`)
  const low = xxHash32(Buffer.from(lines.join('\n')))
  const high = xxHash32(Buffer.from(`${lines.reverse().join('\r')}\r`))
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)) || 1n
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, index) => name === b[index])
}
