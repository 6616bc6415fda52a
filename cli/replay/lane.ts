/**
 * One reader in a merge, and the batches of its partitions that came and are not wanted yet. Mostly it
 * has one partition; of a topic with very many, several share a reader, and then batches that nobody
 * wants yet are kept, up to a bound.
 */

import type { ReadBatch, Reader } from '../../client/index.ts'

export class Lane {
  readonly #reader: Reader
  readonly #batches: AsyncIterator<ReadBatch, void>
  readonly #heldBytesMax: number
  readonly #held = new Map<number, ReadBatch[]>()
  #heldBytes = 0
  #isOver = false
  #reading: Promise<void> | undefined

  constructor(reader: Reader, heldBytesMax: number) {
    this.#reader = reader
    this.#batches = reader.batches()
    this.#heldBytesMax = heldBytesMax
  }

  /** Everything was read, though some of it may be held. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** False while batches must be taken before another is read. */
  get hasRoom(): boolean {
    return this.#heldBytes < this.#heldBytesMax
  }

  /** The next batch of the partition, if it came. */
  take(partition: number): ReadBatch | undefined {
    const batch = this.#held.get(partition)?.shift()
    if (batch !== undefined) this.#heldBytes -= batch.sizeBytes
    return batch
  }

  /** Resolves when another batch came, or everything was read. Rejects with what the reader does. */
  read(): Promise<void> {
    this.#reading ??= this.#readOne().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  async #readOne(): Promise<void> {
    const { done, value } = await this.#batches.next()
    if (done === true) {
      this.#isOver = true
      return
    }
    const held = this.#held.get(value.partition)
    if (held === undefined) this.#held.set(value.partition, [value])
    else held.push(value)
    this.#heldBytes += value.sizeBytes
  }
}
