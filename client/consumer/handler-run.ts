/**
 * The life of one `run`, as a `ReadLoop` is that of a loop: joins, has a runner call the handler, and at the
 * end, whatever it is, leaves the group and closes the office of the dead letters. Owns which end is a failure.
 */

import type { ClientContext } from '../client-context.ts'
import { Attempts } from './attempts.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import type { ConsumerSession } from './consumer-session.ts'
import { DeadLetterOffice } from './dead-letters.ts'
import type { Handler, RunSettings } from './run-options.ts'
import { Runner } from './runner.ts'

export interface HandlerRunOptions<K, V, T> extends RunSettings {
  readonly context: ClientContext
  readonly settings: ConsumerSettings<K, V>
  readonly handler: Handler<T>
  readonly isOfBatches: boolean
}

export class HandlerRun<K, V, T> {
  readonly #options: HandlerRunOptions<K, V, T>
  /** Aborted by `end`, or by the program's signal and then with its reason. */
  readonly #ending = new AbortController()
  /** `end` came first. */
  #isEnded = false
  readonly #over = Promise.withResolvers<void>()

  constructor(options: HandlerRunOptions<K, V, T>) {
    this.#options = options
  }

  /**
   * Resolves when it was ended, or its session stopped.
   *
   * @throws what failed first: the join, the session, a handler, a hook; the reason of the program's signal.
   */
  async work(session: ConsumerSession<K, V>): Promise<void> {
    const { signal } = this.#options.settings
    const abort = () => this.#ending.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    const office = this.#openOffice()
    try {
      await this.#workAsMember(session, office)
      signal?.throwIfAborted()
    } catch (error) {
      // Ended while it was still joining: that is no failure.
      if (!this.#isEnded || error !== this.#ending.signal.reason) throw error
    } finally {
      signal?.removeEventListener('abort', abort)
      try {
        await office?.close()
      } finally {
        this.#over.resolve()
      }
    }
  }

  /** Ends it where it is; resolves once it is over. Idempotent. */
  end(): Promise<void> {
    this.#isEnded ||= !this.#ending.signal.aborted
    this.#ending.abort()
    return this.#over.promise
  }

  async #workAsMember(
    session: ConsumerSession<K, V>,
    office: DeadLetterOffice | undefined,
  ): Promise<void> {
    const { settings, handler, retry, isOfBatches, concurrency } = this.#options
    const { prefetchBytes, closeTimeoutMs } = settings
    const { patience } = session
    const { signal } = this.#ending
    const runner = new Runner({
      session,
      attempts: new Attempts<K, V, T>({ handler, retry, office, patience }),
      isOfBatches,
      concurrency,
      prefetchBytes,
      closeTimeoutMs,
    })
    signal.addEventListener('abort', () => session.stop(), { once: true })
    await session.start(runner, signal)
    try {
      await runner.work()
    } catch (error) {
      await session.close().catch(() => {})
      throw error
    }
    await session.close()
  }

  #openOffice(): DeadLetterOffice | undefined {
    const { context, settings, deadLetter } = this.#options
    const { group, closeTimeoutMs } = settings
    return deadLetter && new DeadLetterOffice(context, group, deadLetter, closeTimeoutMs)
  }
}
