/**
 * The batches that lie ready between who fetches and who reads, within a number of bytes: the one side
 * waits for room, the other for a batch. Only memory and promises; fetches nothing.
 */

import type { SourceBatch } from '../transport.ts'

/** Less room than this is not worth a request, unless nothing lies ready at all. */
const ROOM_BYTES_MIN = 256 * 1024
/** Places of batches handed out are given up so many at a time. */
const HANDED_OUT_MAX = 256

export class ReadyBatches {
  readonly #bytesMax: number
  readonly #batches: (SourceBatch | undefined)[] = []
  /** Those before are handed out, and not kept here. */
  #head = 0
  #bytes = 0
  #isOver = false
  #failure: { readonly reason: unknown } | undefined
  #onBatch: (() => void) | undefined
  #onRoom: (() => void) | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** What may be fetched now; at least 1. */
  get roomBytes(): number {
    return Math.max(1, this.#bytesMax - this.#bytes)
  }

  /** Resolves once there is room worth fetching for. */
  async room(): Promise<void> {
    while (!this.#hasRoom() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve
      })
    }
  }

  push(batches: readonly SourceBatch[]): void {
    if (this.#isOver) return
    for (const batch of batches) {
      this.#batches.push(batch)
      this.#bytes += batch.sizeBytes
    }
    if (batches.length > 0) this.#wakeReader()
  }

  poll(): SourceBatch | undefined {
    if (this.#head === this.#batches.length) return undefined
    const batch = this.#batches[this.#head]!
    this.#batches[this.#head] = undefined
    this.#head += 1
    this.#bytes -= batch.sizeBytes
    if (this.#head === this.#batches.length) this.#forget()
    else if (this.#head === HANDED_OUT_MAX) {
      this.#batches.splice(0, HANDED_OUT_MAX)
      this.#head = 0
    }
    if (this.#onRoom !== undefined && this.#hasRoom()) this.#wakeFetcher()
    return batch
  }

  /** The next batch; `undefined` after the last. What came before a failure is given before it. */
  async next(): Promise<SourceBatch | undefined> {
    for (;;) {
      const batch = this.poll()
      if (batch !== undefined) return batch
      if (this.#failure !== undefined) throw this.#failure.reason
      if (this.#isOver) return undefined
      await new Promise<void>((resolve) => {
        this.#onBatch = resolve
      })
    }
  }

  /** Takes out what is of these partitions. */
  drop(partitions: ReadonlySet<number>): void {
    const kept = this.#batches.slice(this.#head).filter((it) => !partitions.has(it!.partition))
    this.clear()
    for (const batch of kept) {
      this.#batches.push(batch)
      this.#bytes += batch!.sizeBytes
    }
    if (this.#hasRoom()) this.#wakeFetcher()
  }

  /** No more will come. */
  end(): void {
    this.#isOver = true
    this.#wakeReader()
    this.#wakeFetcher()
  }

  /** No more will come, because of this. The first of several reasons counts. */
  fail(reason: unknown): void {
    if (this.#isOver) return
    this.#failure = { reason }
    this.end()
  }

  /** What lies ready is not wanted any more. */
  clear(): void {
    this.#forget()
    this.#bytes = 0
  }

  #forget(): void {
    this.#batches.length = 0
    this.#head = 0
  }

  #hasRoom(): boolean {
    if (this.#head === this.#batches.length) return true
    return this.#bytesMax - this.#bytes >= Math.min(ROOM_BYTES_MIN, this.#bytesMax / 2)
  }

  #wakeReader(): void {
    this.#onBatch?.()
    this.#onBatch = undefined
  }

  #wakeFetcher(): void {
    this.#onRoom?.()
    this.#onRoom = undefined
  }
}
