/**
 * One partition of a worker's stream, and how far its reader was given tokens: with each record, and, where
 * records were passed over (by the filter, compaction, or as marks of transactions), in checkpoints. Owns
 * which tokens are still to be given, and how many at once; a token's bytes are `../../groups/tokens.ts`.
 *
 *     log      ──────●────────────────────────────────►        ● a record given
 *                    │ passed over │
 *     tokens         ▲ the record's  ▲ a checkpoint's: everything given before it is done
 */

import type { Place } from '../streams/place.ts'

/** In one checkpoint, about 64 KiB of text. The others follow in the next ones, in turn. */
const TOKENS_PER_CHECKPOINT_MAX = 500

export class GivenPlace {
  readonly place: Place
  /** Of the last checkpoint. */
  #toldTo = 0

  constructor(place: Place) {
    this.place = place
  }

  /** The offset of the last token given; where there is none, that where the reading began. */
  get givenTo(): number {
    return Math.max(this.#toldTo, this.place.givenTo)
  }

  /** Records were passed over that no token given covers. */
  get isBeyond(): boolean {
    return this.place.nextOffset > this.givenTo
  }

  /** A checkpoint has a token of where it is. */
  tell(): void {
    this.#toldTo = this.place.nextOffset
  }
}

/** Which places a checkpoint has tokens of: each has its turn, however many there are. */
export class CheckpointTurns {
  #turn = 0
  /** True where the last checkpoint did not hold all. */
  hasMore = false

  /** The places of the next checkpoint. */
  next(places: readonly GivenPlace[]): GivenPlace[] {
    const first = this.#turn < places.length ? this.#turn : 0
    const inTurn = [...places.keys()].map((index) => (first + index) % places.length)
    const beyond = inTurn.filter((index) => places[index]!.isBeyond)
    const chosen = beyond.slice(0, TOKENS_PER_CHECKPOINT_MAX)
    this.hasMore = chosen.length < beyond.length
    this.#turn = this.hasMore ? chosen.at(-1)! + 1 : first
    return chosen.map((index) => places[index]!)
  }
}
