/**
 * One partition's place in a stream: where the reader is, and where its next records come from. At the
 * tail they come from the feed it shares with others; before that it reads the log by itself, a chunk at
 * a time, until it reaches what the feed holds.
 *
 *     log      ─────────────────────────────────────────────────►
 *     feed                          │ chunk │ chunk │
 *     place       ▲ behind: read()  ▲ take()        ▲ take() gives nothing: woken when there is more
 */

import type { Partition } from '../../partition/partition.ts'
import { RecordScan } from '../records/record-scan.ts'
import { type Chunk, ChunkBuilder, type Part, type Rendering } from './chunk.ts'
import type { Feed, FeedReader } from './feed.ts'
import type { Feeds } from './feeds.ts'
import { ScanMemory, type StreamMemory } from './memory.ts'
import { LOOK_BYTES } from './tail.ts'
import type { StreamTotals } from './totals.ts'

/** Decompressed bytes of one place before others have their turn; about, since batches are not broken. */
const TURN_BYTES = 1024 * 1024

export interface PlaceOptions {
  readonly partition: Partition
  readonly from: number
  /** Where the reading was asked to end, exclusive; infinite while that is not known, or was not asked. */
  readonly until: number
  /** Where it ends, exclusive: `until`, or before it where the stream does not go on past what there is. */
  readonly end: number
  readonly rendering: Rendering
  readonly feeds: Feeds
  readonly memory: StreamMemory
  readonly totals: StreamTotals
  readonly maxDecompressedBytes: number
}

export class Place implements FeedReader {
  readonly #options: PlaceOptions
  #rendering: Rendering
  #feed: Feed | undefined
  #scan: RecordScan | undefined
  #scanMemory: ScanMemory | undefined
  #builder: ChunkBuilder | undefined
  #isInBatch = false
  /** Bytes the scan had looked at when the turn began. */
  #turnStart = 0
  nextOffset: number
  /** The offset after the last record given, or where the reading began: not beyond `nextOffset`, but for a restart. */
  givenTo: number
  until: number
  /** Exclusive; infinite while it is not known. Changed by `endAt`. */
  end: number
  /** Called when the feed has more, or is no more. Set by the stream it belongs to. */
  onWake: (place: Place) => void = () => {}

  constructor(options: PlaceOptions) {
    this.#options = options
    this.#rendering = options.rendering
    this.nextOffset = options.from
    this.givenTo = options.from
    this.until = options.until
    this.end = options.end
  }

  get partition(): Partition {
    return this.#options.partition
  }

  /** True when there is nothing more for this reader, now or later. */
  get isDone(): boolean {
    return this.nextOffset >= this.end
  }

  /** True where the place must read by itself: not at the tail, or not any more. */
  get isBehind(): boolean {
    if (this.isDone) return false
    const feed = this.#feed
    if (feed === undefined || this.nextOffset < feed.firstOffset) return true
    return feed.isClosed && this.nextOffset >= feed.nextOffset
  }

  /**
   * True while its turn is not over: what it has in hand would have to be read or decompressed again. A piece
   * of the log that compresses well may hold very much, so a turn ends within it, too, between two batches.
   */
  get isInTurn(): boolean {
    return this.#isInBatch || this.#hasMoreOfTurn
  }

  /** Its turn is over. `isShared`: others have theirs now, and it holds nothing meanwhile. */
  endTurn(isShared: boolean): void {
    if (isShared) this.rest()
    this.#turnStart = this.#scan?.scannedBytes ?? 0
  }

