/**
 * How the words after an option become values: each reader refuses what it does not take, saying what it
 * takes. The command line library puts the option's name and the word in front of it. Pure.
 */

import { InvalidArgumentError } from 'commander'
import { GroupId } from '../client/api/schemas/groups.ts'
import { TopicName } from '../client/api/schemas/scalars.ts'

const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
/** The longest that the client lets a request take. */
const DURATION_MS_MAX = 3_600_000
const TOPIC_NAME = new RegExp(TopicName.pattern ?? '')
const TOPIC_NAME_CHARACTERS_MAX = TopicName.maxLength ?? 0
const GROUP_NAME = new RegExp(GroupId.pattern ?? '')
const GROUP_NAME_CHARACTERS_MAX = GroupId.maxLength ?? 0

/** True for what a topic may be called. */
export function isTopicName(word: string): boolean {
  return TOPIC_NAME.test(word) && word.length <= TOPIC_NAME_CHARACTERS_MAX
}

export const TOPIC_NAME_FORM = `a name of 1 to ${TOPIC_NAME_CHARACTERS_MAX} letters (a-z, A-Z), digits, ".", "_" and "-"`

/** The name of a topic, which may or may not be there. */
export function topicName(word: string): string {
  if (isTopicName(word)) return word
  throw new InvalidArgumentError(`Expected ${TOPIC_NAME_FORM}.`)
}

/** Collects the names of topics. */
export function topicNames(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, topicName(word)]
}

/** The name of a consumer group, which may or may not be there. */
export function groupName(word: string): string {
  if (GROUP_NAME.test(word) && word.length <= GROUP_NAME_CHARACTERS_MAX) return word
  throw new InvalidArgumentError(
    `Expected a name of 1 to ${GROUP_NAME_CHARACTERS_MAX} characters without control characters, neither "." nor "..".`,
  )
}

/** True for a name that shells take as one word as it is. */
export function isSimpleName(word: string): boolean {
  return /^[\w@%+=,./][\w@%+=,./-]*$/.test(word)
}

/** Collects the names of groups. */
export function groupNames(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, groupName(word)]
}

/** A whole number from `min` to `max`. */
export function integerFrom(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (word: string): number => {
    const value = Number(word)
    if (/^-?\d+$/.test(word) && value >= min && value <= max) return value
    const upTo = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
    throw new InvalidArgumentError(`Expected an integer ${upTo}.`)
  }
}

/** Milliseconds of `500ms`, `30s`, `2m` or `1h`. */
export function duration(word: string): number {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(word)
  const value = Math.round(Number(found?.[1]) * (DURATION_MS[found?.[2] ?? ''] ?? Number.NaN))
  if (value >= 1 && value <= DURATION_MS_MAX) return value
  throw new InvalidArgumentError('Expected a time with its unit, at most 1h: 500ms, 30s, 2m.')
}

/** Collects `key=value` words of an option that may be given often. A key given twice is refused. */
export function keyValue(
  word: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = word.indexOf('=')
  if (equals < 1)
    throw new InvalidArgumentError('Expected key=value, such as retention.ms=86400000.')
  const key = word.slice(0, equals)
  if (Object.hasOwn(before, key)) throw new InvalidArgumentError(`${key} is given twice.`)
  return { ...before, [key]: word.slice(equals + 1) }
}

/** Collects the words of an option that may be given often. */
export function each(word: string, before: readonly string[] = []): readonly string[] {
  return [...before, word]
}

/** Collects partition numbers: `-p 0 -p 3`, `-p 0,3` and `-p 0-3` alike. */
export function partitionNumbers(word: string, before: readonly number[] = []): readonly number[] {
  const numbers = word.split(',').flatMap((part) => {
    const found = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part)
    const first = Number(found?.[1])
    const last = Number(found?.[2] ?? first)
    if (found === null || last < first || last > PARTITION_MAX) {
      throw new InvalidArgumentError('Expected partition numbers: 0, or 0,3, or 0-3.')
    }
    return Array.from({ length: last - first + 1 }, (_, at) => first + at)
  })
  return [...new Set([...before, ...numbers])]
}

/** The API takes no higher one. */
const PARTITION_MAX = 100_000
