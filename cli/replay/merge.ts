/**
 * The records of several partitions as one stream, in the order of their timestamps. Of each partition
 * one batch is open; the oldest record in hand comes next, so that within a partition records keep their
 * order whatever their timestamps are.
 *
 *     partition 0   ──[ 10:00  10:02 … ]──[ … ]──►  reader
 *     partition 1   ──[ 10:01  10:05 … ]──►         reader
 *     partition 2   ──                     waits: only it knows whether something older comes
 *
 * Before a record is given, every partition that may have an older one must have a batch open. There are
 * two exceptions, which keep memory bounded and cost nothing but order: what the open batches hold
 * together, and what readers shared by several partitions hold. Reads no clock, prints nothing.
 */

import type { Client } from '../../client/index.ts'
import type { RecordCursor } from '../../storage/record/batch-reader.ts'
import { openBatch, readFailure } from '../stored-records.ts'
import { Heads } from './heads.ts'
import { Lane } from './lane.ts'

export interface MergeLimits {
  /** Readers, each with a connection of its own. With more partitions than these they are shared. */
  readonly lanes: number
  /** Fetched and not taken, over all readers. */
  readonly prefetchBytes: number
  /** Taken, and kept for a partition that is not at them yet, over all readers. */
  readonly heldBytes: number
  /** Records of open batches, decompressed. */
  readonly openBytes: number
}

const MIB = 1024 * 1024

export const MERGE_LIMITS: MergeLimits = {
  lanes: 64,
  prefetchBytes: 32 * MIB,
  heldBytes: 256 * MIB,
  openBytes: 256 * MIB,
}

const PREFETCH_BYTES_MIN = 256 * 1024
const PREFETCH_BYTES_MAX = 16 * MIB
/** Where one batch after another is decompressed, if only one is ever open. */
const SCRATCH_BYTES = 4 * MIB

export interface MergeRange {
  readonly topic: string
  /** By partition. */
  readonly from: Readonly<Record<number, number>>
  /** By partition, exclusive. */
  readonly until: Readonly<Record<number, number>>
  readonly outOfRange: 'earliest' | 'latest' | undefined
}

interface Slot {
  readonly partition: number
  readonly lane: Lane
  readonly until: number
  /** Everything before was given. */
  nextOffset: number
  /** Of the record in hand. */
  timestamp: number
  open: OpenBatch | undefined
}

interface OpenBatch {
  readonly batch: Parameters<typeof openBatch>[0]
  readonly cursor: RecordCursor
}

export class Merge {
  readonly #slots: Slot[] = []
  readonly #lanes: Lane[] = []
  readonly #heads = new Heads<Slot>()
  /** Those without an open batch that may get one. */
  readonly #waiting = new Set<Slot>()
  readonly #limits: MergeLimits
  readonly #scratch: Buffer | undefined
  #openBytes = 0
  /** Every partition that is to be waited for has a record in hand. */
  #isFilled = false

  constructor(client: Client, range: MergeRange, signal: AbortSignal, limits = MERGE_LIMITS) {
    this.#limits = limits
    const partitions = Object.keys(range.from)
      .map(Number)
      .filter((partition) => range.from[partition]! < range.until[partition]!)
    const laneCount = Math.min(limits.lanes, partitions.length)
    for (let at = 0; at < laneCount; at++) {
      const shared = partitions.filter((_, index) => index % laneCount === at)
      const lane = newLane(client, range, shared, { signal, laneCount, limits })
      this.#lanes.push(lane)
      for (const partition of shared) {
        const until = range.until[partition]!
        const nextOffset = range.from[partition]!
        const slot = { partition, lane, until, nextOffset, timestamp: 0, open: undefined }
        this.#slots.push(slot)
        this.#waiting.add(slot)
      }
    }
    this.#scratch = partitions.length === 1 ? Buffer.allocUnsafeSlow(SCRATCH_BYTES) : undefined
  }

