/**
 * A bound on bytes held in memory, shared by many requests. What does not fit is refused at once:
 * waiting would hold a connection for each that waits.
 */

import type { ServerResponse } from 'node:http'
import { SpoolError } from '../../../client/api/errors.ts'

/** After this long a client may try again; requests are short, so room comes soon. */
const RETRY_AFTER_S = 1

export class ByteBudget {
  /** Invariant: 0 ≤ held ≤ max. */
  #heldBytes = 0
  readonly bytesMax: number
  readonly #setting: string

  /** `setting` is the key that bounds it, for the error. */
  constructor(bytesMax: number, setting: string) {
    this.bytesMax = bytesMax
    this.#setting = setting
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Takes `bytes`, or throws BROKER_BUSY and takes nothing. */
  take(bytes: number): void {
    if (this.#heldBytes + bytes > this.bytesMax) {
      throw new SpoolError(
        'BROKER_BUSY',
        `${bytes} bytes more would exceed ${this.#setting} ${this.bytesMax} (in use: ${this.#heldBytes}); try again`,
        { outcome: 'refused', retryAfterS: RETRY_AFTER_S },
      )
    }
    this.#heldBytes += bytes
  }

  give(bytes: number): void {
    if (bytes > this.#heldBytes) {
      throw new RangeError(`${bytes} bytes given back of ${this.#heldBytes} held`)
    }
    this.#heldBytes -= bytes
  }
}

/** What one request holds of a budget; given back once, whatever happens. */
export class HeldBytes {
  readonly #budget: ByteBudget
  #bytes = 0

  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Makes sure at least `bytes` are held in all; throws BROKER_BUSY when there is no room. */
  growTo(bytes: number): void {
    if (bytes <= this.#bytes) return
    this.#budget.take(bytes - this.#bytes)
    this.#bytes = bytes
  }

  /** Holds exactly `bytes` from now on; throws BROKER_BUSY when there is no room, and holds what it held. */
  resize(bytes: number): void {
    if (bytes < this.#bytes) {
      this.#budget.give(this.#bytes - bytes)
      this.#bytes = bytes
    } else this.growTo(bytes)
  }

  release(): void {
    this.#budget.give(this.#bytes)
    this.#bytes = 0
  }
}

/** Releases `held` when the answer has been sent, or can not be any more. */
export function heldUntilSent(response: ServerResponse, held: HeldBytes): void {
  const { socket } = response.req
  const release = () => {
    socket.off('close', release)
    response.off('close', release)
    held.release()
  }
  // An answer that stands behind others of its connection hears nothing of the connection's end.
  socket.once('close', release)
  response.once('close', release)
}
