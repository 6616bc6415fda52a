/**
 * How much to ask for in one fetch: little at first, so that who wants one record does not load megabytes,
 * then more with every answer, so that requests are few. Little again after a failure: on a slow line a
 * large answer may not make it in time. Pure.
 */

import type { SpoolError } from '../api/errors.ts'

const FIRST_BYTES = 128 * 1024
/** Enough that requests are few, little enough that the first batch is soon there. */
const LARGEST_BYTES = 4 * 1024 * 1024
const GROWTH = 4
/** A broker may allow less to one fetch (`fetch.max.bytes`), but not less than this. */
const SMALLEST_BYTES = 1024

export class FetchSize {
  #bytes = FIRST_BYTES
  #bytesMax = LARGEST_BYTES

  /** What to ask for where so much room is left. */
  within(roomBytes: number): number {
    return Math.min(this.#bytes, roomBytes)
  }

  answered(): void {
    this.#bytes = Math.min(this.#bytes * GROWTH, this.#bytesMax)
  }

  failed(): void {
    this.#bytes = Math.min(FIRST_BYTES, this.#bytesMax)
  }

  /** True where the broker may have refused the size, and less is asked for from now on. */
  refused(error: SpoolError): boolean {
    if (error.code !== 'INVALID_REQUEST' || this.#bytes <= SMALLEST_BYTES) return false
    this.#bytesMax = Math.max(SMALLEST_BYTES, Math.floor(this.#bytes / GROWTH))
    this.#bytes = this.#bytesMax
    return true
  }
}
