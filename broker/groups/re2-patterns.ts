/**
 * Patterns over topic names in RE2 syntax: no back-references and no look-around, and in return time linear in
 * the name and in the size of the compiled pattern. Owns the compiled patterns, and what each of them finds in
 * the topics there are: when topics come only those are looked at, and many groups ask for the same. A pattern
 * matches whole names, as in Kafka.
 *
 * A pattern of few characters may be large (`(.{30}){30}`), and the worst take milliseconds a name at the size
 * that is allowed; so whoever brings a pattern lets it be looked up by `prepare` first, piece by piece.
 */

import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'
import { PATTERN_CHARACTERS_MAX, PATTERN_INSTRUCTIONS_MAX } from './group-limits.ts'
import type { GroupTopics, TopicPatterns } from './group-topics.ts'

/** Compiled patterns kept; each is a few kilobytes. The least recently used goes first. */
const COMPILED_MAX = 1_000
/** Patterns whose topics are remembered. The least recently used goes first. */
const FOUND_MAX = 1_000
/** A name or two more, and others have their turn. */
const PIECE_MS = 10

/** What a pattern finds in some picture of the topics. */
interface Found {
  readonly names: ReadonlySet<string>
  readonly matching: readonly string[]
}

const require = createRequire(import.meta.url)

/** Loaded with the first pattern: it takes as long as a fifth of a broker's start, and most groups name their topics. */
function compile(pattern: string): RE2JS {
  return (require('re2js') as typeof import('re2js')).RE2JS.compile(pattern)
}

export class Re2Patterns implements TopicPatterns {
  readonly #compiled = new Map<string, RE2JS>()
  #topics: GroupTopics | undefined
  #names: ReadonlySet<string> = new Set()
  readonly #found = new Map<string, Found>()

  problem(pattern: string): string | undefined {
    if (pattern.length > PATTERN_CHARACTERS_MAX) {
      return `it has ${pattern.length} characters, more than ${PATTERN_CHARACTERS_MAX}`
    }
    try {
      const size = this.#compile(pattern).programSize()
      if (size <= PATTERN_INSTRUCTIONS_MAX) return undefined
      return `it compiles to ${size} instructions, more than ${PATTERN_INSTRUCTIONS_MAX}: repeat less`
    } catch (error) {
      return (error as Error).message
    }
  }

  matching(pattern: string, topics: GroupTopics): readonly string[] {
    const search = this.#search(pattern, topics)
    for (;;) {
      const { done, value } = search.next()
      if (done) return value
    }
  }

  /** Looks the pattern up without holding up others; what it finds is at hand then. Nothing for what is no pattern. */
  async prepare(pattern: string, topics: GroupTopics): Promise<void> {
    const search = this.#search(pattern, topics)
    for (let endsAtMs = performance.now() + PIECE_MS; !search.next().done; ) {
      if (performance.now() < endsAtMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      endsAtMs = performance.now() + PIECE_MS
    }
  }

  /** Pauses after each name that was looked at. */
  *#search(pattern: string, topics: GroupTopics): Generator<undefined, readonly string[]> {
    const names = this.#namesOf(topics)
    const before = this.#found.get(pattern)
    if (before?.names === names) return this.#keep(pattern, before)
    // One that no longer compiles, of a group from another version of the library, finds nothing.
    if (this.problem(pattern) !== undefined) return this.#keep(pattern, { names, matching: [] })
    const compiled = this.#compile(pattern)
    const matching = before?.matching.filter((name) => names.has(name)) ?? []
    for (const name of names) {
      if (before?.names.has(name)) continue
      if (compiled.matches(name)) matching.push(name)
      yield
    }
    return this.#keep(pattern, { names, matching: matching.sort() })
  }

  /** One set for a picture of the topics, whichever pattern it is for. */
  #namesOf(topics: GroupTopics): ReadonlySet<string> {
    if (topics !== this.#topics) {
      this.#topics = topics
      this.#names = new Set(topics.names())
    }
    return this.#names
  }

  #keep(pattern: string, found: Found): readonly string[] {
    this.#found.delete(pattern)
    this.#found.set(pattern, found)
    if (this.#found.size > FOUND_MAX) this.#found.delete(this.#found.keys().next().value!)
    return found.matching
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
