/**
 * Fills a page from several partitions in turns. Each one that has more gets an equal share of what is left
 * of the page's records and bytes; what it does not use goes to those after it, and in the next round to
 * those that still have more:
 *
 *     limit 10      p0 has 9    p1 has 2    p2 has 0
 *     round 1       4           2           –           4 left
 *     round 2       4                                   0 left, and the next page begins with p1
 *
 * A page begins with the partition after the last one that the page before it read (`turn`, which the
 * cursor carries), so that none is starved, also with `limit=1`. Only the partition whose turn it is holds
 * memory beside the page. One partition is the same with one share.
 */

import type { Partition } from '../../partition/partition.ts'
import type { PageBody } from './page-body.ts'
import { placeOutOfRange, type ReadPlace } from './read-places.ts'
import type { PagePlan } from './read-plan.ts'
import { PIECE_BYTES, RecordScan } from './record-scan.ts'

/** How far a page came in one partition. */
export interface PlaceReached {
  readonly partition: Partition
  readonly nextOffset: number
  /** The offset before which the request ends, as it was found for this page; infinite where that lies ahead. */
  readonly endOffset: number
}

export interface TurnsOptions {
  readonly plan: PagePlan
  readonly body: PageBody
  readonly maxDecompressedBytes: number
  readonly hold: (bytes: number) => void
}

/** One partition of the page. */
interface Part {
  readonly partition: Partition
  readonly end: number
  scan: RecordScan
}

/** Smaller pieces than this cost more calls than they save bytes. */
const SHARED_PIECE_BYTES_MIN = 16 * 1024

export class PageTurns {
  readonly #options: TurnsOptions
  /** In an order that is the same for every page: by topic, by rising partition. */
  readonly #parts: readonly Part[]
  readonly #pieceBytes: number
  #turn: number
  #count = 0
  #scannedBytes = 0
  /** True: a record that can not be shown ends the page before it. */
  #isStopped = false

  constructor(places: readonly ReadPlace[], options: TurnsOptions) {
    const { maxBytes, turn } = options.plan
    const shareBytes = Math.max(
      SHARED_PIECE_BYTES_MIN,
      Math.ceil(maxBytes / Math.max(1, places.length)),
    )
    this.#options = options
    this.#pieceBytes = places.length === 1 ? PIECE_BYTES : Math.min(PIECE_BYTES, shareBytes)
    this.#turn = turn
    this.#parts = places.map(({ partition, from, end }) => ({
      partition,
      end,
      scan: this.#scan(partition, from),
    }))
  }

  /** The place to begin the next page with, counted from 0: of a whole topic, its partition. */
  get turn(): number {
    return this.#turn
  }

  /** True when waiting would add nothing: there are records, enough was looked at, or all ends are reached. */
  get isDone(): boolean {
    const { maxBytes } = this.#options.plan
    return this.#count > 0 || this.#scannedBytes >= maxBytes || this.unfinished().length === 0
  }

  places(): PlaceReached[] {
    return this.#parts.map(({ partition, scan, end }) => ({
      partition,
      nextOffset: scan.nextOffset,
      endOffset: end,
    }))
  }

  /** The places that have not reached their end. */
  unfinished(): PlaceReached[] {
    return this.places().filter(({ nextOffset, endOffset }) => nextOffset < endOffset)
  }

  /** Reads until the page is full or there is no more now. */
  async fill(): Promise<void> {
    let ready = this.#inTurn()
    while (ready.length > 0 && this.#hasRoom) {
      const withMore: Part[] = []
      for (const [index, part] of ready.entries()) {
        if (!this.#hasRoom) break
        if (await this.#take(part, ready.length - index)) withMore.push(part)
      }
      ready = withMore
    }
  }

  get #hasRoom(): boolean {
    const { limit, maxBytes } = this.#options.plan
    return !this.#isStopped && this.#count < limit && this.#scannedBytes < maxBytes
  }

  /** All partitions, from the one whose turn it is. */
  #inTurn(): readonly Part[] {
    const parts = this.#parts
    const first = this.#turn
    return first === 0 || first >= parts.length
      ? parts
      : [...parts.slice(first), ...parts.slice(0, first)]
  }

  /** Reads the share of one of `sharers` partitions; true when it may have more. */
  async #take(part: Part, sharers: number): Promise<boolean> {
    const { plan } = this.#options
    const records = Math.ceil((plan.limit - this.#count) / sharers)
    const bytes = Math.ceil((plan.maxBytes - this.#scannedBytes) / sharers)
    const upTo = Math.min(part.end, part.partition.highWatermark)
    const scannedBefore = part.scan.scannedBytes
    let taken = 0
    let hasMore = true
    try {
      while (taken < records && part.scan.scannedBytes - scannedBefore < bytes) {
        hasMore = await part.scan.nextBatch(upTo)
        if (!hasMore) break
        taken += this.#add(part, upTo, records - taken)
        if (this.#isStopped) break
      }
    } catch (error) {
      // It was trimmed between finding the place and reading there.
      const from = placeOutOfRange(part.partition, error, plan.outOfRange)
      part.scan = this.#scan(part.partition, from)
      return true
    }
    const scanned = part.scan.scannedBytes - scannedBefore
    this.#scannedBytes += scanned
    if (scanned > 0 && !this.#isStopped) this.#turn = this.#parts.indexOf(part) + 1
    if (this.#parts.length > 1) part.scan.letGo()
    return hasMore
  }

  /**
   * Adds up to `limit` records of the batch at hand; returns how many. A record that can not be shown ends
   * a page that has others before it: found first, it is the error.
   */
  #add(part: Part, upTo: number, limit: number): number {
    const { partition, scan } = part
    let added = 0
    for (; added < limit; added++) {
      const cursor = scan.nextRecord(upTo)
      if (cursor === undefined) break
      try {
        this.#options.body.add(partition, cursor)
      } catch (error) {
        if (this.#count === 0) throw error
        scan.stopBefore(cursor.offset)
        this.#turn = this.#parts.indexOf(part)
        this.#isStopped = true
        break
      }
      this.#count++
    }
    return added
  }

  #scan(partition: Partition, from: number): RecordScan {
    const { plan, body, maxDecompressedBytes, hold } = this.#options
    return new RecordScan({
      partition,
      from,
      filter: plan.filter,
      maxDecompressedBytes,
      pieceBytes: this.#pieceBytes,
      hold: (bytes) => hold(bytes + body.sizeBytes),
    })
  }
}
