/** `--value-file`: one whole file is the value of one record. */

import { readFile, stat } from 'node:fs/promises'
import { lineTooLong, refusalOf } from '../../broker/http/records/ndjson-line.ts'
import { type Acknowledged, BEGINNING, type Place } from './acknowledged.ts'
import { unreadable } from './input.ts'
import type { LineReading } from './line-reading.ts'
import type { RecordSink, RefusedLine, UploadEnd } from './line-upload.ts'
import type { Target } from './target.ts'

export interface ValueUploadOptions {
  readonly file: string
  readonly reading: LineReading
  readonly target: Target
  readonly sink: RecordSink
  readonly acknowledged: Acknowledged
  /** For a record that nothing sends anywhere else. */
  readonly firstPartition: number
  readonly onRefused: (refused: RefusedLine, lines: number) => void
}

const AFTER: Place = { ...BEGINNING, lines: 1, records: 1 }

export class ValueUpload {
  readonly #options: ValueUploadOptions
  #place = BEGINNING

  constructor(options: ValueUploadOptions) {
    this.#options = options
  }

  get place(): Place {
    return this.#place
  }

  /** @throws UsageError for a file that can not be read. */
  async run(): Promise<UploadEnd> {
    const { file, reading, target, sink, acknowledged, firstPartition, onRefused } = this.#options
    try {
      const bytes = await this.#read()
      const record = reading.read(bytes, 0, bytes.length)
      if (record === undefined) return 'done'
      const placed = target.place(record, firstPartition, Date.now())
      sink.enqueue(placed, acknowledged.take(placed.partition))
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      onRefused({ file, line: undefined, ...refusal }, 1)
      return 'refused'
    }
    this.#place = AFTER
    acknowledged.mark(AFTER)
    return 'done'
  }

  /** The size is looked at first: nobody reads a film into memory to learn that it is too large. */
  async #read(): Promise<Buffer> {
    const { file, target } = this.#options
    try {
      if ((await stat(file)).size <= target.lineBytesMax) return await readFile(file)
    } catch (error) {
      throw unreadable(file, error)
    }
    throw lineTooLong(target.lineBytesMax)
  }
}
