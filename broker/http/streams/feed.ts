/**
 * A feed: the newest records of one partition in one rendering, for all readers at its tail. Each chunk is
 * rendered once (`tail.ts`) and stays until every reader of the feed has taken it. A reader that lags too
 * far is left behind: it reads for itself until it reaches the tail again, and costs the others nothing.
 *
 *     log      ────────────────────────────────────────────────────────►
 *     feed               │ chunk │ chunk │ chunk │ being rendered │
 *                   firstOffset                nextOffset
 *     readers      behind      ▲         ▲       ▲▲▲▲▲▲ (hungry: they wait for the next one)
 *
 * Owns the ring of chunks and who must still take which. Reads nothing and knows no socket.
 */

import { type Chunk, ChunkBuilder, type Rendering } from './chunk.ts'
import type { StreamMemory } from './memory.ts'

/** A feed is full with so many bytes, or chunks: then it waits a little for who lags, or leaves them behind. */
const FEED_BYTES = 2 * 1024 * 1024
const FEED_CHUNKS_MAX = 256

/**
 * How long a full feed waits for readers that lag: not long for a few of them, who can read for themselves
 * at little cost; longer for many, whose reading alone would cost more than the wait.
 */
const PATIENCE_WITH_FEW_MS = 100
const PATIENCE_WITH_MANY_MS = 1_000
/** Many: one of so many readers, or more. */
const MANY_SHARE = 8

/** A stream's place in the partition, while it reads from the feed. */
export interface FeedReader {
  /** Where it is: it has taken everything before. */
  readonly nextOffset: number
  /** There is more, or the feed is closed. */
  wake(): void
  /** It lagged too far, and the feed has forgotten it. */
  leftBehind(): void
}

interface Entry {
  readonly chunk: Chunk
  /** Readers that have not taken it. */
  awaited: number
}

/** What a feed asks of its tail. */
export interface FeedSource {
  /** Somebody waits for records after `nextOffset`. */
  want(): void
  /** There is room again. */
  hasRoom(): void
  /** Nobody reads the feed any more. */
  abandoned(feed: Feed): void
}

export class Feed {
  readonly rendering: Rendering
  readonly builder: ChunkBuilder
  readonly #source: FeedSource
  readonly #readers = new Set<FeedReader>()
  readonly #hungry = new Set<FeedReader>()
  /** Invariant: without gaps, from `firstOffset` to `nextOffset`; each is awaited by somebody. */
  readonly #entries: Entry[] = []
  #bytes = 0
  #fullSinceMs: number | undefined
  /** The furthest that a reader was when it joined: until the feed is there, readers must be counted. */
  #aheadUntil = 0
  /** What the feed holds begins here. */
  firstOffset: number
  /** And ends before this. */
  nextOffset: number
  /** Closed for good: who has taken what is left reads for itself, and learns why. */
  isClosed = false

  constructor(options: {
    readonly rendering: Rendering
    readonly partition: number
    readonly fromOffset: number
    readonly memory: StreamMemory
    readonly source: FeedSource
  }) {
    const { rendering, partition, fromOffset, memory, source } = options
    this.rendering = rendering
    this.builder = new ChunkBuilder(rendering, partition, fromOffset, memory)
    this.#source = source
    this.firstOffset = fromOffset
    this.nextOffset = fromOffset
  }

  get readers(): number {
    return this.#readers.size
  }

  /** True while a reader has taken everything and wants more. */
  get isWanted(): boolean {
    return this.#hungry.size > 0
  }

  get isFull(): boolean {
    return this.#bytes >= FEED_BYTES || this.#entries.length >= FEED_CHUNKS_MAX
  }

  /**
   * Adds a reader, which may be ahead of the feed. One before `firstOffset` reads up to there by itself,
   * while the feed keeps for it what comes after.
   */
  join(reader: FeedReader): void {
    this.#readers.add(reader)
    this.#aheadUntil = Math.max(this.#aheadUntil, reader.nextOffset)
    for (const entry of this.#entries) {
      if (entry.chunk.nextOffset > reader.nextOffset) entry.awaited++
    }
  }

