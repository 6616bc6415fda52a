/**
 * What a producer holds and owes: bytes that are not acknowledged, who waits for room, which records a
 * `flush` still waits for, and errors nobody heard of. Batches and records are counted here from their
 * first byte until their fate is told.
 */

import type { SpoolError } from '../api/errors.ts'
import type { BatchFate } from '../transport.ts'
import type { Delivery } from './delivery.ts'
import { Fifo } from './fifo.ts'
import { NOWHERE, type ProducerBatch } from './producer-batch.ts'

interface RoomWish {
  readonly run: () => void
  isGone: boolean
}

interface Flush {
  readonly generation: number
  readonly resolve: () => void
}

export class Ledger {
  readonly #bytesMax: number
  readonly #onDelivery: ((delivery: Delivery) => void) | undefined
  #heldBytes = 0
  readonly #roomWishes = new Fifo<RoomWish>()
  /** Things begun between two calls of `flush` are of one generation; how many of each are not told. */
  readonly #owed = new Map<number, number>()
  #generation = 0
  #flushes: Flush[] = []
  #unheard: SpoolError | undefined

  constructor(bytesMax: number, onDelivery: ((delivery: Delivery) => void) | undefined) {
    this.#bytesMax = bytesMax
    this.#onDelivery = onDelivery
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get generation(): number {
    return this.#generation
  }

  /** True when what comes now must wait: there is no room, or somebody was here before. */
  get isFull(): boolean {
    return this.#heldBytes >= this.#bytesMax || this.#roomWishes.length > 0
  }

  /** Runs `run` when there is room, in the order of these calls. The function given back takes it back. */
  whenRoom(run: () => void): () => void {
    const wish: RoomWish = { run, isGone: false }
    this.#roomWishes.push(wish)
    return () => {
      if (wish.isGone) return
      wish.isGone = true
      this.#giveRoom()
    }
  }

  take(bytes: number): void {
    this.#heldBytes += bytes
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes
    this.#giveRoom()
  }

  /** One more of this generation whose fate is to be told. */
  begin(generation: number): void {
    this.#owed.set(generation, (this.#owed.get(generation) ?? 0) + 1)
  }

  end(generation: number): void {
    const left = (this.#owed.get(generation) ?? 0) - 1
    if (left > 0) {
      this.#owed.set(generation, left)
      return
    }
    this.#owed.delete(generation)
    const isDone = (flush: Flush) => !this.#owes(flush.generation)
    const done = this.#flushes.filter(isDone)
    if (done.length === 0) return
    this.#flushes = this.#flushes.filter((flush) => !isDone(flush))
    for (const flush of done) flush.resolve()
  }

  /** The batch took a record that was given before the batch began. */
  backdate(batch: ProducerBatch, generation: number): void {
    if (generation >= batch.generation) return
    this.begin(generation)
    this.end(batch.generation)
    batch.generation = generation
  }

  /** Resolves when everything that is begun now has been told. */
  async settled(): Promise<void> {
    const generation = this.#generation
    this.#generation += 1
    if (!this.#owes(generation)) return
    await new Promise<void>((resolve) => this.#flushes.push({ generation, resolve }))
  }

  /** The end of a batch: its fate goes to all who want to know. */
  tell(batch: ProducerBatch, fate: BatchFate): void {
    batch.tellOwners(fate)
    if (this.#onDelivery !== undefined) this.#deliver(batch.delivery(fate))
    else if (batch.hasUnowned && fate.error !== undefined) this.#unheard ??= fate.error
    this.release(batch.heldBytes)
    this.end(batch.generation)
  }

  /** Records without an owner failed before they were in a batch. */
  tellUnplaced(topic: string, tags: readonly unknown[], error: SpoolError): void {
    if (this.#onDelivery === undefined) this.#unheard ??= error
    else {
      const recordCount = tags.length
      const given = tags.some((tag) => tag !== undefined) ? tags : undefined
      this.#deliver({ topic, partition: -1, recordCount, ...NOWHERE, error, tags: given })
    }
  }

  /** The first error of a record whose fate went to nobody; once. */
  takeUnheard(): SpoolError | undefined {
    const unheard = this.#unheard
    this.#unheard = undefined
    return unheard
  }

  #deliver(delivery: Delivery): void {
    try {
      this.#onDelivery?.(delivery)
    } catch (error) {
      // The program's mistake: it hears of it as of any other, and our books stay right.
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #giveRoom(): void {
    for (let wish = this.#roomWishes.first; wish !== undefined; wish = this.#roomWishes.first) {
      if (!wish.isGone && this.#heldBytes >= this.#bytesMax) return
      this.#roomWishes.shift()
      if (wish.isGone) continue
      wish.isGone = true
      wish.run()
    }
  }

  #owes(upTo: number): boolean {
    for (const generation of this.#owed.keys()) if (generation <= upTo) return true
    return false
  }
}
