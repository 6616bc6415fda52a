/**
 * A reader's supply over one NDJSON stream (`follow=true`), whatever the number of its partitions: a
 * browser has six connections to a broker, and streams that need one each would take them all. A stream
 * that breaks is opened again where its records ended, so none is missed and none comes twice. The body
 * is read when the reader asks: while it does not, the platform stops taking bytes and the broker waits,
 * so that what lies ready is what came last, and the platform's own buffers.
 */

import { SpoolError, spoolErrorFromProblem } from '../api/errors.ts'
import { type Backoff, isWorthRetrying, pause, retryDelayMs } from '../retry.ts'
import type { ReadRange, RecordSource, SourceBatch, SourceCall } from '../transport.ts'
import { type JsonRecord, JsonRecordBatch } from './json-records.ts'
import { placesOfCursor } from './places-cursor.ts'
import {
  openStream,
  type Place,
  type RecordStream,
  type StreamConnection,
} from './record-stream.ts'
import { parseLine } from './stream-line.ts'

/** What comes broken so often, from the same place, is not the network's fault. */
const CORRUPT_STREAMS_MAX = 3

export class StreamSource implements RecordSource {
  readonly #call: SourceCall
  readonly #connection: StreamConnection
  readonly #backoff: Backoff
  readonly #places = new Map<number, Place>()
  #ready: SourceBatch[] = []
  #stream: RecordStream | undefined
  /** How often the partitions changed: what was being opened meanwhile is about others. */
  #changes = 0
  #failures = 0
  /** Streams since the last record that broke off at something that can not be. */
  #corruptStreams = 0
  /** Why there is no more. */
  #failed: unknown
  /** Ends a wait, too. */
  readonly #closing = new AbortController()

  constructor(call: SourceCall, connection: StreamConnection, backoff: Backoff) {
    this.#call = call
    this.#connection = connection
    this.#backoff = backoff
    this.#addPlaces(call.partitions)
    call.signal.addEventListener('abort', this.#onAbort)
    if (call.signal.aborted) this.#onAbort()
  }

  readonly #onAbort = () => {
    this.#failed ??= this.#call.signal.reason
    this.#end(this.#failed)
  }

  add(partitions: readonly ReadRange[]): void {
    if (!this.#addPlaces(partitions)) return
    this.#changes++
    // The open stream would begin them elsewhere.
    this.#letGo()
  }

  remove(partitions: readonly number[]): void {
    const gone = partitions.filter((partition) => this.#places.delete(partition))
    if (gone.length === 0) return
    this.#ready = this.#ready.filter((batch) => !gone.includes(batch.partition))
    this.#changes++
    this.#letGo()
  }

  endAt(partition: number, until: number): void {
    const place = this.#places.get(partition)
    if (place === undefined) return
    place.until = until
    if (this.#isDone()) this.#letGo()
  }

  #letGo(): void {
    this.#stream?.abort()
    this.#stream = undefined
  }

  #addPlaces(partitions: readonly ReadRange[]): boolean {
    const added = partitions.filter(({ partition }) => !this.#places.has(partition))
    for (const range of added) {
      const { partition, offset, until } = range
      this.#places.set(partition, { range, nextOffset: offset, until, highWatermark: offset })
    }
    return added.length > 0
  }

  poll(): SourceBatch | undefined {
    return this.#ready.shift()
  }

  async next(): Promise<SourceBatch | undefined> {
    for (;;) {
      const ready = this.poll()
      if (ready !== undefined) return ready
      if (this.#failed !== undefined) throw this.#failed
      if (this.#closing.signal.aborted || this.#isDone()) {
        await this.close()
        return undefined
      }
      await this.#readOn()
    }
  }

  close(): Promise<void> {
    this.#end(undefined)
    return Promise.resolve()
  }

  #end(reason: unknown): void {
    this.#call.signal.removeEventListener('abort', this.#onAbort)
    this.#closing.abort(reason)
    this.#letGo()
  }

  #isDone(): boolean {
    for (const { nextOffset, until } of this.#places.values()) if (nextOffset < until) return false
    return true
  }

  /** Takes what comes next from the stream, or opens one, or waits before it tries again. */
  async #readOn(): Promise<void> {
    let stream = this.#stream
    try {
      if (stream === undefined) {
        const changes = this.#changes
        stream = await openStream(this.#call, this.#places, this.#connection, this.#closing.signal)
        if (changes !== this.#changes || this.#closing.signal.aborted) return stream.abort()
        this.#stream = stream
      }
      const lines = await stream.next()
      if (stream !== this.#stream) return
      if (lines === undefined) throw broken()
      for (const line of lines) if (line !== '') this.#take(line)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      // Let go of by `add` or `remove`, or never begun.
      if (stream !== undefined && stream !== this.#stream) return
      stream?.abort()
      this.#stream = undefined
      if (this.#isDone()) return
      await this.#waitAfter(error)
    }
  }

  async #waitAfter(error: unknown): Promise<void> {
    if (!(error instanceof SpoolError && this.#isPassing(error))) {
      this.#failed = error
      this.#end(error)
      return
    }
    const delayMs = retryDelayMs(++this.#failures, this.#backoff, Math.random(), error)
    await pause(delayMs, this.#closing.signal).catch(() => {})
  }

  /** True where the same stream, opened again where it stopped, may well go on. */
  #isPassing(error: SpoolError): boolean {
    if (error.code === 'CORRUPT_MESSAGE') return ++this.#corruptStreams < CORRUPT_STREAMS_MAX
    // What the log holds changed while the stream was opened: opening it again looks again.
    const isMoved = error.code === 'OFFSET_OUT_OF_RANGE' && this.#call.outOfRange !== undefined
    return isMoved || isWorthRetrying(error)
  }

  #take(text: string): void {
    const line = parseLine(text)
    if (line === undefined) return
    if ('record' in line) this.#takeRecord(line.record, text.length)
    else if ('checkpoint' in line) this.#takePlaces(line.checkpoint)
    else if ('end' in line) this.#takePlaces(line.end.cursor)
    else throw spoolErrorFromProblem(line.problem)
    this.#failures = 0
  }

  #takeRecord(record: JsonRecord, sizeBytes: number): void {
    const place = this.#places.get(record.partition)
    // A partition nobody asked for, yet: it came into being after the stream.
    if (place === undefined || record.offset < place.nextOffset) return
    place.nextOffset = record.offset + 1
    this.#corruptStreams = 0
    if (record.offset >= place.until) return
    const last = this.#ready.at(-1)
    const isSame = last instanceof JsonRecordBatch && last.partition === record.partition
    const batch = isSame ? last : new JsonRecordBatch(place.range, place.highWatermark)
    batch.add(record, sizeBytes)
    if (!isSame) this.#ready.push(batch)
  }

  /** Compaction leaves gaps: a partition may be further than its last record says. */
  #takePlaces(cursor: string): void {
    for (const { partition, nextOffset } of placesOfCursor(cursor)) {
      const place = this.#places.get(partition)
      if (place !== undefined && nextOffset > place.nextOffset) place.nextOffset = nextOffset
    }
  }
}

function broken(): SpoolError {
  return new SpoolError('NETWORK_EXCEPTION', 'the stream ended before its records did')
}