  get #hasMoreOfTurn(): boolean {
    const scan = this.#scan
    return scan?.hasMoreOfPiece === true && scan.scannedBytes - this.#turnStart < TURN_BYTES
  }

  /** What the feed has for it; `undefined` when that is nothing yet, and the place is woken when there is. */
  take(limit: number): Part | undefined {
    const feed = this.#feed
    if (feed === undefined || this.isDone || this.isBehind) return undefined
    const part = feed.chunkAt(this.nextOffset)?.part(this.nextOffset, this.end, limit)
    if (part === undefined) feed.awaitMore(this)
    return part
  }

  /** What was asked for ends before `offset`, as is known now; that may be before where the reader is. */
  endAt(offset: number): void {
    this.until = Math.max(offset, this.nextOffset)
    this.end = this.until
    if (this.isDone) this.close()
  }

  /** The part was written: the reader is after it. */
  advance({ nextOffset, givenTo }: Part): void {
    const from = this.nextOffset
    this.nextOffset = nextOffset
    this.givenTo = Math.max(this.givenTo, givenTo)
    this.#feed?.moved(this, from)
    if (this.isDone) this.close()
  }

  /**
   * Reads by itself: the next chunk, held for the caller, who releases it. `undefined` at the end of what
   * there is; the place has joined the feed then.
   *
   * @throws SpoolError: what is wrong with the first record or batch, the partition being gone, and
   * BROKER_BUSY where there is no memory for it now.
   */
  async read(): Promise<Chunk | undefined> {
    const { partition, totals } = this.#options
    const upTo = this.#leaveClosedFeed()
    // A partition that is gone is found out where nothing is read, too.
    partition.hasRecordFrom(this.nextOffset)
    const scan = this.#openScan()
    const builder = this.#openBuilder()
    const startedAt = scan.scannedBytes
    try {
      while (!builder.isFull && scan.scannedBytes - startedAt < LOOK_BYTES) {
        if (!this.#isInBatch) {
          // With the next batch in hand the turn would never end.
          if (!builder.isEmpty && !this.#hasMoreOfTurn) break
          this.#isInBatch = await scan.nextBatch(upTo)
          if (scan !== this.#scan) return undefined
          if (!this.#isInBatch) break
          totals.batchesRead++
        }
        this.#renderBatch(scan, builder, upTo)
      }
    } catch (error) {
      this.rest()
      // What was before the trouble first; the next call meets it again.
      if (builder.isEmpty) throw error
    }
    return this.#finish(scan.nextOffset, builder, upTo)
  }

  /** Lets go of what it holds while its reader takes nothing; it is read again later. */
  rest(): void {
    this.#scan = undefined
    this.#turnStart = 0
    this.#builder = undefined
    this.#isInBatch = false
    this.#scanMemory?.close()
    this.#scanMemory = undefined
  }

  /** Goes on at another offset: what was between is gone. */
  restartAt(offset: number): void {
    this.close()
    this.nextOffset = offset
  }

  /** Goes on in another rendering. */
  renderAs(rendering: Rendering): void {
    this.close()
    this.#rendering = rendering
  }

  /** Lets go of everything; a place that is used again begins by reading for itself. */
  close(): void {
    this.rest()
    this.#feed?.leave(this)
    this.#feed = undefined
  }

  wake(): void {
    this.onWake(this)
  }

  leftBehind(): void {
    this.#feed = undefined
    this.onWake(this)
  }

  /** How far to read: to the end, or to where the feed begins that keeps the rest. */
  #leaveClosedFeed(): number {
    if (this.#feed?.isClosed && this.nextOffset >= this.#feed.nextOffset) {
      this.#feed.leave(this)
      this.#feed = undefined
    }
    const { highWatermark } = this.partition
    return Math.min(this.end, this.#feed?.firstOffset ?? highWatermark)
  }

  #openScan(): RecordScan {
    if (this.#scan?.nextOffset === this.nextOffset) return this.#scan
    // There is none, or the reader took only a part of what it had read.
    this.rest()
    const { partition, maxDecompressedBytes, memory } = this.#options
    const held = new ScanMemory(memory, 'history')
    this.#scanMemory = held
    this.#isInBatch = false
    this.#scan = new RecordScan({
      partition,
      from: this.nextOffset,
      filter: undefined,
      maxDecompressedBytes,
      hold: (bytes) => held.resize(bytes),
    })
    return this.#scan
  }

  #openBuilder(): ChunkBuilder {
    const { memory, partition } = this.#options
    this.#builder ??= new ChunkBuilder(this.#rendering, partition.partition, 0, memory)
    this.#builder.restart(this.nextOffset)
    return this.#builder
  }

  #renderBatch(scan: RecordScan, builder: ChunkBuilder, upTo: number): void {
    const { totals } = this.#options
    while (!builder.isFull) {
      const cursor = scan.nextRecord(upTo)
      if (cursor === undefined) {
        this.#isInBatch = false
        return
      }
      totals.recordsRead++
      try {
        builder.add(cursor)
      } catch (error) {
        scan.stopBefore(cursor.offset)
        throw error
      }
    }
  }

  #finish(readTo: number, builder: ChunkBuilder, upTo: number): Chunk | undefined {
    if (readTo > this.nextOffset) {
      if (!builder.isEmpty) this.#options.totals.chunksRendered++
      return builder.finish(Math.min(readTo, this.end))
    }
    this.rest()
    // At the end of what there was when it began to read; the feed has, or will have, the rest.
    if (readTo >= upTo && this.#feed === undefined && !this.isDone) this.#join()
    return undefined
  }

  #join(): void {
    const { feeds, partition } = this.#options
    if (partition.isServed) this.#feed = feeds.join(partition, this.#rendering, this)
  }
}
