/**
 * One compaction after another, each a `CompactionWork` of its own: what a thread of compaction offers, with
 * one argument a step, so that a step is one message there and one back.
 */

import {
  CompactionWork,
  type CopyRules,
  type DirtyPart,
  type Piece,
  type PieceCopied,
  type PieceNoted,
  type WorkTotals,
} from './compaction-work.ts'

export class WorkBench {
  #work: CompactionWork | undefined

  /** Begins a compaction; what was left of one before is forgotten. */
  begin(dirty: DirtyPart): void {
    this.#work?.release()
    this.#work = new CompactionWork(dirty)
  }

  note(piece: Piece): PieceNoted {
    return this.#current.note(piece)
  }

  beginCopies(rules: CopyRules): void {
    this.#current.beginCopies(rules)
  }

  beginSegment(baseOffset: number): void {
    this.#current.beginSegment(baseOffset)
  }

  copy(piece: Piece): PieceCopied {
    return this.#current.copy(piece)
  }

  endSegment(endOffset: number): Uint8Array<ArrayBuffer> {
    return this.#current.endSegment(endOffset)
  }

  /** Ends the compaction, wherever it is, and gives its memory back. */
  end(): WorkTotals {
    const { totals } = this.#current
    this.#current.release()
    this.#work = undefined
    return totals
  }

  get #current(): CompactionWork {
    if (this.#work === undefined) throw new Error('no compaction was begun')
    return this.#work
  }
}