  /** True while there is a record in hand that may be given. False: `ready` knows. */
  get hasRecord(): boolean {
    return (this.#isFilled || this.#fill()) && this.#heads.size > 0
  }

  /** At the record in hand, until `advance`. */
  get cursor(): RecordCursor {
    return this.#heads.first.open!.cursor
  }

  /** Of the record in hand. */
  get partition(): number {
    return this.#heads.first.partition
  }

  /** The record in hand is done with. */
  advance(): void {
    const slot = this.#heads.first
    slot.nextOffset = slot.open!.cursor.offset + 1
    if (this.#toRecord(slot)) {
      this.#heads.firstMoved()
      return
    }
    this.#heads.removeFirst()
    if (slot.nextOffset < slot.until) this.#waiting.add(slot)
    // Others may have waited for its end.
    this.#isFilled = false
  }

  /** Waits until there is a record in hand; false at the end of everything. Rejects with what readers do. */
  async ready(): Promise<boolean> {
    while (!this.#isFilled && !this.#fill()) {
      const lanes = new Set<Lane>()
      for (const { lane } of this.#waiting) if (!lane.isOver && lane.hasRoom) lanes.add(lane)
      await Promise.all([...lanes].map((lane) => lane.read()))
    }
    return this.#heads.size > 0
  }

  /** The first offset of each partition that was not given. */
  nextOffsets(): Record<number, number> {
    return Object.fromEntries(
      this.#slots.map(({ partition, nextOffset }) => [partition, nextOffset]),
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }

  /** Opens what came; true where nothing more is to be waited for. */
  #fill(): boolean {
    for (const slot of this.#waiting) {
      if (this.#isFull) break
      if (this.#open(slot)) this.#heads.push(slot)
      else if (!slot.lane.isOver && slot.nextOffset < slot.until) continue
      else slot.nextOffset = slot.until
      this.#waiting.delete(slot)
    }
    this.#isFilled = this.#isFull || !this.#mayCome()
    return this.#isFilled
  }

  /** What is open must be given before more is opened. */
  get #isFull(): boolean {
    return this.#openBytes >= this.#limits.openBytes && this.#heads.size > 0
  }

  /** True where reading on may bring a partition its next batch. */
  #mayCome(): boolean {
    for (const { lane } of this.#waiting) if (!lane.isOver && lane.hasRoom) return true
    return false
  }

  /** Opens the partition's next batch with a record that is wanted; false where none is here. */
  #open(slot: Slot): boolean {
    for (;;) {
      const batch = slot.lane.take(slot.partition)
      if (batch === undefined) return false
      try {
        const cursor = openBatch(batch, this.#scratch)
        slot.open = { batch, cursor }
        this.#openBytes += cursor.bytes.length
      } catch (error) {
        throw readFailure(error, batch)
      }
      if (this.#toRecord(slot)) return true
    }
  }

  /** To the next record that is wanted; false after the last of the batch, which is closed then. */
  #toRecord(slot: Slot): boolean {
    const { batch, cursor } = slot.open!
    const { fromOffset, untilOffset } = batch
    try {
      while (cursor.next()) {
        if (cursor.offset < fromOffset) continue
        if (cursor.offset >= untilOffset) break
        slot.timestamp = cursor.timestamp
        return true
      }
    } catch (error) {
      throw readFailure(error, batch)
    }
    slot.nextOffset = Math.min(batch.nextOffset, untilOffset)
    slot.open = undefined
    this.#openBytes -= cursor.bytes.length
    return false
  }
}

function newLane(
  client: Client,
  { topic, from, until, outOfRange }: MergeRange,
  partitions: readonly number[],
  { signal, laneCount, limits }: { signal: AbortSignal; laneCount: number; limits: MergeLimits },
): Lane {
  const ofThese = (offsets: Readonly<Record<number, number>>) =>
    Object.fromEntries(partitions.map((partition) => [partition, offsets[partition]!]))
  const share = Math.floor(limits.prefetchBytes / laneCount)
  const reader = client.reader(topic, {
    partitions,
    from: ofThese(from),
    until: ofThese(until),
    prefetchBytes: Math.min(PREFETCH_BYTES_MAX, Math.max(PREFETCH_BYTES_MIN, share)),
    signal,
    ...(outOfRange === undefined ? {} : { outOfRange }),
  })
  // One that is not shared holds what was asked for, and that is taken at once.
  const heldBytesMax = partitions.length === 1 ? 1 : Math.ceil(limits.heldBytes / laneCount)
  return new Lane(reader, heldBytesMax)
}
