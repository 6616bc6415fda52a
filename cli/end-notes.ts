/** With `-e`, kcat's remark on stderr for each partition whose end was reached, the last one saying that this was all. */

import type { ConsumePlan } from './consume-plan.ts'

export class EndNotes {
  readonly #topic: string
  /** Partitions still being read, with their ends; none where nothing is to be said. */
  readonly #ends = new Map<number, number>()

  constructor(topic: string, { from, until }: ConsumePlan, isWanted: boolean) {
    this.#topic = topic
    if (!isWanted || typeof until !== 'object') return
    for (const [partition, end] of Object.entries(until)) this.#ends.set(Number(partition), end)
    for (const [partition, begin] of Object.entries(from)) {
      if (this.isEnd(Number(partition), begin)) this.say(Number(partition))
    }
  }

  /** True where everything before `nextOffset` is all that was asked for, and more is read elsewhere. */
  isEnd(partition: number, nextOffset: number): boolean {
    const end = this.#ends.get(partition)
    // The last one is kept for the end of all, which it announces.
    return end !== undefined && nextOffset >= end && this.#ends.size > 1
  }

  /** The partition's end was reached, and what was read is printed. */
  say(partition: number): void {
    const end = this.#ends.get(partition)
    if (end === undefined) return
    this.#ends.delete(partition)
    const exiting = this.#ends.size === 0 ? ': exiting' : ''
    process.stderr.write(
      `% Reached end of topic ${this.#topic} [${partition}] at offset ${end}${exiting}\n`,
    )
  }

  /** All was read and printed. */
  finish(): void {
    for (const partition of [...this.#ends.keys()]) this.say(partition)
  }
}
