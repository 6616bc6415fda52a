/**
 * Takes batches from a reader and prints their records: opens each batch where it lies, passes the filter,
 * counts, and keeps how far every partition was printed. When no further batch is at hand, everything
 * printed so far goes out.
 */

import type { RecordFilter } from '../broker/http/records/record-filter.ts'
import type { ReadBatch, Reader } from '../client/index.ts'
import type { EndNotes } from './end-notes.ts'
import type { RecordPrinter } from './record-format.ts'
import { StandardOutput } from './standard-output.ts'
import { openBatch, readFailure } from './stored-records.ts'

/** Most batches fit when they are decompressed. */
const SCRATCH_BYTES = 4 * 1024 * 1024

export interface PumpOptions {
  readonly print: RecordPrinter
  readonly filter: RecordFilter | undefined
  readonly countMax: number
  readonly signal: AbortSignal
  readonly notes: EndNotes
}

export class RecordPump {
  /** Records printed. */
  count = 0
  readonly #options: PumpOptions
  readonly #output: StandardOutput
  readonly #next = new Map<number, number>()
  /** Where batches are decompressed, one after another. */
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

  constructor(options: PumpOptions) {
    this.#options = options
    this.#output = new StandardOutput(options.signal)
  }

  /** The first offset not printed yet of each partition of which something was. */
  nextOffsets(): Readonly<Record<number, number>> {
    return Object.fromEntries(this.#next)
  }

  /**
   * Prints until the reader ends or enough was printed. Rejects with what the reader does; what was read
   * before is printed then too.
   */
  async run(reader: Reader): Promise<void> {
    const batches = reader.batches()
    const { notes, countMax } = this.#options
    try {
      for (;;) {
        const batch = await this.#nextBatch(batches)
        if (batch === undefined) break
        await this.#print(batch).catch((error: unknown) => {
          throw readFailure(error, batch)
        })
        if (this.count >= countMax) return
        if (!notes.isEnd(batch.partition, this.#next.get(batch.partition)!)) continue
        await this.#output.flush()
        notes.say(batch.partition)
      }
    } finally {
      await this.#output.finish()
      await reader.close()
    }
    notes.finish()
  }

  /** What was printed waits no longer than the next batch lets wait for itself. */
  async #nextBatch(batches: AsyncIterator<ReadBatch, void>): Promise<ReadBatch | undefined> {
    const next = batches.next()
    if (this.#output.hasMore) {
      const first = await Promise.race([next, afterThisTurn()])
      if (first === undefined) {
        // A rejection belongs to the await below.
        next.catch(() => {})
        await this.#output.flush()
      }
    }
    const { done, value } = await next
    return done === true ? undefined : value
  }

  async #print(batch: ReadBatch): Promise<void> {
    const { print, filter, countMax, signal } = this.#options
    const { partition, fromOffset, untilOffset } = batch
    const cursor = openBatch(batch, this.#scratch)
    let { writer } = this.#output
    while (cursor.next()) {
      if (cursor.offset < fromOffset) continue
      if (cursor.offset >= untilOffset) break
      if (filter === undefined || filter(cursor)) {
        print(writer, partition, cursor)
        this.count++
      }
      if (this.count >= countMax) {
        this.#next.set(partition, cursor.offset + 1)
        return
      }
      if (!this.#output.isFull) continue
      this.#next.set(partition, cursor.offset + 1)
      await this.#output.flush()
      writer = this.#output.writer
      if (signal.aborted) throw signal.reason
    }
    this.#next.set(partition, Math.min(batch.nextOffset, untilOffset))
  }
}

function afterThisTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
