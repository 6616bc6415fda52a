/**
 * A handler and what happens when it throws: another attempt after a while, and another, then the dead
 * letters, or the end of everything. One piece at a time; whose turn it is, is for `runner.ts`.
 */

import { pause, retryDelayMs } from '../retry.ts'
import type { DeadLetterOffice } from './dead-letters.ts'
import type { Lane, Piece } from './lane.ts'
import type { Patience } from './patience.ts'
import type { Handler, RetrySettings } from './run-options.ts'

export interface AttemptOptions<T> {
  readonly handler: Handler<T>
  readonly retry: RetrySettings
  readonly office: DeadLetterOffice | undefined
  readonly patience: Patience
}

/** Not done, and nobody's fault: its partition is to go, and who has it next begins with it. */
const GIVEN_UP = Symbol('given up')

export class Attempts<K, V, T> {
  readonly #options: AttemptOptions<T>

  constructor(options: AttemptOptions<T>) {
    this.#options = options
  }

  /**
   * True once the piece is done: handled, or among the dead letters. False: it was given up, because its
   * partition is wanted elsewhere.
   *
   * @throws what the handler threw last, where there is no office; what the office throws.
   */
  async work(piece: Piece<K, V>, lane: Lane<K, V>): Promise<boolean> {
    try {
      await this.#tryAll(piece, lane)
      return true
    } catch (error) {
      // Whatever else it was: nobody wants to know any more.
      if (error === GIVEN_UP || lane.gone.signal.aborted) return false
      throw error
    }
  }

  async #tryAll(piece: Piece<K, V>, lane: Lane<K, V>): Promise<void> {
    const { handler, retry, office, patience } = this.#options
    const { signal } = lane.gone
    const given = (piece.record ?? piece.batch) as T
    for (let attempt = 1; ; attempt++) {
      try {
        lane.calledAt = patience.tick
        await handler(given, { signal, attempt })
        return
      } catch (error) {
        lane.calledAt = undefined
        if (signal.aborted) throw GIVEN_UP
        if (attempt >= retry.attempts || !retry.isWorthIt(error)) {
          if (office === undefined) throw error
          return this.#bury(piece, { error, attempts: attempt }, office, signal)
        }
        await this.#waitBefore(attempt, lane)
      }
    }
  }

  async #waitBefore(attempt: number, lane: Lane<K, V>): Promise<void> {
    const { backoffMs, backoffMsMax } = this.#options.retry
    const backoff = { retryBackoffMs: backoffMs, retryBackoffMsMax: backoffMsMax }
    try {
      await pause(retryDelayMs(attempt, backoff, Math.random()), lane.leaving.signal)
    } catch {
      throw GIVEN_UP
    }
  }

  async #bury(
    { record, batch }: Piece<K, V>,
    failure: { readonly error: unknown; readonly attempts: number },
    office: DeadLetterOffice,
    signal: AbortSignal,
  ): Promise<void> {
    for (const each of batch ?? [record!]) await office.send({ record: each, ...failure }, signal)
  }
}
