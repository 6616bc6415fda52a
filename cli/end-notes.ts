/** With `-e`, kcat's remark on stderr for each partition whose end was reached, the last one saying that this was all. */

import type { ConsumePlan } from './consume-plan.ts'

export class EndNotes {
  readonly #topic: string
  readonly #isWanted: boolean
  /** Partitions still being read, with their ends. */
  readonly #ends = new Map<number, number>()

  constructor(topic: string, { from, until }: ConsumePlan, isWanted: boolean) {
    this.#topic = topic
    this.#isWanted = isWanted && typeof until === 'object'
    if (typeof until !== 'object') return
    for (const [partition, end] of Object.entries(until)) this.#ends.set(Number(partition), end)
    for (const [partition, begin] of Object.entries(from)) this.at(Number(partition), begin)
  }

  /** Everything before `nextOffset` has been read. */
  at(partition: number, nextOffset: number): void {
    const end = this.#ends.get(partition)
    // The last one is kept for the end of all, which it announces.
    if (end !== undefined && nextOffset >= end && this.#ends.size > 1) this.#say(partition, end)
  }

  /** All has been read and printed. */
  finish(): void {
    for (const [partition, end] of this.#ends) this.#say(partition, end)
  }

  #say(partition: number, end: number): void {
    this.#ends.delete(partition)
    if (!this.#isWanted) return
    const exiting = this.#ends.size === 0 ? ': exiting' : ''
    process.stderr.write(
      `% Reached end of topic ${this.#topic} [${partition}] at offset ${end}${exiting}\n`,
    )
  }
}
