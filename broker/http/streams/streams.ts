/**
 * All streams of a broker: how many there may be, what they share (the tails they read, the memory they
 * hold, what they count), the second that makes things due, and their end when the broker stops. What one
 * stream does is `stream.ts`.
 */

import type { FastifyReply } from 'fastify'
import { spoolErrorFrom } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import type { Slots } from '../limits/slots.ts'
import { untilGone } from '../records/until-gone.ts'
import { Feeds } from './feeds.ts'
import { StreamMemory } from './memory.ts'
import { Outlet } from './outlet.ts'
import { type FirstPart, type PlaceSource, RecordStream, type StreamManner } from './stream.ts'
import type { PlaceSurroundings } from './stream-places.ts'
import { noTotals, type StreamTotals } from './totals.ts'

/** What is due is found out so often. */
const TICK_MS = 1_000

export interface StreamsOptions {
  readonly clock: Clock
  /** Streams take one each, as requests that wait do. */
  readonly slots: Slots
  /** `stream.max.bytes` */
  readonly bytesMax: number
  /** `stream.stalled.ms.max` */
  readonly stalledMsMax: number
  readonly maxDecompressedBytes: number
  /** Aborted when the broker begins to stop. */
  readonly closing: AbortSignal
  /** A reader took nothing for so long that it was cut. */
  readonly onStalled: () => void
  /** Something failed that should not. */
  readonly onDefect: (error: unknown) => void
}

export interface StreamRequest {
  readonly manner: StreamManner
  readonly reply: FastifyReply
  /** Another bound than `stream.stalled.ms.max` for a reader that takes nothing. */
  readonly stalledMsMax?: number
  /** Finds the first places. Throws SpoolError for what can still be said as a problem. */
  begin(surroundings: PlaceSurroundings, signal: AbortSignal): Promise<PlaceSource>
  /** Told the stream, before it runs. */
  onStream?(stream: RecordStream): void
}

export class Streams {
  readonly totals: StreamTotals = noTotals()
  readonly #options: StreamsOptions
  readonly #memory: StreamMemory
  readonly #feeds: Feeds
  readonly #surroundings: PlaceSurroundings
  readonly #open = new Set<RecordStream>()
  #isTicking = false

  constructor(options: StreamsOptions) {
    const { clock, bytesMax, maxDecompressedBytes, closing } = options
    this.#options = options
    this.#memory = new StreamMemory(bytesMax, clock)
    this.#feeds = new Feeds({
      memory: this.#memory,
      clock,
      totals: this.totals,
      maxDecompressedBytes,
      onFailure: (error) => this.#noteDefect(error),
    })
    this.#surroundings = {
      feeds: this.#feeds,
      memory: this.#memory,
      totals: this.totals,
      maxDecompressedBytes,
    }
    closing.addEventListener('abort', () => {
      for (const stream of this.#open) stream.stop()
    })
  }

  /** Streams under way. */
  get count(): number {
    return this.#open.size
  }

  /** Readings of tails, each for all streams that show the same records in the same way. */
  get feeds(): number {
    return this.#feeds.count
  }

  get heldBytes(): number {
    return this.#memory.heldBytes
  }

  /**
   * Sends a stream; resolves when it is over. Rejects, with nothing sent, for what can still be said as a
   * problem: SpoolError.
   */
  async send(request: StreamRequest): Promise<void> {
    const free = this.#options.slots.take()
    try {
      const stream = await this.#streamOf(request)
      try {
        const first = await stream.begin()
        await this.#run(stream, request, first)
      } finally {
        stream.close()
      }
    } finally {
      free()
    }
  }

  async #streamOf({ manner, reply, begin }: StreamRequest): Promise<RecordStream> {
    const { clock, closing, stalledMsMax } = this.#options
    const source = await untilGone(reply.raw, closing, (signal) =>
      begin(this.#surroundings, signal),
    )
    // Whoever holds what there is lacks is cut by then, or has taken it: one that stalls a little later, too.
    const busyMsMax = 2 * stalledMsMax + TICK_MS
    return new RecordStream({
      manner,
      source,
      clock,
      busyMsMax,
      memory: this.#memory,
      totals: this.totals,
    })
  }

  async #run(
    stream: RecordStream,
    { manner, reply, stalledMsMax = this.#options.stalledMsMax, onStream }: StreamRequest,
    first: FirstPart | undefined,
  ): Promise<void> {
    const { clock, closing, onStalled } = this.#options
    const outlet = new Outlet(reply, {
      headers: manner.format.headers,
      clock,
      stalledMsMax,
      onChange: () => stream.wake(),
      onStalled: () => {
        this.totals.stalled++
        onStalled()
      },
    })
    this.#open.add(stream)
    this.#tickLater()
    try {
      onStream?.(stream)
      const running = stream.run(outlet, first)
      if (closing.aborted) stream.stop()
      this.#noteDefect(await running)
    } finally {
      this.#open.delete(stream)
    }
  }

  #tickLater(): void {
    if (this.#isTicking || this.#open.size === 0) return
    this.#isTicking = true
    this.#options.clock.after(TICK_MS, () => {
      this.#isTicking = false
      const now = this.#options.clock.monotonicMs()
      for (const stream of this.#open) stream.tick(now)
      this.#tickLater()
    })
  }

  /** What clients and disks may do is told to the client; what only a defect does is noted. */
  #noteDefect(error: unknown): void {
    if (error === undefined) return
    if (spoolErrorFrom(error).code === 'UNKNOWN_SERVER_ERROR') this.#options.onDefect(error)
  }
}
