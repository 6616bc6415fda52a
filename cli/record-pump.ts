/**
 * Takes batches from a reader and prints their records: opens each batch where it lies, passes the filter,
 * counts, and keeps how far every partition was printed. When no further batch is at hand, everything
 * printed so far goes out.
 */

import type { RecordFilter } from '../broker/http/records/record-filter.ts'
import { SpoolError } from '../client/api/errors.ts'
import type { ReadBatch, Reader } from '../client/index.ts'
import { RecordCursor } from '../storage/record/batch-reader.ts'
import { RecordBatch } from '../storage/record/record-batch.ts'
import type { RecordPrinter } from './record-format.ts'
import { StandardOutput } from './standard-output.ts'

/** The most that one batch may become: more than any broker takes from a producer. */
export const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

export interface PumpOptions {
  readonly print: RecordPrinter
  readonly filter: RecordFilter | undefined
  readonly countMax: number
  readonly signal: AbortSignal
}

export class RecordPump {
  /** Records printed. */
  count = 0
  readonly #options: PumpOptions
  readonly #output: StandardOutput
  readonly #next = new Map<number, number>()

  constructor(options: PumpOptions) {
    this.#options = options
    this.#output = new StandardOutput(options.signal)
  }

  /** The first offset not printed yet of each partition of which something was. */
  nextOffsets(): Readonly<Record<number, number>> {
    return Object.fromEntries(this.#next)
  }

  /**
   * Prints until the reader ends or enough was printed; tells `onBatch` how far a partition came. Rejects
   * with what the reader does; what was read before is printed then too.
   */
  async run(
    reader: Reader,
    onBatch: (partition: number, nextOffset: number) => void,
  ): Promise<void> {
    const batches = reader.batches()
    try {
      for (;;) {
        const batch = await this.#nextBatch(batches)
        if (batch === undefined) break
        await this.#print(batch)
        if (this.count >= this.#options.countMax) break
        onBatch(batch.partition, this.#next.get(batch.partition) ?? batch.nextOffset)
      }
    } finally {
      await this.#output.flush()
      await reader.close()
    }
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
    const cursor = cursorOf(batch)
    const { writer } = this.#output
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
      if (signal.aborted) throw signal.reason
    }
    this.#next.set(partition, Math.min(batch.nextOffset, untilOffset))
  }
}

/** A cursor over the stored bytes of a batch. */
export function cursorOf({ bytes }: ReadBatch): RecordCursor {
  if (bytes === undefined) throw new Error('a batch without its bytes')
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    return new RecordCursor(new RecordBatch(buffer), {
      maxDecompressedBytes: DECOMPRESSED_BYTES_MAX,
    })
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code !== 'CORRUPT_MESSAGE' && code !== 'MESSAGE_TOO_LARGE') throw error
    throw new SpoolError(code, message, { cause: error })
  }
}

function afterThisTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined))
}
