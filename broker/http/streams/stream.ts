/**
 * One reader's stream over one partition, all of a topic, or what a member of a group has: takes from its
 * places in turn, writes to its outlet, and ends. Everything happens in one loop, which waits while the reader
 * is slow and while there is nothing new, and holds nothing meanwhile but what the reader has not taken. Where
 * records come from is `place.ts`, what the reader is told beside them `telling.ts`, what the request asked for
 * `plan.ts`.
 *
 *     turn ── a chunk of the first place that may have one ──► outlet ─► that place goes to the back
 *       │ a place has nothing: it leaves the row until it is woken
 *       │ the row is empty: tell where the reader is if it must know, then wait
 *       │ all are done, or `limit` is reached: end
 *       └ trouble: problem, and the end of the connection
 */

import { SpoolError, spoolErrorFrom } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import { placeOutOfRange } from '../records/read-places.ts'
import type { Chunk, Part } from './chunk.ts'
import type { EndReason } from './format.ts'
import { isBusy, noRoom, type StreamMemory } from './memory.ts'
import type { Outlet } from './outlet.ts'
import type { Place } from './place.ts'
import type { StreamPlan } from './plan.ts'
import { Telling } from './telling.ts'
import type { StreamTotals } from './totals.ts'

/** What a stream is to be like: of a plan (`plan.ts`), the part that does not say where it reads. */
export type StreamManner = Pick<StreamPlan, 'limit' | 'hasControl' | 'format' | 'outOfRange'>

/** Where a stream's places come from: of a request (`stream-places.ts`), or of a member of a group. */
export interface PlaceSource {
  /** In an order that stays. */
  readonly places: readonly Place[]
  /** The time that is the end, where it lies ahead (wall clock). */
  readonly untilMs: number | undefined
  /** True where a reader must be told its place after each chunk, because records do not say it. */
  readonly tellsAfterChunks: boolean
  /** False: there may be places later, though there is nothing to read now. */
  readonly canEnd: boolean
  /** True: a topic that is deleted ends its places, not the stream. */
  readonly outlivesTopics: boolean
  /** The offset at which it ends the reading of that place, once it has come. */
  endOf(place: Place): Promise<number>
  /** Where the reader is, as it is told; `isEnd`: and that it has all it asked for. Throws where that can not be told. */
  cursor(isEnd: boolean): string
  /** True where the last `cursor` left something out, which the next one says. */
  readonly hasMoreToTell: boolean
  /** True when there are other places than before. */
  isChanged(): boolean
  /** Makes `places` what they are now; throws SpoolError when the stream is over by that, such as by a deleted topic. */
  change(): PlaceChange
}

export interface PlaceChange {
  readonly added: readonly Place[]
  /** Closed by whoever calls `change`. */
  readonly removed: readonly Place[]
  /** What the reader is told of it before any record of the places added. */
  readonly told: readonly Buffer[]
}

export interface StreamOptions {
  readonly manner: StreamManner
  readonly source: PlaceSource
  readonly memory: StreamMemory
  readonly totals: StreamTotals
  readonly clock: Clock
  /** How long it may wait for memory before it gives up. */
  readonly busyMsMax: number
}

/** How long a stream waits for memory before it looks what else is to be done. */
const ROOM_MS = 1_000

/** What a stream begins with. */
export interface FirstPart {
  readonly place: Place
  readonly chunk: Chunk
}

export class RecordStream {
  readonly #options: StreamOptions
  /** Places that may have something to give, in their order. */
  readonly #row = new Set<Place>()
  /** Those that are not done. */
  readonly #undone = new Set<Place>()
  readonly #gone = new AbortController()
  #outlet: Outlet | undefined
  #telling: Telling | undefined
  /** Records still wanted. */
  #left: number
  #resume: (() => void) | undefined
  #isWoken = false
  #isStopping = false
  #isChangeDue = false
  /** The time that is the end, until it has come. */
  #untilMs: number | undefined
  #busySinceMs: number | undefined
  #wasFull = false

