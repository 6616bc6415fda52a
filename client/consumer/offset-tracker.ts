/**
 * How far the work on one partition is: what was given out, what of it is in hand, and so which offset may
 * be committed. Pure: asks nobody and tells nobody.
 *
 *     given and done   in hand        not given
 *     ────────────────┼──────────────┼───────────▶ offsets
 *                     doneUpTo       position
 *
 * doneUpTo is all that may be committed: whatever comes before it was done. Invariant: committed counts as
 * done, so doneUpTo is never moved back; who goes back begins with another tracker.
 */

export class OffsetTracker {
  /** The next offset to be given. */
  #position: number
  /** What is in hand begins here; `#position` where it has nothing. */
  #inHandFrom: number
  /** As far as the broker is known to have it; below any offset where it has to be told in any case. */
  #committed: number

  /** Begins at `offset`; `committed` is false where the broker does not know that yet. */
  constructor(offset: number, { isCommitted }: { readonly isCommitted: boolean }) {
    this.#position = offset
    this.#inHandFrom = offset
    this.#committed = isCommitted ? offset : -1
  }

  get position(): number {
    return this.#position
  }

  /** Everything before is done. */
  get doneUpTo(): number {
    return this.#inHandFrom
  }

  /** True while something that was given is not done. */
  get isInHand(): boolean {
    return this.#inHandFrom < this.#position
  }

  /** What is to be told to the broker; `undefined`: nothing new. */
  get toCommit(): number | undefined {
    const { doneUpTo } = this
    return doneUpTo > this.#committed ? doneUpTo : undefined
  }

  get committed(): number {
    return this.#committed
  }

  /**
   * False after a seek, until something was committed since: what is committed may be further on, and is to
   * be set back.
   */
  get isBegun(): boolean {
    return this.#committed >= 0
  }

  /** Everything before `position` was given, and of that everything before `inHandFrom` is done. */
  moveTo(position: number, inHandFrom = position): void {
    this.#position = position
    this.#inHandFrom = inHandFrom
  }

  /** What is in hand is not done any more by anybody: it would be given again. */
  abandon(): void {
    this.moveTo(this.doneUpTo)
  }

  /** The broker has it. */
  committedUpTo(offset: number): void {
    this.#committed = Math.max(this.#committed, offset)
  }
}
