/**
 * What all streams hold in memory, counted: pieces read from logs, batches decompressed, records rendered
 * and not taken yet. Streams have a bound of their own (`stream.max.bytes`), so that slow readers cost
 * other readers time and never cost a producer its request. Who finds no room waits; nobody is refused
 * for what another stream holds. Owns the count and the waiting, not the bytes.
 *
 *     0 ─────────────── held ───────────────┬── history ends here ──┬── bytesMax
 *       readers of history and of the tail  │  of the tail only     │
 */

import { SpoolError } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'

/** How often somebody looks whether there is room for those who wait. */
const LOOK_MS = 50
/** What one who was let in takes at once, about: so many more are let in as there is room for. */
const ADMITTED_BYTES = 1024 * 1024
/**
 * Readers of what came long ago, each of whom reads for itself, leave this part to the tails, which read
 * for everybody: a crowd that replays history does not hold up what is live.
 */
const LIVE_SHARE = 1 / 4

/** What memory is for: the tail of a partition, or one reader's way through history. */
export type MemoryUse = 'live' | 'history'

interface Waiter {
  readonly use: MemoryUse
  readonly untilMs: number
  readonly done: () => void
}

export class StreamMemory {
  readonly bytesMax: number
  readonly #clock: Clock
  /** In the order they came. */
  readonly #waiting = new Set<Waiter>()
  /** Never below 0. May exceed `bytesMax` by what is being rendered at this moment: a chunk, or one large record. */
  #heldBytes = 0

  constructor(bytesMax: number, clock: Clock) {
    this.bytesMax = bytesMax
    this.#clock = clock
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** How far memory may be filled for that use. */
  bytesMaxOf(use: MemoryUse): number {
    return use === 'live' ? this.bytesMax : this.bytesMax * (1 - LIVE_SHARE)
  }

  /** True while somebody may begin to read or render. */
  hasRoomFor(use: MemoryUse): boolean {
    return this.#heldBytes < this.bytesMaxOf(use)
  }

  /** Counts bytes that exist now; negative: that are gone. */
  add(bytes: number): void {
    if (this.#heldBytes + bytes < 0) {
      throw new RangeError(`${-bytes} bytes given back of ${this.#heldBytes} held`)
    }
    this.#heldBytes += bytes
  }

  /**
   * Resolves when there may be room, in the order of asking; at `untilMs` (monotonic) at the latest, and at
   * once when aborted.
   */
  room(use: MemoryUse, untilMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(waiter)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const waiter: Waiter = { use, untilMs, done }
      if (this.#waiting.size === 0) this.#lookLater()
      this.#waiting.add(waiter)
      signal.addEventListener('abort', done)
    })
  }

  /** One timer for all who wait, however many. */
  #lookLater(): void {
    this.#clock.after(LOOK_MS, () => {
      const now = this.#clock.monotonicMs()
      let expected = this.#heldBytes
      for (const { use, untilMs, done } of [...this.#waiting]) {
        const isAdmitted = expected < this.bytesMaxOf(use)
        if (isAdmitted) expected += ADMITTED_BYTES
        if (isAdmitted || now >= untilMs) done()
      }
      if (this.#waiting.size > 0) this.#lookLater()
    })
  }
}

/** What one scan of a log holds, until it is closed: a read still under way then holds nothing of ours any more. */
export class ScanMemory {
  readonly #memory: StreamMemory
  readonly #use: MemoryUse
  #bytes = 0
  #isClosed = false

  constructor(memory: StreamMemory, use: MemoryUse) {
    this.#memory = memory
    this.#use = use
  }

  /** Holds exactly `bytes` from now on. Throws SpoolError BROKER_BUSY, and holds what it held, where that is too much. */
  resize(bytes: number): void {
    if (this.#isClosed) return
    const { heldBytes, bytesMax } = this.#memory
    const afterwards = heldBytes - this.#bytes + bytes
    if (bytes > this.#bytes && afterwards > this.#memory.bytesMaxOf(this.#use)) {
      throw busy(`streams hold ${heldBytes} bytes and would hold ${afterwards}`, bytesMax)
    }
    this.#memory.add(bytes - this.#bytes)
    this.#bytes = bytes
  }

  close(): void {
    this.resize(0)
    this.#isClosed = true
  }
}

/** What a stream that found no room in time is told. */
export function noRoom({ heldBytes, bytesMax }: StreamMemory): SpoolError {
  return busy(`streams hold ${heldBytes} bytes`, bytesMax)
}

/** True for an error that says there was no room: not now, and perhaps soon. */
export function isBusy(error: unknown): boolean {
  return error instanceof SpoolError && error.code === 'BROKER_BUSY'
}

function busy(what: string, bytesMax: number): SpoolError {
  return new SpoolError('BROKER_BUSY', `${what}: stream.max.bytes is ${bytesMax}; try again`, {
    retryAfterS: 1,
  })
}
