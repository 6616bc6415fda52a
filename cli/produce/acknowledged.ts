/**
 * The account of what was taken and what was acknowledged. Records of many partitions are acknowledged
 * out of order, so the lines are marked now and then with how many records each partition had been given
 * by then; a mark is reached when every partition has acknowledged that many. Everything before the last
 * mark that was reached is safe.
 *
 *     lines     ─────┬──────────┬──────────┬──►      taken
 *     marks        reached   [9, 4, 7]  [12, 8, 7]
 *     acknowledged            10  3  7               partition 1 is one short: the first mark stands
 *
 * Records are counted by partition from the beginning of the input, over all processes that had a part in
 * it. Pure: told of everything, asks nobody.
 */

import { weaker } from '../../broker/http/records/append-batches.ts'
import type { SpoolError } from '../../client/api/errors.ts'
import type { Delivery, Durability } from '../../client/index.ts'

/** A place between two lines of the input, and what came before it. */
export interface Place {
  /** Which of the files, counted from 0. */
  readonly file: number
  /** Bytes of it. */
  readonly position: number
  /** Lines of it. */
  readonly line: number
  /** Of all files: lines, records in them, lines that were refused. */
  readonly lines: number
  readonly records: number
  readonly refused: number
}

export const BEGINNING: Place = { file: 0, position: 0, line: 0, lines: 0, records: 0, refused: 0 }

/** A place, and how the partitions stood when it was passed. */
export interface Mark {
  readonly place: Place
  /** How many records each had been given. */
  readonly taken: readonly number[]
  /** An offset in each before which none of the later records is. */
  readonly offsets: readonly number[]
}

/** What was acknowledged in one partition. */
export interface PartitionTotals {
  readonly partition: number
  count: number
  firstOffset: number
  lastOffset: number
}

/** In all marks together: topics may have many thousand partitions. */
const NUMBERS_MAX = 1_000_000

export class Acknowledged {
  #taken: number[]
  #acknowledged: number[]
  /** What was there before: not of our doing. */
  readonly #earlier: number[]
  #offsets: number[]
  #marks: Mark[] = []
  readonly #firstOffsets: number[] = []
  readonly #lastOffsets: number[] = []
  #reached: Mark
  #isFirstTry = true
  /** The weakest that was reached. */
  durability: Durability | undefined
  /** Why the first batch that failed did. */
  failure: SpoolError | undefined

  /** Goes on from `mark`, everything before which is acknowledged. */
  constructor(mark: Mark) {
    this.#reached = mark
    this.#taken = [...mark.taken]
    this.#acknowledged = [...mark.taken]
    this.#earlier = [...mark.taken]
    this.#offsets = [...mark.offsets]
  }

  /** The last place before which everything is acknowledged, or was found there. */
  get reached(): Mark {
    return this.#reached
  }

  /** The same, where everything that was taken is acknowledged: later records are behind all of it. */
  get settled(): Mark {
    return { ...this.#reached, offsets: [...this.#offsets] }
  }

  /** Records acknowledged since this account was opened. */
  get count(): number {
    return sumOf(this.#acknowledged) - this.earlier
  }

  /** Records that were there before. */
  get earlier(): number {
    return sumOf(this.#earlier)
  }

  /** What was acknowledged since, by partition. */
  totals(): PartitionTotals[] {
    return this.#firstOffsets.flatMap((firstOffset, partition) => {
      const count = this.#acknowledged[partition]! - (this.#earlier[partition] ?? 0)
      return [{ partition, count, firstOffset, lastOffset: this.#lastOffsets[partition]! }]
    })
  }

  /** A record for the partition was taken from the input; its number there, counted from 0. */
  take(partition: number): number {
    // Partitions may be added on the way.
    const number = this.#taken[partition] ?? 0
    this.#taken[partition] = number + 1
    return number
  }

  /** The record that was last taken for the partition is there already. */
  found(partition: number): void {
    this.#acknowledged[partition]! += 1
    if (this.#isFirstTry) this.#earlier[partition]! += 1
  }

  /** Every line before `place` was taken, or refused. */
  mark(place: Place): void {
    // The newest stands for the one before it where there are too many.
    if (this.#marks.length * this.#taken.length > NUMBERS_MAX) this.#marks.pop()
    this.#marks.push({ place, taken: [...this.#taken], offsets: [...this.#offsets] })
    this.#advance()
  }

  /** What became of a batch: batches of one partition come in their order. */
  delivered({ partition, recordCount, baseOffset, durability, error }: Delivery): void {
    if (error !== undefined) {
      this.failure ??= error
      return
    }
    this.#acknowledged[partition] = (this.#acknowledged[partition] ?? 0) + recordCount
    if (durability !== undefined) this.durability = weaker(this.durability, durability)
    if (baseOffset >= 0) {
      this.#firstOffsets[partition] ??= baseOffset
      this.#lastOffsets[partition] = baseOffset + recordCount - 1
      this.#offsets[partition] = baseOffset + recordCount
    }
    this.#advance()
  }

  /** Another try, from the place that was reached: what was taken after it counts for nothing. */
  restart(): void {
    this.#taken = [...this.#reached.taken]
    this.#acknowledged = [...this.#reached.taken]
    this.#offsets = [...this.#reached.offsets]
    this.#marks = []
    this.#isFirstTry = false
    this.failure = undefined
  }

  #advance(): void {
    // Behind a batch that failed nothing is surely there.
    if (this.failure !== undefined) return
    let passed = 0
    while (passed < this.#marks.length && this.#isReached(this.#marks[passed]!)) passed++
    if (passed === 0) return
    this.#reached = this.#marks[passed - 1]!
    this.#marks.splice(0, passed)
  }

  #isReached({ taken }: Mark): boolean {
    for (let partition = 0; partition < taken.length; partition++) {
      if ((this.#acknowledged[partition] ?? 0) < (taken[partition] ?? 0)) return false
    }
    return true
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
