/**
 * One HTTP request and its whole answer over an undici dispatcher: collected in one buffer, within a
 * bound and a time. What goes wrong on the way becomes a `SpoolError` that says whether anything was
 * sent; what the answer's status means is the caller's to judge.
 */

import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import type { FailureOutcome } from '../api/errors.ts'
import { SpoolError } from '../api/errors.ts'

export interface ExchangeOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | string | undefined
  /** True: not knowing its fate matters. */
  readonly isWrite: boolean
  /** May follow another request on its connection before that was answered. */
  readonly isPipelined?: boolean
  readonly bytesMax: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** For messages. */
  readonly url: string
  /** Called when time is up, for who shares a connection and must give it up. */
  readonly onTimeout?: (error: SpoolError) => void
}

export interface WholeAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Rejects with `SpoolError` NETWORK_EXCEPTION or REQUEST_TIMED_OUT, or with the signal's reason. */
export function exchange(dispatcher: Dispatcher, options: ExchangeOptions): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted === true) return reject(signal.reason)
    const collector = new AnswerCollector(options, resolve, reject)
    const { method, path, headers, body, isPipelined = false } = options
    dispatcher.dispatch(
      { method, path, headers, body: body ?? null, idempotent: isPipelined, blocking: false },
      collector,
    )
  })
}

/** Takes what undici reports of one request. */
class AnswerCollector implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  readonly #resolve: (answer: WholeAnswer) => void
  readonly #reject: (reason: unknown) => void
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #isDone = false
  #status = 0
  #headers: IncomingHttpHeaders = {}
  /** Room for the whole body where its length was announced; grows otherwise. */
  #body: Buffer = NO_BYTES
  #size = 0

  constructor(
    options: ExchangeOptions,
    resolve: (answer: WholeAnswer) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#options = options
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(this.#timedOut, options.timeoutMs)
    options.signal?.addEventListener('abort', this.#aborted, { once: true })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // Time was up, or the signal aborted, while it waited for a connection: it is not sent at all.
    if (this.#isDone) controller.abort(new Error('nobody waits for it any more'))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // An interim answer (103) is followed by the real one.
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    const announced = Number(headers['content-length'] ?? 0)
    if (announced > this.#options.bytesMax) this.#refuse(controller, announced)
    else if (announced > 0) this.#body = Buffer.allocUnsafeSlow(announced)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isDone) return
    const size = this.#size + chunk.length
    if (size > this.#options.bytesMax) {
      this.#refuse(controller, size)
      return
    }
    if (size > this.#body.length) this.#grow(size)
    chunk.copy(this.#body, this.#size)
    this.#size = size
  }

  onResponseEnd(): void {
    if (this.#isDone) return
    this.#done()
    const body = this.#body.subarray(0, this.#size)
    this.#resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isDone) return
    this.#fail(exchangeError(error, this.#options, this.#isSent))
  }

  get #isSent(): boolean {
    return this.#controller !== undefined
  }

  #grow(needed: number): void {
    const size = Math.min(Math.max(needed, 2 * this.#body.length), this.#options.bytesMax)
    const grown = Buffer.allocUnsafeSlow(size)
    this.#body.copy(grown, 0, 0, this.#size)
    this.#body = grown
  }

  #refuse(controller: Dispatcher.DispatchController, bytes: number): void {
    const error = new SpoolError(
      'INVALID_FETCH_SIZE',
      `the answer to ${this.#what} has ${bytes} bytes or more, responseBytesMax is ${this.#options.bytesMax}`,
      outcomeOf(this.#options, true),
    )
    this.#fail(error)
    controller.abort(error)
  }

  get #what(): string {
    return `${this.#options.method} ${this.#options.path.split('?', 1)[0]}`
  }

  readonly #timedOut = (): void => {
    if (this.#isDone) return
    const { timeoutMs, url, onTimeout } = this.#options
    const error = new SpoolError(
      'REQUEST_TIMED_OUT',
      `${this.#what}: no answer of ${url} within ${timeoutMs} ms`,
      outcomeOf(this.#options, this.#isSent),
    )
    this.#fail(error)
    if (onTimeout === undefined) this.#controller?.abort(error)
    else onTimeout(error)
  }

  readonly #aborted = (): void => {
    if (this.#isDone) return
    this.#fail(this.#options.signal?.reason)
    // A shared connection serves the others: their requests would die with it.
    if (this.#options.isPipelined !== true) this.#controller?.abort(new Error('aborted'))
  }

  #fail(reason: unknown): void {
    this.#done()
    this.#reject(reason)
  }

  #done(): void {
    this.#isDone = true
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#aborted)
    if (this.#size === 0) this.#body = NO_BYTES
  }
}

const NO_BYTES = Buffer.alloc(0)

/** undici's and the system's errors by what they mean to who asked. */
function exchangeError(error: Error, options: ExchangeOptions, isSent: boolean): SpoolError {
  if (error instanceof SpoolError) return error
  const { url } = options
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const outcome = outcomeOf(options, isSent)
  // undici's error has the parser's code, or none.
  if (error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new SpoolError(
      'UNKNOWN_SERVER_ERROR',
      `what answers at ${url} does not speak HTTP as a broker does: ${messageOf(error)}`,
      { ...outcome, cause: error },
    )
  }
  const detail = isSent
    ? `the connection to ${url} broke before there was a whole answer: ${messageOf(error)}`
    : `no connection to ${url}: ${messageOf(error)}; is a broker running there (spool serve)?`
  return new SpoolError('NETWORK_EXCEPTION', detail, { ...outcome, cause: error })
}

/** A host with several addresses gives one error for each, and none of its own. */
function messageOf(error: Error): string {
  const { errors } = error as AggregateError
  const inner: unknown = Array.isArray(errors) ? errors.at(-1) : undefined
  return (inner instanceof Error ? inner.message : error.message) || String(error)
}

function outcomeOf(
  { isWrite }: ExchangeOptions,
  isSent: boolean,
): { readonly outcome?: FailureOutcome } {
  if (!isSent) return { outcome: 'refused' }
  return isWrite ? { outcome: 'unknown' } : {}
}