  constructor(options: StreamOptions) {
    this.#options = options
    this.#left = options.manner.limit
    this.#untilMs = options.source.untilMs
    this.#add(this.#places)
  }

  get #places(): readonly Place[] {
    return this.#options.source.places
  }

  /**
   * Reads the first records, so that what is wrong with them can be said before the stream begins. Throws
   * SpoolError.
   */
  async begin(): Promise<FirstPart | undefined> {
    // Whether the places of so many partitions can be told.
    if (this.#options.manner.hasControl) this.#options.source.cursor(false)
    const place = this.#next()
    if (place === undefined) return undefined
    const chunk = await this.#readOf(place)
    return chunk && { place, chunk }
  }

  /**
   * Streams until the end, which is the client's, the broker's, or that of what was asked for. Never rejects;
   * resolves with what went wrong, if anything did.
   */
  async run(outlet: Outlet, first: FirstPart | undefined): Promise<unknown> {
    const { manner, source, clock } = this.#options
    const telling = new Telling({
      outlet,
      format: manner.format,
      hasControl: manner.hasControl,
      tellsAfterChunks: () => source.tellsAfterChunks,
      cursor: (isEnd) => source.cursor(isEnd),
      hasMoreToTell: () => source.hasMoreToTell,
      clock,
    })
    this.#outlet = outlet
    this.#telling = telling
    let failure: unknown
    try {
      telling.open()
      if (first !== undefined) this.#give(first.place, first.chunk)
      const reason = await this.#deliver(outlet, telling)
      if (reason !== undefined) await telling.end(reason)
    } catch (error) {
      failure = error
      await telling.fail(spoolErrorFrom(error)).catch(() => outlet.abort())
    } finally {
      this.close()
    }
    return failure
  }

  /** Lets go of everything; safe to repeat. */
  close(): void {
    this.#gone.abort()
    for (const place of this.#places) place.close()
  }

  /** Something may have changed: a place has more, the client took something, or is gone. */
  wake(): void {
    if (this.#outlet?.isGone) this.#gone.abort()
    const resume = this.#resume
    this.#resume = undefined
    if (resume === undefined) this.#isWoken = true
    else resume()
  }

  /** The broker stops. */
  stop(): void {
    this.#isStopping = true
    this.#outlet?.hurry()
    this.wake()
  }

  /** About once a second: what is due, is due now. */
  tick(nowMs: number): void {
    const outlet = this.#outlet
    if (outlet === undefined || outlet.isGone) return
    outlet.tick(nowMs)
    if (outlet.isFull) {
      // Whoever takes nothing for so long has nothing read ahead for it.
      if (this.#wasFull) for (const place of this.#undone) place.rest()
      this.#wasFull = true
      return
    }
    this.#wasFull = false
    this.#isChangeDue ||= this.#options.source.isChanged()
    if (this.#telling!.tick(nowMs) || this.#isUntilDue || this.#isChangeDue) this.wake()
  }

  /** There are other places: looked at now, and not at the next tick. */
  changed(): void {
    this.#isChangeDue = true
    this.wake()
  }

  /** The loop. Resolves with why the stream is complete, or `undefined` when there is nobody to tell. */
  async #deliver(outlet: Outlet, telling: Telling): Promise<EndReason | undefined> {
    for (;;) {
      if (outlet.isGone) return undefined
      if (this.#isStopping) return 'stopping'
      if (this.#left <= 0) return 'limit'
      if (this.#isChangeDue) this.#change(telling)
      if (this.#isUntilDue) await this.#resolveUntil()
      if (outlet.isFull) {
        await this.#wait()
        continue
      }
      const place = this.#next()
      telling.say(place === undefined)
      if (place !== undefined) {
        if (!this.#takeFrom(place)) await this.#readFrom(place)
      } else if (this.#undone.size === 0 && this.#options.source.canEnd) return this.#reason
      else await this.#wait()
    }
  }

  #add(places: readonly Place[]): void {
    for (const place of places) {
      this.#row.add(place)
      this.#undone.add(place)
      place.onWake = () => {
        this.#row.add(place)
        this.wake()
      }
    }
  }

  /** The place whose turn it is. */
  #next(): Place | undefined {
    for (const place of this.#row) {
      if (!place.isDone) return place
      this.#row.delete(place)
      this.#undone.delete(place)
    }
    return undefined
  }

  #toTheBack(place: Place): void {
    if (this.#row.delete(place)) this.#row.add(place)
  }

  /** Gives what the place's feed has, if anything; false where the place must read by itself. */
  #takeFrom(place: Place): boolean {
    const part = place.take(this.#left)
    if (part !== undefined) {
      this.#write(place, part)
      this.#toTheBack(place)
    } else if (place.isBehind) return false
    // The feed wakes it when there is more.
    else this.#row.delete(place)
    return true
  }

  async #readFrom(place: Place): Promise<void> {
    const chunk = await this.#readOf(place)
    if (!place.isInTurn) {
      place.endTurn(this.#undone.size > 1)
      this.#toTheBack(place)
    }
    if (chunk !== undefined) this.#give(place, chunk)
    // Whoever does not read for itself has a turn too.
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Gives what a place read by itself. */
  #give(place: Place, chunk: Chunk): void {
    if (!this.#outlet?.isGone) {
      this.#write(place, chunk.part(place.nextOffset, place.end, this.#left))
    }
    chunk.release()
  }

  #write(place: Place, part: Part): void {
    const { recordCount, bytes, chunk } = part
    if (recordCount > 0) this.#outlet!.write(bytes, chunk)
    place.advance(part)
    this.#left -= recordCount
    this.#options.totals.recordsSent += recordCount
    this.#telling!.moved(recordCount > 0 ? bytes.length : 0)
  }

  /** The next chunk that the place reads by itself; `undefined` also where there is no memory for it now. */
  async #readOf(place: Place): Promise<Chunk | undefined> {
    const { memory, manner } = this.#options
    try {
      if (!memory.hasRoomFor('history')) throw noRoom(memory)
      const chunk = await place.read()
      this.#busySinceMs = undefined
      return chunk
    } catch (error) {
      if (isBusy(error)) await this.#waitForRoom(error)
      else if (this.#options.source.outlivesTopics && isOfNoTopic(error)) this.#drop(place)
      else {
        const from = placeOutOfRange(place.partition, spoolErrorFrom(error), manner.outOfRange)
        place.restartAt(from)
      }
      return undefined
    }
  }

  /** Waits a moment for memory. Throws `error` where the wait was too long, or the stream has not begun. */
  async #waitForRoom(error: unknown): Promise<void> {
    const { memory, clock, busyMsMax } = this.#options
    const now = clock.monotonicMs()
    this.#busySinceMs ??= now
    if (this.#outlet === undefined || now - this.#busySinceMs >= busyMsMax) throw error
    await memory.room('history', now + ROOM_MS, this.#gone.signal)
  }

  #change(telling: Telling): void {
    this.#isChangeDue = false
    const { added, removed, told } = this.#options.source.change()
    for (const place of removed) this.#drop(place)
    telling.note(told)
    this.#add(added)
    // Those that were there may look different from now on.
    for (const place of this.#undone) this.#row.add(place)
  }

  #drop(place: Place): void {
    this.#row.delete(place)
    this.#undone.delete(place)
    place.close()
  }

  get #isUntilDue(): boolean {
    return this.#untilMs !== undefined && this.#options.clock.now() >= this.#untilMs
  }

  /** The time that is the end has come: what it means is known now. */
  async #resolveUntil(): Promise<void> {
    this.#untilMs = undefined
    for (const place of this.#undone) {
      if (place.end !== Number.POSITIVE_INFINITY) continue
      place.endAt(await this.#options.source.endOf(place))
      this.#row.add(place)
    }
  }

  get #reason(): EndReason {
    return this.#places.every(({ nextOffset, until }) => nextOffset >= until) ? 'until' : 'latest'
  }

  #wait(): Promise<void> {
    if (this.#isWoken) {
      this.#isWoken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.#resume = resolve
    })
  }
}

function isOfNoTopic(error: unknown): boolean {
  return error instanceof SpoolError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION'
}
