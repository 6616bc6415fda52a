/**
 * The account of a replay into a topic. Its partitions acknowledge out of order, so now and then it is
 * marked how far the replay had got when each had been given so many records; a mark is reached when
 * every partition has acknowledged as many. Everything before the last mark that was reached is safely
 * there. Pure: told of everything, asks nobody.
 */

import { weaker } from '../../broker/http/records/append-batches.ts'
import type { SpoolError } from '../../client/api/errors.ts'
import type { Delivery, Durability } from '../../client/index.ts'

/** How far a replay got. */
export interface ReplayPlace {
  /** The first offset of each partition that was not given. */
  readonly nextOffsets: Readonly<Record<number, number>>
  /** Records given. */
  readonly records: number
}

interface Mark {
  readonly place: ReplayPlace
  /** How many each partition of the target had been given. */
  readonly taken: readonly number[]
}

/** In all marks together: topics may have many thousand partitions. */
const NUMBERS_MAX = 1_000_000

export class Copied {
  readonly #taken: number[] = []
  readonly #acknowledged: number[] = []
  #marks: Mark[] = []
  #reached: ReplayPlace
  /** Acknowledged, before the place that was reached or after it. */
  count = 0
  /** The weakest that was reached. */
  durability: Durability | undefined
  /** Why the first batch that failed did. */
  failure: SpoolError | undefined

  constructor(beginning: ReplayPlace) {
    this.#reached = beginning
  }

  /** Everything before is acknowledged. */
  get reached(): ReplayPlace {
    return this.#reached
  }

  /** A record was given to the partition of the target. */
  take(partition: number): void {
    this.#taken[partition] = (this.#taken[partition] ?? 0) + 1
  }

  /** Every record before `place` was given, and none after it. */
  mark(place: ReplayPlace): void {
    const numbers = this.#taken.length + Object.keys(place.nextOffsets).length
    // The newest stands for the one before it where there are too many.
    if (this.#marks.length * numbers > NUMBERS_MAX) this.#marks.pop()
    this.#marks.push({ place, taken: [...this.#taken] })
    this.#advance()
  }

  /** What became of a batch: batches of one partition come in their order. */
  delivered({ partition, recordCount, durability, error }: Delivery): void {
    if (error !== undefined) {
      this.failure ??= error
      return
    }
    this.#acknowledged[partition] = (this.#acknowledged[partition] ?? 0) + recordCount
    this.count += recordCount
    if (durability !== undefined) this.durability = weaker(this.durability, durability)
    this.#advance()
  }

  #advance(): void {
    // Behind a batch that failed nothing is surely there.
    if (this.failure !== undefined) return
    let passed = 0
    while (passed < this.#marks.length && this.#isReached(this.#marks[passed]!)) passed += 1
    if (passed === 0) return
    this.#reached = this.#marks[passed - 1]!.place
    this.#marks = this.#marks.slice(passed)
  }

  #isReached({ taken }: Mark): boolean {
    for (let partition = 0; partition < taken.length; partition++) {
      if ((this.#acknowledged[partition] ?? 0) < (taken[partition] ?? 0)) return false
    }
    return true
  }
}
