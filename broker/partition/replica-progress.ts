/**
 * The arithmetic of replication, and nothing else: how far readers may see, given how far each in-sync
 * replica has come. Pure. Who is in sync is decided elsewhere; one broker is its own only replica.
 *
 *     leader     ───────────────────●─────●──────▶        ● flushedOffset   ▶ logEndOffset
 *     follower   ─────────────●───────▶
 *                             ▲ high watermark, where the topic syncs before acknowledging
 *                                     ▲ high watermark, where it does not
 */

import type { Offset } from '../../storage/record/offsets.ts'

/** How far one replica has come. Invariant: flushedOffset <= logEndOffset. */
export interface ReplicaProgress {
  readonly logEndOffset: Offset
  readonly flushedOffset: Offset
}

export interface WatermarkInputs {
  readonly leader: ReplicaProgress
  /** The other in-sync replicas. */
  readonly followers: readonly ReplicaProgress[]
  /** Whether a record counts once it is on stable storage (`flush.messages=1`) or once it is written. */
  readonly acknowledgesAfterSync: boolean
  readonly minInSyncReplicas: number
  /** The high watermark so far. */
  readonly previous: Offset
}

/**
 * The high watermark: the minimum over the in-sync replicas, standing still while fewer than
 * `min.insync.replicas` are in sync (KIP-966) and never falling while the leader holds the records: a
 * replica that joins in sync further back, or a topic that begins to sync, does not unsay what readers
 * have seen. Only a leader that had to cut its own log (a full disk under relaxed flushing) takes it
 * back, to its new end.
 */
export function highWatermark(inputs: WatermarkInputs): Offset {
  const { leader, followers, previous } = inputs
  const isFrozen = 1 + followers.length < inputs.minInSyncReplicas
  const reached = isFrozen ? previous : Math.max(previous, slowest(inputs))
  return Math.min(reached, leader.logEndOffset) as Offset
}

function slowest({ leader, followers, acknowledgesAfterSync }: WatermarkInputs): number {
  const reachedBy = (replica: ReplicaProgress) =>
    acknowledgesAfterSync ? replica.flushedOffset : replica.logEndOffset
  let least: number = reachedBy(leader)
  for (const follower of followers) least = Math.min(least, reachedBy(follower))
  return least
}
