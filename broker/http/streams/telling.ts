/**
 * What a stream tells its reader beside the records: where it is (at the beginning, after each chunk or
 * second as the form of the stream needs it, and as a heartbeat), what went wrong, and that it ended. A
 * finite stream of records only tells none of that: whether it ends cleanly is all it says. Owns what is
 * due; the words are `format.ts`.
 */

import type { SpoolError } from '../../../client/api/errors.ts'
import type { Clock } from '../../../storage/clock.ts'
import { CHUNK_BYTES } from './chunk.ts'
import type { EndReason, StreamFormat } from './format.ts'
import type { Outlet } from './outlet.ts'

/** A reader is told where it is whether or not it has moved: so that nobody takes the connection for dead. */
export const HEARTBEAT_MS = 10_000

export interface TellingOptions {
  readonly outlet: Outlet
  readonly format: StreamFormat
  /** False: records only. */
  readonly hasControl: boolean
  /** True where records do not say where the reader is: it is told after each chunk. */
  readonly tellsAfterChunks: () => boolean
  /** Where the reader is; `isEnd`: and that it has all it asked for. */
  readonly cursor: (isEnd: boolean) => string
  /** True where that did not say everything: the rest follows within a second. */
  readonly hasMoreToTell: () => boolean
  readonly clock: Clock
}

export class Telling {
  readonly #options: TellingOptions
  /** The reader moved since it was told where it is. */
  #hasMoved = false
  /** Bytes of records since then. */
  #bytesSince = 0
  #isPlaceDue = false
  #isHeartbeatDue = false
  #toldAtMs: number

  constructor(options: TellingOptions) {
    this.#options = options
    this.#toldAtMs = options.clock.monotonicMs()
  }

  /** What a stream begins with. */
  open(): void {
    const { format, hasControl } = this.#options
    if (hasControl) this.#tell(format.opening(this.#cursor()))
  }

  /** Says what its source has to say, where the reader listens for that. */
  note(told: readonly Buffer[]): void {
    if (!this.#options.hasControl) return
    for (const bytes of told) this.#options.outlet.write(bytes)
  }

  /** The reader was given so many bytes of records, or was moved past records that are not for it. */
  moved(bytes: number): void {
    this.#hasMoved = true
    this.#bytesSince += bytes
    if (this.#bytesSince >= CHUNK_BYTES && this.#options.tellsAfterChunks()) this.#isPlaceDue = true
  }

  /** About once a second. True when something is due. */
  tick(nowMs: number): boolean {
    this.#isPlaceDue ||= this.#hasMoved
    this.#isHeartbeatDue ||= nowMs - this.#toldAtMs >= HEARTBEAT_MS
    return this.#options.hasControl && (this.#isPlaceDue || this.#isHeartbeatDue)
  }

  /** Says what is due. `isIdle`: there is nothing more to give now. */
  say(isIdle: boolean): void {
    const { format, hasControl, tellsAfterChunks } = this.#options
    if (!hasControl) return
    if (this.#isHeartbeatDue) this.#tell(format.checkpoint(this.#cursor()))
    else if (this.#isPlaceDue || (isIdle && this.#bytesSince > 0 && tellsAfterChunks())) {
      this.#tell(format.place(this.#cursor()))
    }
  }

  /** Ends the stream; resolves when the reader has all of it, or is gone. */
  async end(reason: EndReason): Promise<void> {
    const { outlet, format, hasControl } = this.#options
    const isStopping = reason === 'stopping'
    // A reader that takes nothing hears nothing, and one that was promised everything must not think it has it.
    if (isStopping && (outlet.isFull || !hasControl)) {
      outlet.abort()
      return
    }
    if (hasControl) {
      const cursor = this.#cursor()
      outlet.write(format.end(reason, cursor, isStopping ? cursor : this.#options.cursor(true)))
    }
    await outlet.end()
  }

  /** Says what went wrong, where the reader listens for that, and ends. */
  async fail(error: SpoolError): Promise<void> {
    const { outlet, format, hasControl } = this.#options
    if (!hasControl) {
      outlet.abort()
      return
    }
    if (this.#hasMoved) this.#tell(format.place(this.#cursor()))
    outlet.write(format.problem(error))
    await outlet.end()
  }

  #cursor(): string {
    return this.#options.cursor(false)
  }

  #tell(bytes: Buffer): void {
    if (bytes.length > 0) this.#options.outlet.write(bytes)
    this.#hasMoved = this.#options.hasMoreToTell()
    this.#bytesSince = 0
    this.#isPlaceDue = false
    this.#isHeartbeatDue = false
    this.#toldAtMs = this.#options.clock.monotonicMs()
  }
}
