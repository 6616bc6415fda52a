/** What works on the records of a session, as the session knows it: a loop's taker, or a runner. Types only. */

import type { HeldPartition } from './held-partition.ts'

/**
 * Why nothing more of a partition is wanted: for now; from another place on; because it was asked back, and
 * what is in hand is to get done; because it is somebody else's.
 */
export type DropReason = 'paused' | 'sought' | 'leaving' | 'gone'

/** What was given out, and is not done. */
export interface InHand {
  readonly held: HeldPartition
  readonly offset: number
  /** The tick at which it was (`patience.ts`). */
  readonly since: number
}

export interface Worker<K, V> {
  /** What has been in hand for longest, where that is in the way of something. */
  oldest(): InHand | undefined
  /** Writes down in the trackers how far it is. */
  settle(): void
  /** Nothing more of the partition is wanted than what is in hand. */
  drop(held: HeldPartition<K, V>, reason: DropReason): void
}
