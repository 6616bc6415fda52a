/**
 * The one loop, or run, that reads with a consumer, and how it is ended from outside. Each has a session of
 * its own, which stays here until the group was left: hooks that are called on the way out may commit.
 */

import { SpoolError } from '../api/errors.ts'
import type { ConsumerSession } from './consumer-session.ts'
import { within } from './within.ts'

interface OpenLoop<K, V> {
  readonly session: ConsumerSession<K, V>
  /** Ends it where it is. */
  end(): Promise<void>
}

export class LoopSlot<K, V> {
  readonly #newSession: () => ConsumerSession<K, V>
  readonly #closeTimeoutMs: number
  #loop: OpenLoop<K, V> | undefined
  #closed: Promise<void> | undefined

  /** `closeTimeoutMs`: how long `close` waits for what is in hand. */
  constructor(newSession: () => ConsumerSession<K, V>, closeTimeoutMs: number) {
    this.#newSession = newSession
    this.#closeTimeoutMs = closeTimeoutMs
  }

  /**
   * The session of a loop that begins now, and that `end` ends.
   *
   * @throws SpoolError INVALID_REQUEST where another one reads, CLIENT_CLOSED after `close`.
   */
  begin(end: () => Promise<void>): ConsumerSession<K, V> {
    if (this.#closed !== undefined) {
      throw new SpoolError('CLIENT_CLOSED', 'the consumer was closed', { outcome: 'refused' })
    }
    if (this.#loop !== undefined) {
      throw new SpoolError(
        'INVALID_REQUEST',
        'a loop reads with this consumer already: end it first (break, return()), or make another consumer',
        { outcome: 'refused' },
      )
    }
    const session = this.#newSession()
    this.#loop = { session, end }
    void session.whenClosed.then(() => {
      this.#loop = undefined
    })
    return session
  }

  get session(): ConsumerSession<K, V> | undefined {
    return this.#loop?.session
  }

  /** @throws SpoolError FENCED_MEMBER_EPOCH where no loop reads. */
  openSession(): ConsumerSession<K, V> {
    if (this.#loop !== undefined) return this.#loop.session
    throw new SpoolError(
      'FENCED_MEMBER_EPOCH',
      'no loop reads with this consumer: it is in no group now',
      { outcome: 'refused' },
    )
  }

  /** At its next step. Waits for nothing. */
  stop(): void {
    const loop = this.#loop
    if (loop === undefined) return
    loop.session.stop()
    // It is asking for the next one already, or is still joining. What it rejects with, the loop does too.
    if (!loop.session.isInHand) loop.end().catch(() => {})
  }

  /** For good; waits until what is in hand is done, as far as there is time, and the group was left. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    if (this.#loop === undefined) return
    const { session, end } = this.#loop
    const endsAtMs = performance.now() + this.#closeTimeoutMs
    session.stop()
    if (session.isInHand) await within(session.whenClosed, endsAtMs)
    await end()
  }
}
