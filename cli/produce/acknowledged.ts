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
 * Pure: told of everything, asks nobody.
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

/** A place, and how many records each partition had been given when it was passed. */
export interface Mark {
  readonly place: Place
  readonly taken: readonly number[]
}

/** What was acknowledged in one partition. */
export interface PartitionTotals {
  readonly partition: number
  count: number
  firstOffset: number
  lastOffset: number
}

export class Acknowledged {
  /** Of each partition, from the beginning of the input. */
  readonly #taken: number[]
  readonly #acknowledged: number[]
  readonly #marks: Mark[] = []
  readonly #totals = new Map<number, PartitionTotals>()
  #reached: Mark
  /** Records acknowledged since this account was opened. */
  count = 0
  /** The weakest that was reached. */
  durability: Durability | undefined
  /** Why the first batch that failed did. */
  failure: SpoolError | undefined

  /** Goes on from `mark`, everything before which is acknowledged. */
  constructor(mark: Mark) {
    this.#reached = mark
    this.#taken = [...mark.taken]
    this.#acknowledged = [...mark.taken]
  }

  /** The last place before which everything is acknowledged, or was found there. */
  get reached(): Mark {
    return this.#reached
  }

  /** What was acknowledged, by partition. */
  totals(): PartitionTotals[] {
    return [...this.#totals.values()].sort((one, other) => one.partition - other.partition)
  }

  /** A record for the partition was given to the producer. */
  take(partition: number): void {
    this.#taken[partition]! += 1
  }

  /** Every line before `place` was given to the producer, or refused. */
  mark(place: Place): void {
    this.#marks.push({ place, taken: [...this.#taken] })
    this.#advance()
  }

  /** What became of a batch: batches of one partition come in their order. */
  delivered({ partition, recordCount, baseOffset, durability, error }: Delivery): void {
    if (error !== undefined) {
      this.failure ??= error
      return
    }
    this.count += recordCount
    this.#acknowledged[partition]! += recordCount
    if (durability !== undefined) this.durability = weaker(this.durability, durability)
    if (baseOffset >= 0) this.#total(partition, recordCount, baseOffset)
    // Behind one that failed nothing is surely there.
    if (this.failure === undefined) this.#advance()
  }

  #total(partition: number, count: number, firstOffset: number): void {
    const lastOffset = firstOffset + count - 1
    const totals = this.#totals.get(partition)
    if (totals === undefined) {
      this.#totals.set(partition, { partition, count, firstOffset, lastOffset })
      return
    }
    totals.count += count
    totals.lastOffset = lastOffset
  }

  #advance(): void {
    let passed = 0
    while (passed < this.#marks.length && this.#isReached(this.#marks[passed]!)) passed++
    if (passed === 0) return
    this.#reached = this.#marks[passed - 1]!
    this.#marks.splice(0, passed)
  }

  #isReached({ taken }: Mark): boolean {
    for (let partition = 0; partition < taken.length; partition++) {
      if (this.#acknowledged[partition]! < taken[partition]!) return false
    }
    return true
  }
}
