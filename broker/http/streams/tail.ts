/**
 * The tail of one partition: reads each new batch once, decompresses it once, and shows each record to
 * every feed once, however many readers the feeds have. It reads only while a reader of a feed has taken
 * everything and wants more, so the fastest reader sets the pace, and none is buffered for. Owns the
 * reading; what the feeds keep is theirs.
 */

import type { Clock, Timer } from '../../../storage/clock.ts'
import type { Partition } from '../../partition/partition.ts'
import { RecordScan } from '../records/record-scan.ts'
import type { Rendering } from './chunk.ts'
import { Feed, type FeedSource } from './feed.ts'
import { isBusy, ScanMemory, type StreamMemory } from './memory.ts'
import type { StreamTotals } from './totals.ts'

/** Decompressed bytes looked at before others have their turn, where a filter finds nothing. */
export const LOOK_BYTES = 1024 * 1024

/**
 * Rendered bytes in all feeds of a tail before they are handed out: a thousand filters that all match make a
 * thousand copies.
 */
const RENDERED_BYTES_MAX = 2 * 1024 * 1024

/** A tail that finds no room for its next batch for so long gives up: its readers find out why. */
const BUSY_MS_MAX = 10_000

/** A tail that nobody drove for so long, because its readers are stuck, is of no use to a new reader far ahead. */
const STALE_MS = 1_000

export interface TailOptions {
  readonly partition: Partition
  readonly memory: StreamMemory
  readonly clock: Clock
  readonly totals: StreamTotals
  readonly maxDecompressedBytes: number
  /** Told of what went wrong while reading for all; each reader meets it again, and tells its client. */
  readonly onFailure: (error: unknown) => void
}

export class Tail implements FeedSource {
  readonly #options: TailOptions
  readonly #onClosed: () => void
  readonly #feeds = new Map<string, Feed>()
  #scanMemory: ScanMemory | undefined
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  #scan: RecordScan | undefined
  /** True while a batch of the scan has records not looked at. */
  #isInBatch = false
  #isRunning = false
  #resume: (() => void) | undefined
  #lastStepMs: number
  #busySinceMs: number | undefined
  /** Everything before it was looked at, for all feeds. */
  #nextOffset: number

