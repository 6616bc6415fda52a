/**
 * The segments of one log in the order of their offsets: zero or more closed ones and the active one.
 * Only the shape of the list; files are opened, rolled and removed elsewhere.
 */

import type { Offset } from '../record/offsets.ts'
import { lastNotAbove } from './offset-index.ts'
import type { Segment } from './segment.ts'

export class SegmentList {
  /** Invariant: never empty, base offsets strictly rise, the last one is the active one. */
  readonly #segments: Segment[]

  constructor(segments: readonly Segment[]) {
    if (segments.length === 0) throw new Error('a log has at least one segment')
    this.#segments = [...segments]
  }

  get active(): Segment {
    return this.#segments[this.#segments.length - 1]!
  }

  get closed(): readonly Segment[] {
    return this.#segments.slice(0, -1)
  }

  get count(): number {
    return this.#segments.length
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** Those there are now: what is rolled or removed while the caller waits does not disturb it. */
  [Symbol.iterator](): Iterator<Segment> {
    return [...this.#segments][Symbol.iterator]()
  }

  has(segment: Segment): boolean {
    return this.#segments[this.#indexOf(segment.baseOffset)] === segment
  }

  /** The segment whose range holds `offset`: the last one that begins at or before it, or the first. */
  holding(offset: Offset): Segment {
    const at = this.#indexOf(offset)
    return this.#segments[Math.max(at, 0)]!
  }

  /** The segment after the given one; `undefined` after the active one. */
  after(segment: Segment): Segment | undefined {
    const next = this.#segments[this.#indexOf(segment.baseOffset) + 1]
    return next
  }

  push(segment: Segment): void {
    if (segment.baseOffset <= this.active.baseOffset) {
      throw new Error(`segment ${segment.baseOffset} does not follow ${this.active.baseOffset}`)
    }
    this.#segments.push(segment)
  }

  /** Recovery begins the active segment again from nothing. */
  replaceActive(segment: Segment): void {
    this.#segments[this.#segments.length - 1] = segment
  }

  /** Takes the first `count` closed segments out of the list. */
  removePrefix(count: number): Segment[] {
    if (count >= this.#segments.length) throw new Error('the active segment stays')
    return this.#segments.splice(0, count)
  }

  /** Puts `segment`, which holds the same offsets, in the place of closed ones that follow each other. */
  replace(replaced: readonly Segment[], segment: Segment): void {
    const at = replaced[0] === undefined ? -1 : this.#segments.indexOf(replaced[0])
    const areInOrder = replaced.every((old, index) => this.#segments[at + index] === old)
    if (at < 0 || !areInOrder) throw new Error('only segments that follow each other are replaced')
    if (at + replaced.length >= this.#segments.length) throw new Error('the active segment stays')
    this.#segments.splice(at, replaced.length, segment)
  }

  #indexOf(offset: Offset): number {
    return lastNotAbove(this.#segments.length, (at) => this.#segments[at]!.baseOffset, offset)
  }
}
