/** A replay to standard output: records are printed as `spool consume` prints them. */

import type { RecordCursor } from '../../storage/record/batch-reader.ts'
import type { RecordPrinter } from '../record-format.ts'
import { StandardOutput } from '../standard-output.ts'
import type { Sink } from './replaying.ts'

export class Printing implements Sink {
  readonly #print: RecordPrinter
  readonly #output: StandardOutput
  /** Records printed. */
  count = 0

  constructor(print: RecordPrinter, signal: AbortSignal) {
    this.#print = print
    this.#output = new StandardOutput(signal)
  }

  put(partition: number, cursor: RecordCursor): boolean {
    this.#print(this.#output.writer, partition, cursor)
    this.count += 1
    return !this.#output.isFull
  }

  room(): Promise<void> {
    return this.#output.flush()
  }

  get hasMore(): boolean {
    return this.#output.hasMore
  }

  flush(): Promise<void> {
    return this.#output.flush()
  }

  /** Resolves when everything is written, or an abort makes it useless to wait. */
  finish(): Promise<void> {
    return this.#output.finish()
  }
}
