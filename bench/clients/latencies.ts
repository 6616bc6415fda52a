/** Latencies in buckets 3 % apart: constant memory for any number of requests. */

const BUCKETS = 1_024
const STEP = Math.log(1.03)
const SMALLEST_MS = 0.001

export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS)
  #count = 0

  add(ms: number): void {
    const bucket = Math.floor(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / STEP)
    const at = Math.min(bucket, BUCKETS - 1)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#count++
  }

  /** Milliseconds below which `share` of all requests were answered, within 3 %. */
  percentile(share: number): number {
    let left = share * this.#count
    for (let at = 0; at < BUCKETS; at++) {
      left -= this.#counts[at] ?? 0
      if (left <= 0) return SMALLEST_MS * Math.exp((at + 0.5) * STEP)
    }
    return Number.NaN
  }
}
