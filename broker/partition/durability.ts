/** What an acknowledgement of a write can mean, from the weakest to the strongest. */
export type Durability = 'written' | 'flushed' | 'replicated' | 'replicated-flushed'

/** What was reached once `replicas` in-sync replicas, the leader included, had done their part. */
export function durabilityReached(each: 'written' | 'flushed', replicas: number): Durability {
  if (replicas <= 1) return each
  return each === 'flushed' ? 'replicated-flushed' : 'replicated'
}
