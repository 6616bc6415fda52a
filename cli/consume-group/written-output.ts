/**
 * Standard output that knows how far of each partition was really written: only that may be committed.
 * Records go into a piece, pieces go out one after another; what was in a piece counts when it is written.
 *
 *     printed ──► [ piece being filled ] ──► [ piece being written ] ──► written ──► committed
 *
 * The main loop and the hooks of the consumer may flush at the same time: they do it in turn.
 */

import type { ByteWriter } from '../../broker/http/records/byte-writer.ts'
import type { GroupPartition, ReadBatch } from '../../client/index.ts'
import { StandardOutput } from '../standard-output.ts'

/** How far a partition is. */
export interface Printed {
  /** The last one of the partition. */
  readonly batch: ReadBatch
  /** Of the batch, records before this were printed; those that were not wanted count. */
  readonly nextOffset: number
}

/** By topic and partition. */
type Places = Map<string, Printed>

export function keyOf({ topic, partition }: GroupPartition): string {
  return `${topic}/${partition}`
}

export class WrittenOutput {
  readonly #output: StandardOutput
  readonly #patience: AbortSignal
  #filled: Places = new Map()
  #underWay: Places = new Map()
  readonly #written: Places = new Map()
  /** Of those that flush. Never rejects. */
  #turn: Promise<void> = Promise.resolve()

  /** Once `patience` is aborted nothing waits for a slow reader any more, and what it did not take is not written. */
  constructor(patience: AbortSignal) {
    this.#patience = patience
    this.#output = new StandardOutput(patience)
  }

  /** What is printed goes in here; after a flush it is another one. */
  get writer(): ByteWriter {
    return this.#output.writer
  }

  get isFull(): boolean {
    return this.#output.isFull
  }

  /** Something is on its way to be written. */
  get hasMore(): boolean {
    return this.#filled.size > 0 || this.#underWay.size > 0
  }

  printed(batch: ReadBatch, nextOffset: number): void {
    this.#filled.set(keyOf(batch), { batch, nextOffset })
  }

  /** Hands over what was printed; resolves when there is room for more. */
  flush(): Promise<void> {
    return this.#inTurn(() => this.#flush())
  }

  /** Resolves when everything is written, or patience is at its end. */
  finish(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#flush()
      await this.#output.finish()
      this.#arrived()
    })
  }

  /** What is written and was not taken before. */
  takeWritten(isWanted: (printed: Printed) => boolean): Printed[] {
    const taken: Printed[] = []
    for (const [key, printed] of this.#written) {
      if (!isWanted(printed)) continue
      taken.push(printed)
      this.#written.delete(key)
    }
    return taken
  }

  /** Takes back what could not be committed yet. */
  putBack(printed: readonly Printed[]): void {
    for (const each of printed) {
      const key = keyOf(each.batch)
      if (!this.#written.has(key)) this.#written.set(key, each)
    }
  }

  /** Somebody else has them now: how far they were does not matter any more. */
  forget(places: readonly GroupPartition[]): void {
    for (const key of places.map(keyOf)) {
      for (const map of [this.#filled, this.#underWay, this.#written]) map.delete(key)
    }
  }

  async #flush(): Promise<void> {
    const filled = this.#filled
    this.#filled = new Map()
    // What is handed over holds at least what was printed by now, and the piece before it is written then.
    if (this.#output.hasMore) await this.#output.flush()
    else await this.#output.finish()
    this.#arrived()
    this.#underWay = filled
  }

  #arrived(): void {
    if (this.#patience.aborted || this.#output.isBroken) return
    for (const [key, printed] of this.#underWay) this.#written.set(key, printed)
    this.#underWay = new Map()
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }
}
