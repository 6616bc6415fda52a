/**
 * Whether a broker has left unanswered for too long what a member asked it, and telling the program so: once
 * when it has, once when it is over. A refusal that may pass is no answer. Owns the timer, and that these
 * hooks are called one after another, beside all else.
 */

import { SpoolError } from '../api/errors.ts'
import type { ConsumerHooks } from './consumer-hooks.ts'

export interface SilenceOptions {
  readonly hooks: Pick<ConsumerHooks, 'onTrouble' | 'onRecovered'>
  /** A hook threw. */
  readonly onFailure: (error: unknown) => void
}

/** Nobody is told of less silence than that, or than a quarter of its session. */
const TROUBLE_MS = 5_000

export class Silence {
  readonly #options: SilenceOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Since when it owes an answer. */
  #askedAtMs = 0
  #error: SpoolError | undefined
  #isTold = false
  /** The hooks that were called last; never rejects. */
  #telling: Promise<unknown> = Promise.resolve()
  #isClosed = false

  constructor(options: SilenceOptions) {
    this.#options = options
  }

  /** It is asked something now; the first that is not answered counts. */
  asked(sessionTimeoutMs: number): void {
    if (this.#timer !== undefined || this.#isTold || this.#isClosed) return
    this.#askedAtMs = performance.now()
    const afterMs = Math.min(TROUBLE_MS, sessionTimeoutMs / 4)
    this.#timer = setTimeout(() => this.#lasts(), afterMs)
  }

  failed(error: SpoolError): void {
    this.#error = error
  }

  heard(): void {
    this.#stopWaiting()
    this.#error = undefined
    if (!this.#isTold) return
    this.#isTold = false
    this.#tell((hooks) => hooks.onRecovered?.())
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#isClosed = true
    this.#stopWaiting()
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #lasts(): void {
    this.#timer = undefined
    this.#isTold = true
    const silentMs = performance.now() - this.#askedAtMs
    const detail = `the broker has not answered for ${Math.round(silentMs)} ms`
    const error = this.#error ?? new SpoolError('REQUEST_TIMED_OUT', detail, { outcome: 'unknown' })
    this.#tell((hooks) => hooks.onTrouble?.({ error, silentMs }))
  }

  #tell(call: (hooks: SilenceOptions['hooks']) => unknown): void {
    const { hooks, onFailure } = this.#options
    this.#telling = this.#telling
      .then(() => (this.#isClosed ? undefined : call(hooks)))
      .catch(onFailure)
  }
}
