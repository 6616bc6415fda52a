/**
 * Lines of files or of stdin on their way to the topic: read in pieces, split, made records and given to
 * the producer, which sends them in batches. Reading goes on only while the producer has room, so memory
 * does not follow the input. Nothing is made per line but what the producer is given; no promise, no
 * string.
 *
 * Ends when the input does, when enough were taken, at a line that can not be taken, at the first batch
 * that failed, or when it is interrupted. Does not wait for the last acknowledgements: its caller flushes.
 */

import { LineSplitter } from '../../broker/http/records/line-splitter.ts'
import { type LineRefusal, lineTooLong, refusalOf } from '../../broker/http/records/ndjson-line.ts'
import { pause } from '../../client/retry.ts'
import type { Acknowledged, Place } from './acknowledged.ts'
import { before } from './before.ts'
import { type Input, PIECE_BYTES } from './input.ts'
import type { LineReading } from './line-reading.ts'
import type { Pace } from './pace.ts'
import type { PlacedRecord, Target } from './target.ts'

/** A piece that takes long, at a slow rate, is marked in between. */
const MARK_MS = 100

/** What of a producer is needed here. */
export interface RecordSink {
  /**
   * Copies the record, which has this number among those of its partition; false: wait for `room`
   * before the next.
   */
  enqueue(record: PlacedRecord, number: number): boolean
  room(): Promise<void>
}

/** A line that could not be taken. */
export interface RefusedLine extends LineRefusal {
  /** `undefined`: stdin. */
  readonly file: string | undefined
  /** Counted from 1; `undefined`: the whole file. */
  readonly line: number | undefined
}

export interface LineUploadOptions {
  readonly inputs: readonly Input[]
  readonly delimiter: Buffer
  readonly reading: LineReading
  readonly target: Target
  readonly sink: RecordSink
  readonly acknowledged: Acknowledged
  readonly countMax: number
  readonly pace: Pace | undefined
  /** Where records go first that no key sends anywhere. */
  readonly firstPartition: number
  /** Hears of each refused line, which is the `lines`th of all; false: it is not skipped. */
  readonly onRefused: (refused: RefusedLine, lines: number) => boolean
  /** Aborted: stop. */
  readonly ending: AbortSignal
}

/** `refused`: at a line that could not be taken. `ended`: because of `ending`. */
export type UploadEnd = 'done' | 'refused' | 'ended'

export class LineUpload {
  readonly #options: LineUploadOptions
  #splitter: LineSplitter
  #place: Place
  /** Of the current file. */
  #line: number
  #lines: number
  #records: number
  #refused: number
  /** Where the line in hand begins in its file. */
  #lineStart = 0
  #filePosition = 0
  #piece = 0
  /** What is to be waited for before the next line. */
  #waitMs = 0
  #needsRoom = false
  #markedAtMs = 0
  /** The last line of the last file was taken though it had no end. */
  endsOpen = false

  constructor(options: LineUploadOptions) {
    this.#options = options
    const { place } = options.acknowledged.reached
    this.#place = place
    this.#line = place.line
    this.#lines = place.lines
    this.#records = place.records
    this.#refused = place.refused
    this.#splitter = this.#newSplitter()
  }

  /** The last place that was marked: everything before it was given to the producer. */
  get place(): Place {
    return this.#place
  }

  /** The line in hand, for a person. */
  get where(): string {
    const { name } = this.#options.inputs[this.#place.file]!
    return name === undefined ? `line ${this.#line}` : `${name}:${this.#line}`
  }

  async run(): Promise<UploadEnd> {
    const { inputs } = this.#options
    const { file, position } = this.#place
    for (let at = file; at < inputs.length; at++) {
      const end = await this.#readFile(at, at === file ? position : 0)
      if (end !== undefined) return end
    }
    return 'done'
  }

