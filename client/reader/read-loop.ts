/**
 * One `for await` over a reader, by hand: an async generator costs three promises for each thing it
 * yields, this one promise that is resolved already where something lies ready. Owns the order of calls
 * and how a loop ends; what it gives is its taker's.
 */

import { SpoolError } from '../api/errors.ts'

/** What a loop takes things from, one after another. */
export interface Taker<T> {
  /** The next, where it lies ready. */
  take(): T | undefined
  /** `next` was called: what was taken last is done with. `take` implies it. */
  asked?(): void
  /** Waits until `take` may have something; false at the end of everything. */
  ready(): Promise<boolean>
  /** Writes down how far what was taken reaches. */
  settle(): void
  close(): Promise<void>
}

export interface LoopOptions<T> {
  /** Called by the first `next`, and only then. */
  readonly open: (signal: AbortSignal) => Promise<Taker<T>>
  /** Aborted, the loop rejects with its reason. */
  readonly signal: AbortSignal | undefined
  readonly onEnd?: () => void
}

type Result<T> = IteratorResult<T, void>

const DONE: Result<never> = { done: true, value: undefined }

export class ReadLoop<T> implements AsyncIterableIterator<T, void, void> {
  readonly #options: LoopOptions<T>
  readonly #ending = new AbortController()
  #taker: Taker<T> | undefined
  /** While it is being opened; resolves with nothing where that fails. */
  #opening: Promise<Taker<T> | undefined> | undefined
  /** The same, while `next` need not wait its turn and nothing ended the loop. */
  #prompt: Taker<T> | undefined
  /** The last call that waits. */
  #waiting: Promise<Result<T>> | undefined
  #ended: Promise<void> | undefined

  constructor(options: LoopOptions<T>) {
    this.#options = options
  }

  next(): Promise<Result<T>> {
    if (this.#prompt !== undefined) {
      try {
        const value = this.#prompt.take()
        if (value !== undefined) return Promise.resolve({ done: false, value })
      } catch (error) {
        return this.#failed(error)
      }
    }
    return this.#inTurn()
  }

  /** As `break` out of a loop does. */
  async return(): Promise<Result<T>> {
    await this.end()
    return DONE
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  /** Writes down how far what was given reaches. */
  settle(): void {
    this.#taker?.settle()
  }

  /** Calls that wait come to the end. Idempotent. */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  readonly #aborted = (): void => {
    this.#prompt = undefined
    this.#ending.abort(this.#options.signal?.reason)
  }

  async #end(): Promise<void> {
    this.#prompt = undefined
    this.#options.signal?.removeEventListener('abort', this.#aborted)
    this.#taker?.settle()
    this.#ending.abort(new SpoolError('CLIENT_CLOSED', 'the loop has ended'))
    this.#options.onEnd?.()
    // What is still being opened hears that this is the end, and is closed when it is there.
    const taker = this.#taker ?? (await this.#opening)
    await taker?.close()
  }

  /** It is this that the program hears, also where ending fails as well. */
  async #failed(error: unknown): Promise<never> {
    await this.end().catch(() => {})
    throw error
  }

  /** Several calls of `next` are answered in their order. */
  #inTurn(): Promise<Result<T>> {
    this.#prompt = undefined
    const before = this.#waiting
    const call = before === undefined ? this.#next() : before.then(this.#next, this.#next)
    const isAnswered = () => {
      if (this.#waiting !== call) return
      this.#waiting = undefined
      if (!this.#ending.signal.aborted) this.#prompt = this.#taker
    }
    this.#waiting = call
    call.then(isAnswered, isAnswered)
    return call
  }

  readonly #next = async (): Promise<Result<T>> => {
    if (this.#ended !== undefined) return DONE
    this.#taker?.asked?.()
    try {
      this.#ending.signal.throwIfAborted()
      this.#taker ??= await this.#open()
      const taker = this.#taker
      while (this.#ended === undefined) {
        const value = taker.take()
        if (value !== undefined) return { done: false, value }
        if (!(await taker.ready())) break
        this.#ending.signal.throwIfAborted()
      }
    } catch (error) {
      // Ended from outside meanwhile: that is no failure.
      if (this.#ended === undefined) return this.#failed(error)
    }
    await this.end()
    return DONE
  }

  async #open(): Promise<Taker<T>> {
    const { open, signal } = this.#options
    signal?.throwIfAborted()
    signal?.addEventListener('abort', this.#aborted, { once: true })
    const opening = open(this.#ending.signal)
    this.#opening = opening.catch(() => undefined)
    return opening
  }
}
