/** What works on the records of a session, as the session knows it: a loop's taker, or a runner. Types only. */

import type { HeldPartition } from './held-partition.ts'

/**
 * Why nothing more of a partition is wanted: for now; from another place on; because it was asked back, and
 * what is in hand is to get done; because it is somebody else's.
 */
export type DropReason = 'paused' | 'sought' | 'leaving' | 'gone'

export interface Worker<K, V> {
  /** Writes down in the trackers how far it is. */
  settle(): void
  /** Nothing more of the partition is wanted than what is in hand. */
  drop(held: HeldPartition<K, V>, reason: DropReason): void
}
