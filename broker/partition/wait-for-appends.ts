/** Waiting for records in any of several partitions, as one request of the purgatory. */

import type { Partition } from './partition.ts'
import type { Purgatory } from './purgatory.ts'

/** A place that somebody waits at. */
export interface WaitedPlace {
  readonly partition: Partition
  readonly nextOffset: number
}

/**
 * Waits until readers can see a record at one of the places or after it. True when they can; false when
 * the time is up or `signal` aborted.
 *
 * @throws SpoolError when too many requests wait, or one of the partitions goes away meanwhile.
 */
export function waitForAppends(
  purgatory: Purgatory,
  places: readonly WaitedPlace[],
  waitMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  return purgatory.wait({
    waitMs,
    signal,
    subscribe: (wake) => subscribeAll(places, wake),
    isSatisfied: () => places.some((place) => place.partition.hasRecordFrom(place.nextOffset)),
  })
}

/** Calls `wake` whenever something happened in one of the partitions; returns the call that ends that. */
export function subscribeAll(
  places: readonly { readonly partition: Partition | undefined }[],
  wake: () => void,
): () => void {
  const ends = places.map(({ partition }) => partition?.subscribe(wake))
  return () => {
    for (const end of ends) end?.()
  }
}
