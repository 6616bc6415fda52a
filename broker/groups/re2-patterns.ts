/**
 * Patterns over topic names in RE2 syntax: no back-references and no look-around, and in return time
 * linear in the text, so that a pattern from a client can not stall the broker. Owns the compiled
 * patterns, and for one picture of the topics what each pattern finds there, because many groups ask for
 * the same. A pattern matches whole names, as in Kafka.
 */

import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'
import { PATTERN_CHARACTERS_MAX } from './group-limits.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'

/** Compiled patterns kept; each is a few kilobytes. The least recently used goes first. */
const COMPILED_MAX = 1_000
/** Patterns whose topics are remembered until the topics change: one that is asked for once too often costs a search. */
const FOUND_MAX = 1_000

const require = createRequire(import.meta.url)

/** Loaded with the first pattern: it takes as long as a fifth of a broker's start, and most groups name their topics. */
function compile(pattern: string): RE2JS {
  return (require('re2js') as typeof import('re2js')).RE2JS.compile(pattern)
}

export class Re2Patterns implements TopicPatterns {
  readonly #compiled = new Map<string, RE2JS>()
  #topics: GroupTopics | undefined
  readonly #found = new Map<string, readonly string[]>()

  problem(pattern: string): string | undefined {
    if (pattern.length > PATTERN_CHARACTERS_MAX) {
      return `it has ${pattern.length} characters, more than ${PATTERN_CHARACTERS_MAX}`
    }
    try {
      this.#compile(pattern)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  matching(pattern: string, topics: GroupTopics): readonly string[] {
    if (topics !== this.#topics) {
      this.#topics = topics
      this.#found.clear()
    }
    let found = this.#found.get(pattern)
    if (found === undefined) {
      found = this.#search(pattern, topics)
      if (this.#found.size >= FOUND_MAX) this.#found.delete(this.#found.keys().next().value!)
      this.#found.set(pattern, found)
    }
    return found
  }

  /** A pattern that no longer compiles, of a group from another version of the library, finds nothing. */
  #search(pattern: string, topics: GroupTopics): readonly string[] {
    if (this.problem(pattern) !== undefined) return []
    const compiled = this.#compile(pattern)
    return [...topics.names()].filter((name) => compiled.matches(name)).sort()
  }

  #compile(pattern: string): RE2JS {
    const compiled = this.#compiled.get(pattern) ?? compile(pattern)
    this.#compiled.delete(pattern)
    this.#compiled.set(pattern, compiled)
    if (this.#compiled.size > COMPILED_MAX) {
      const oldest = this.#compiled.keys().next()
      if (!oldest.done) this.#compiled.delete(oldest.value)
    }
    return compiled
  }
}
