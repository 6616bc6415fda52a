/**
 * Indexes of closed segments that readers used lately, for all logs of a data directory, within a fixed
 * number of bytes. A closed segment never changes, so an entry is right for as long as it is here.
 */

import type { Segment, SegmentIndexes } from './segment.ts'

/** Two thousand indexes of a 64 MiB segment, or sixteen of a full one. */
export const INDEX_CACHE_BYTES = 32 * 1024 * 1024

export class IndexCache {
  readonly #limitBytes: number
  /** Least recently used first. */
  readonly #entries = new Map<Segment, Promise<SegmentIndexes>>()
  readonly #sizes = new Map<Segment, number>()
  #totalBytes = 0

  constructor(limitBytes: number = INDEX_CACHE_BYTES) {
    this.#limitBytes = limitBytes
  }

  /** The segment's indexes; `load` runs once for all who ask meanwhile, and again after a failure. */
  get(segment: Segment, load: () => Promise<SegmentIndexes>): Promise<SegmentIndexes> {
    const known = this.#entries.get(segment)
    if (known !== undefined) {
      this.#entries.delete(segment)
      this.#entries.set(segment, known)
      return known
    }
    const loading = load()
    this.#entries.set(segment, loading)
    loading.then(
      (indexes) => this.#account(segment, loading, indexes),
      () => this.forget(segment),
    )
    return loading
  }

  forget(segment: Segment): void {
    this.#entries.delete(segment)
    this.#totalBytes -= this.#sizes.get(segment) ?? 0
    this.#sizes.delete(segment)
  }

  #account(segment: Segment, loaded: Promise<SegmentIndexes>, indexes: SegmentIndexes): void {
    if (this.#entries.get(segment) !== loaded) return
    const sizeBytes = indexes.offsets.bytes.length + indexes.times.bytes.length
    this.#sizes.set(segment, sizeBytes)
    this.#totalBytes += sizeBytes
    for (const oldest of this.#entries.keys()) {
      if (this.#totalBytes <= this.#limitBytes || oldest === segment) return
      this.forget(oldest)
    }
  }
}
