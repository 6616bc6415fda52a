/** Chooses among n things so that the k-th most popular comes up in proportion to 1 / k^exponent. */

import type { Random } from '../../storage/clock.ts'

export class ZipfChooser {
  /** Share of all choices that fall on the first k things; rises to 1. */
  readonly #cumulative: Float64Array

  constructor(count: number, exponent: number) {
    this.#cumulative = new Float64Array(count)
    let sum = 0
    for (let at = 0; at < count; at++) {
      sum += 1 / (at + 1) ** exponent
      this.#cumulative[at] = sum
    }
    for (let at = 0; at < count; at++) this.#cumulative[at] = (this.#cumulative[at] ?? 0) / sum
  }

  /** An index in [0, count); 0 is the most popular. */
  choose(random: Random): number {
    const target = random.next()
    let low = 0
    let high = this.#cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#cumulative[middle] ?? 1) < target) low = middle + 1
      else high = middle
    }
    return low
  }
}