  /** `onClosed` is called once, when nobody reads it any more or it can not go on. */
  constructor(options: TailOptions, fromOffset: number, onClosed: () => void) {
    this.#options = options
    this.#onClosed = onClosed
    this.#nextOffset = fromOffset
    this.#lastStepMs = options.clock.monotonicMs()
    this.#unsubscribe = options.partition.subscribe(() => this.want())
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  get feeds(): number {
    return this.#feeds.size
  }

  /** True where a reader at `offset` would have to drive a tail whose own readers are stuck. */
  isStaleAt(offset: number): boolean {
    if (this.#isRunning || offset <= this.#nextOffset) return false
    return this.#options.clock.monotonicMs() - this.#lastStepMs > STALE_MS
  }

  /** The feed of that rendering. */
  feed(rendering: Rendering): Feed {
    const existing = this.#feeds.get(rendering.key)
    if (existing !== undefined) return existing
    const { partition, memory } = this.#options
    const feed = new Feed({
      rendering,
      partition: partition.partition,
      // In the middle of a step: what was looked at already is not for it.
      fromOffset: this.#scan?.nextOffset ?? this.#nextOffset,
      memory,
      source: this,
    })
    this.#feeds.set(rendering.key, feed)
    return feed
  }

  want(): void {
    if (this.isClosed || this.#isRunning) return
    const { partition } = this.#options
    if (!partition.isServed) this.close()
    else if (this.#isWanted && this.#nextOffset < partition.highWatermark) void this.#run()
  }

  hasRoom(): void {
    this.#resume?.()
  }

  abandoned(feed: Feed): void {
    if (this.#feeds.get(feed.rendering.key) === feed) this.#feeds.delete(feed.rendering.key)
    if (this.#feeds.size === 0) this.close()
  }

  /** Ends the tail; readers of its feeds take what is left and go on by themselves. */
  close(): void {
    for (const feed of this.#end()) feed.close()
  }

  /** Ends the tail at once. */
  abandon(): void {
    for (const feed of this.#end()) feed.abandon()
  }

  #end(): Feed[] {
    if (this.isClosed) return []
    this.#closing.abort()
    this.#resume?.()
    this.#unsubscribe()
    this.#dropScan()
    this.#onClosed()
    const feeds = [...this.#feeds.values()]
    this.#feeds.clear()
    return feeds
  }

  get #isWanted(): boolean {
    for (const feed of this.#feeds.values()) if (feed.isWanted) return true
    return false
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    const { partition } = this.#options
    try {
      while (!this.isClosed && this.#isWanted && this.#nextOffset < partition.highWatermark) {
        const hasRoom = await this.#madeRoom()
        if (hasRoom && !this.isClosed) await this.#step()
      }
    } catch (error) {
      if (isBusy(error) && this.#isPatient()) await this.#roomForMore(0)
      else {
        this.#options.onFailure(error)
        // Whatever it is, each reader finds it by itself.
        this.close()
      }
    }
    this.#isRunning = false
    for (const feed of this.#feeds.values()) feed.builder.rest()
    // More may have come, or become wanted, while the loop ended.
    if (partition.highWatermark > this.#nextOffset || !partition.isServed) this.want()
  }

  /** True when there is room to render; false after a wait, when it must be asked again. */
  async #madeRoom(): Promise<boolean> {
    const { clock, memory } = this.#options
    const now = clock.monotonicMs()
    let patienceMs = 0
    for (const feed of this.#feeds.values()) patienceMs = Math.max(patienceMs, feed.patienceMs(now))
    if (patienceMs > 0) {
      await this.#pause(patienceMs)
      return false
    }
    if (memory.hasRoomFor('live')) return true
    for (const feed of this.#feeds.values()) feed.leaveLaggards()
    if (memory.hasRoomFor('live')) return true
    await this.#roomForMore(Number.POSITIVE_INFINITY)
    return false
  }

  #roomForMore(untilMs: number): Promise<void> {
    return this.#options.memory.room('live', untilMs, this.#closing.signal)
  }

  /** Not enough memory now is no reason to give up, yet. */
  #isPatient(): boolean {
    const now = this.#options.clock.monotonicMs()
    this.#busySinceMs ??= now
    return now - this.#busySinceMs < BUSY_MS_MAX
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined
      this.#resume = () => {
        this.#resume = undefined
        timer?.cancel()
        resolve()
      }
      timer = this.#options.clock.after(Math.ceil(ms), this.#resume)
    })
  }

  /** Renders until a feed has a chunk, or there is no more; then all feeds are given what they have. */
  async #step(): Promise<void> {
    const { totals, partition, clock } = this.#options
    const scan = this.#openScan()
    const startedAt = scan.scannedBytes
    try {
      do {
        if (!this.#isInBatch) {
          this.#isInBatch = await scan.nextBatch(partition.highWatermark)
          if (this.isClosed || scan !== this.#scan || !this.#isInBatch) break
          totals.batchesRead++
        }
        this.#renderBatch(scan)
      } while (!this.#isFull && scan.scannedBytes - startedAt < LOOK_BYTES)
    } catch (error) {
      this.#publish(scan)
      this.#dropScan()
      throw error
    }
    this.#publish(scan)
    this.#busySinceMs = undefined
    this.#lastStepMs = clock.monotonicMs()
    // Whoever is not at the tail has a turn too.
    await new Promise((resolve) => setImmediate(resolve))
  }

  #openScan(): RecordScan {
    if (this.#scan !== undefined) return this.#scan
    const { partition, maxDecompressedBytes, memory } = this.#options
    const held = new ScanMemory(memory, 'live')
    this.#scanMemory = held
    this.#isInBatch = false
    this.#scan = new RecordScan({
      partition,
      from: this.#nextOffset,
      filter: undefined,
      maxDecompressedBytes,
      hold: (bytes) => held.resize(bytes),
    })
    return this.#scan
  }

  #renderBatch(scan: RecordScan): void {
    const { partition, totals } = this.#options
    while (!this.#isFull) {
      const before = scan.nextOffset
      const cursor = scan.nextRecord(partition.highWatermark)
      if (cursor === undefined) {
        this.#isInBatch = false
        return
      }
      totals.recordsRead++
      for (const feed of this.#feeds.values()) {
        try {
          feed.builder.add(cursor)
        } catch {
          // Its readers get what was before, and find the reason themselves.
          this.#feeds.delete(feed.rendering.key)
          feed.publish(Math.max(before, cursor.offset), this.#options.clock.monotonicMs())
          feed.close()
        }
      }
    }
  }

  /** True when enough was rendered to be handed out. */
  get #isFull(): boolean {
    let bytes = 0
    for (const { builder } of this.#feeds.values()) {
      if (builder.isFull) return true
      bytes += builder.bytes
    }
    return bytes >= RENDERED_BYTES_MAX
  }

  #publish(scan: RecordScan): void {
    if (this.isClosed || scan !== this.#scan) return
    this.#nextOffset = scan.nextOffset
    const now = this.#options.clock.monotonicMs()
    for (const feed of this.#feeds.values()) {
      if (!feed.builder.isEmpty) this.#options.totals.chunksRendered++
      feed.publish(this.#nextOffset, now)
    }
  }

  #dropScan(): void {
    this.#scan = undefined
    this.#isInBatch = false
    this.#scanMemory?.close()
    this.#scanMemory = undefined
  }
}