  /** `undefined`: the file was read to its end, and there may be more. */
  async #readFile(at: number, from: number): Promise<UploadEnd | undefined> {
    const { inputs, ending, countMax } = this.#options
    const pieces = inputs[at]!.pieces(from)
    this.#filePosition = from
    this.#splitter = this.#newSplitter()
    if (from === 0) this.#line = 0
    for (;;) {
      const piece = await before(ending, pieces.next())
      if (piece === undefined) return 'ended'
      if (piece.done === true) break
      this.#piece += 1
      this.#splitter.push(piece.value)
      const end = await this.#takeLines()
      this.#mark(at, end)
      if (end !== undefined) {
        // Nobody waits for a read of a pipe that may never end.
        void pieces.return?.()
        return end
      }
    }
    const isLast = at === inputs.length - 1
    if (this.#records < countMax && this.#splitter.finish()) {
      const isTaken = this.#takeLine(Date.now())
      this.#mark(at, isTaken ? undefined : 'refused')
      if (!isTaken) return 'refused'
      this.endsOpen = isLast
    }
    if (!isLast) this.#mark(at + 1, undefined)
    return undefined
  }

  /** The lines of a piece; `undefined`: all of them. */
  async #takeLines(): Promise<UploadEnd | undefined> {
    const { ending, countMax, sink } = this.#options
    const splitter = this.#splitter
    let nowMs = Date.now()
    for (;;) {
      if (this.#records >= countMax) return 'done'
      this.#lineStart = this.#filePosition + splitter.position
      if (!splitter.next()) return undefined
      if (!this.#takeLine(nowMs)) return 'refused'
      if (this.#waitMs === 0 && !this.#needsRoom) continue
      if (this.#needsRoom) await before(ending, sink.room())
      if (this.#waitMs > 0) await pause(this.#waitMs, ending).catch(() => {})
      if (ending.aborted) return 'ended'
      nowMs = Date.now()
      if (nowMs - this.#markedAtMs >= MARK_MS) this.#mark(this.#place.file, undefined)
    }
  }

  /** False: the line can not be taken, and the upload ends there. */
  #takeLine(nowMs: number): boolean {
    const { reading, target, sink, acknowledged, pace } = this.#options
    const { bytes, start, end, isTooLong } = this.#splitter
    this.#line += 1
    this.#lines += 1
    let placed: PlacedRecord
    try {
      if (isTooLong) throw lineTooLong(target.lineBytesMax)
      const record = reading.read(bytes, start, end)
      if (record === undefined) return true
      placed = target.place(record, this.#anyPartition(), nowMs)
    } catch (error) {
      return this.#refuse(error)
    }
    this.#records += 1
    this.#needsRoom = !sink.enqueue(placed, acknowledged.take(placed.partition))
    this.#waitMs = pace === undefined ? 0 : pace.take(performance.now())
    return true
  }

  #refuse(error: unknown): boolean {
    const { inputs, onRefused } = this.#options
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    const { name } = inputs[this.#place.file]!
    const isSkipped = onRefused({ file: name, line: this.#line, ...refusal }, this.#lines)
    if (isSkipped) this.#refused += 1
    else {
      this.#line -= 1
      this.#lines -= 1
    }
    return isSkipped
  }

  /**
   * For a record that nothing sends anywhere. Of a file it follows from the line's position alone, so that
   * an upload that goes on where another stopped sends every line where that would have sent it. What
   * comes from stdin is spread by the piece.
   */
  #anyPartition(): number {
    const { inputs, target, firstPartition } = this.#options
    const isFile = inputs[this.#place.file]?.name !== undefined
    const stretch = isFile ? Math.floor(this.#lineStart / PIECE_BYTES) : this.#piece
    return (firstPartition + stretch) % target.partitions
  }

  /** Everything before the end of the last line was taken. */
  #mark(file: number, end: UploadEnd | undefined): void {
    // A line that is too long was told before its end, and counts when that was passed.
    if (this.#splitter.isPassing && end !== 'refused') return
    const isNext = file > this.#place.file
    this.#place = {
      file,
      position: isNext
        ? 0
        : end === 'refused'
          ? this.#lineStart
          : this.#filePosition + this.#splitter.position,
      line: isNext ? 0 : this.#line,
      lines: this.#lines,
      records: this.#records,
      refused: this.#refused,
    }
    this.#markedAtMs = Date.now()
    this.#options.acknowledged.mark(this.#place)
  }

  #newSplitter(): LineSplitter {
    const { target, delimiter } = this.#options
    return new LineSplitter(target.lineBytesMax, delimiter)
  }
}