  leave(reader: FeedReader): void {
    if (!this.#readers.delete(reader)) return
    this.#hungry.delete(reader)
    this.#taken(reader.nextOffset, Number.POSITIVE_INFINITY)
    if (this.#readers.size === 0) this.#source.abandoned(this)
  }

  /** The chunk that holds `offset`; `undefined` when there is none yet. */
  chunkAt(offset: number): Chunk | undefined {
    if (offset >= this.nextOffset) return undefined
    for (const { chunk } of this.#entries) if (offset < chunk.nextOffset) return chunk
    return undefined
  }

  /** Wakes the reader, which has taken everything, when there is more. */
  awaitMore(reader: FeedReader): void {
    this.#hungry.add(reader)
    this.#source.want()
  }

  /** The reader took what lies between. */
  moved(reader: FeedReader, fromOffset: number): void {
    this.#taken(fromOffset, reader.nextOffset)
  }

  /** Makes a chunk of what was rendered, up to `nextOffset`, and wakes who waits for it. */
  publish(nextOffset: number, nowMs: number): void {
    if (nextOffset <= this.nextOffset) return
    const chunk = this.builder.finish(nextOffset)
    this.nextOffset = nextOffset
    const awaited = this.#readersBefore(nextOffset)
    if (awaited === 0) {
      this.firstOffset = nextOffset
      chunk.release()
    } else {
      this.#entries.push({ chunk, awaited })
      this.#bytes += chunk.sizeBytes
      if (this.isFull) this.#fullSinceMs ??= nowMs
    }
    this.#wakeHungry()
  }

  /** How long the feed, being full, still waits for who lags. 0: there is room now, made by leaving them behind. */
  patienceMs(nowMs: number): number {
    if (!this.isFull) return 0
    const isMany = this.#entries[0]!.awaited * MANY_SHARE >= this.#readers.size
    const patienceMs = isMany ? PATIENCE_WITH_MANY_MS : PATIENCE_WITH_FEW_MS
    const leftMs = (this.#fullSinceMs ?? nowMs) + patienceMs - nowMs
    if (leftMs > 0) return leftMs
    while (this.isFull) this.#drop()
    this.#leaveBehind()
    return 0
  }

  /** Memory is short: whoever lags goes on by itself. */
  leaveLaggards(): void {
    while (this.#entries.length > 0) this.#drop()
    this.#leaveBehind()
  }

  /** There will be nothing more. Readers take what is left; who waits is woken. */
  close(): void {
    this.isClosed = true
    this.#wakeHungry()
  }

  /** There will be nothing more, and what is left is dropped: readers go on by themselves. */
  abandon(): void {
    this.leaveLaggards()
    this.close()
  }

  #readersBefore(offset: number): number {
    if (offset > this.#aheadUntil) return this.#readers.size
    let count = 0
    for (const reader of this.#readers) if (reader.nextOffset < offset) count++
    return count
  }

  #taken(fromOffset: number, toOffset: number): void {
    for (const entry of this.#entries) {
      const { nextOffset } = entry.chunk
      if (nextOffset > fromOffset && nextOffset <= toOffset) entry.awaited--
    }
    const wasFull = this.isFull
    while (this.#entries[0]?.awaited === 0) this.#drop()
    if (wasFull && !this.isFull) this.#source.hasRoom()
  }

  #drop(): void {
    const { chunk } = this.#entries.shift()!
    this.firstOffset = chunk.nextOffset
    this.#bytes -= chunk.sizeBytes
    chunk.release()
    if (!this.isFull) this.#fullSinceMs = undefined
  }

  #leaveBehind(): void {
    for (const reader of [...this.#readers]) {
      if (reader.nextOffset >= this.firstOffset) continue
      this.leave(reader)
      reader.leftBehind()
    }
  }

  #wakeHungry(): void {
    const hungry = [...this.#hungry]
    this.#hungry.clear()
    for (const reader of hungry) reader.wake()
  }
}
