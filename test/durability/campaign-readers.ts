/**
 * The readers of the campaign: the client's own, each used in another way a program would use it, all from
 * the first record on, and each keeping what it was given.
 */

import { crc32 } from 'node:zlib'
import {
  type Client,
  type Reader,
  type ReaderOptions,
  type ReadRecord,
  SpoolError,
} from '../../client/index.ts'
import type { SeededRandom } from '../rigs/random.ts'

export interface ReaderWay {
  readonly name: string
  /** Through the door of browsers. */
  readonly isOverFetch?: boolean
  readonly isOfBatches?: boolean
  /** Loops break off now and then, and go on. */
  readonly breaks?: 'goes on' | 'begins a new reader'
  /** Now and then it takes nothing for a while. */
  readonly isSlow?: boolean
  readonly options?: ReaderOptions
}

export const READER_WAYS: readonly ReaderWay[] = [
  { name: 'records' },
  { name: 'batches', isOfBatches: true },
  { name: 'records, broken off', breaks: 'goes on' },
  { name: 'batches, broken off', isOfBatches: true, breaks: 'goes on' },
  { name: 'records, from the position of another', breaks: 'begins a new reader' },
  { name: 'records, slowly', isSlow: true, options: { prefetchBytes: 2_000 } },
  { name: 'records, in short waits', options: { maxWaitMs: 20 } },
  { name: 'records, over fetch', isOverFetch: true },
  {
    name: 'batches, over fetch, broken off',
    isOverFetch: true,
    isOfBatches: true,
    breaks: 'goes on',
  },
]

export interface ReadEntry {
  readonly offset: number
  /** Of its value. */
  readonly checksum: number
}

export interface CampaignReaderOptions {
  readonly way: ReaderWay
  readonly topic: string
  readonly partitions: number
  readonly random: SeededRandom
}

const THINGS_BEFORE_BREAK_MAX = 300
const PAUSE_EVERY = 50
const PAUSE_MS_MAX = 40

export class CampaignReader {
  /** What it was given of each partition, in order. */
  readonly logs: readonly ReadEntry[][]
  readonly #client: Client
  readonly #options: CampaignReaderOptions
  #reader: Reader
  /** Where it began. */
  #from: NonNullable<ReaderOptions['from']> = 'earliest'
  /** Where the partitions end, once nothing more is written. */
  #ends: readonly number[] | undefined

  constructor(client: Client, options: CampaignReaderOptions) {
    this.#client = client
    this.#options = options
    this.logs = Array.from({ length: options.partitions }, () => [])
    this.#reader = this.#begin(this.#from)
  }

  get way(): ReaderWay {
    return this.#options.way
  }

  /** Reads until it is told where the partitions end, and has come there. */
  async run(): Promise<void> {
    while (!this.#isAtEnds()) {
      await this.#readOn()
      if (this.way.breaks === 'begins a new reader' && !this.#isAtEnds()) {
        await this.#reader.close()
        this.#reader = this.#begin(this.#position())
      }
    }
    await this.#reader.close()
  }

  finish(ends: readonly number[]): void {
    this.#ends = ends
    // It may wait for more already.
    if (this.#isAtEnds()) void this.#reader.close()
  }

  #begin(from: NonNullable<ReaderOptions['from']>): Reader {
    this.#from = from
    return this.#client.reader(this.#options.topic, { ...this.way.options, from })
  }

  /** Of one that has not begun, where it is to begin. */
  #position(): Record<number, number> {
    const position = this.#reader.position()
    if (Object.keys(position).length > 0 || typeof this.#from !== 'object') return position
    return this.#from as Record<number, number>
  }

  /** By its own word: what `position()` says is part of what is tried. */
  #isAtEnds(): boolean {
    const position = this.#position()
    return this.#ends?.every((end, partition) => (position[partition] ?? 0) >= end) === true
  }

  async #readOn(): Promise<void> {
    try {
      await (this.way.isOfBatches === true ? this.#readBatches() : this.#readRecords())
    } catch (error) {
      // A reader that has not begun waits no longer than a request may take.
      const hasBegun = Object.keys(this.#reader.position()).length > 0
      if (hasBegun || !(error instanceof SpoolError) || !error.retriable) throw error
    }
  }

  async #readRecords(): Promise<void> {
    const countMax = this.#countBeforeBreak()
    let count = 0
    for await (const record of this.#reader) {
      this.#note(record)
      if (++count >= countMax || this.#isAtEnds()) return
      if (this.way.isSlow === true && count % PAUSE_EVERY === 0) await this.#pause()
    }
  }

  async #readBatches(): Promise<void> {
    const countMax = this.#countBeforeBreak()
    let count = 0
    for await (const batch of this.#reader.batches()) {
      for (const record of batch) this.#note(record)
      if (++count >= countMax || this.#isAtEnds()) return
    }
  }

  #countBeforeBreak(): number {
    if (this.way.breaks === undefined) return Number.POSITIVE_INFINITY
    return this.#options.random.between(1, THINGS_BEFORE_BREAK_MAX)
  }

  #note({ partition, offset, valueBytes }: ReadRecord): void {
    this.logs[partition]!.push({ offset, checksum: crc32(valueBytes ?? '') })
  }

  #pause(): Promise<void> {
    const ms = this.#options.random.below(PAUSE_MS_MAX)
    return new Promise((resolve) => setTimeout(resolve, ms))
  }
}
