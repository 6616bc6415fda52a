/**
 * One request over `fetch`, and what can go wrong with it told in our words. No cookies, no cache, no
 * redirects. It knows no route and retries nothing. A browser tells a page only that a request failed,
 * never why (the Fetch standard's "network error"), so a write that failed so may or may not have been
 * sent, and its outcome is `unknown`.
 */

import { answerError } from '../answer-error.ts'
import { SpoolError } from '../api/errors.ts'
import type { HttpMethod } from '../api/route.ts'

export interface Exchange {
  readonly method: HttpMethod
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** For the whole exchange, or (a stream) until its head is there. */
  readonly timeoutMs: number
}

export interface ExchangeSettings {
  readonly url: string
  readonly token: string | undefined
  readonly responseBytesMax: number
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** The body of a streamed reply, and how to end it. */
export interface OpenReply {
  readonly body: ReadableStream<Uint8Array>
  /** Why its body broke, in our words. */
  failureOf(thrown: unknown): unknown
  abort(reason: unknown): void
}

export class FetchExchanges {
  readonly #settings: ExchangeSettings
  /** Aborted with CLIENT_CLOSED. */
  readonly #closed: AbortSignal

  constructor(settings: ExchangeSettings, closed: AbortSignal) {
    this.#settings = settings
    this.#closed = closed
  }

  /** Sends and reads the whole answer. Rejects with `SpoolError`, or with the signal's reason. */
  async whole(exchange: Exchange): Promise<Reply> {
    const watch = new Watch(exchange, this.#closed)
    try {
      const response = await this.#fetch(exchange, watch)
      const text = await boundedText(response, this.#settings.responseBytesMax, exchange)
      if (!response.ok) throw errorOfReply(exchange, response, text)
      return { status: response.status, headers: response.headers, text }
    } catch (error) {
      throw watch.failureOf(error)
    } finally {
      watch.release()
    }
  }

  /** Sends and resolves with the answer's head; the body is the caller's, to read or to abort. */
  async open(exchange: Exchange): Promise<OpenReply> {
    const watch = new Watch(exchange, this.#closed)
    try {
      const response = await this.#fetch(exchange, watch)
      if (!response.ok || response.body === null) {
        const text = await boundedText(response, this.#settings.responseBytesMax, exchange)
        throw errorOfReply(exchange, response, text)
      }
      watch.hasHead()
      return {
        body: response.body as ReadableStream<Uint8Array>,
        failureOf: (thrown) => watch.failureOf(thrown),
        abort: (reason) => {
          watch.release()
          watch.abort(reason)
        },
      }
    } catch (error) {
      watch.release()
      throw watch.failureOf(error)
    }
  }

  async #fetch(exchange: Exchange, watch: Watch): Promise<Response> {
    watch.throwIfAborted()
    const { url, token } = this.#settings
    const response = await fetch(url + exchange.path, {
      method: exchange.method,
      headers: {
        ...exchange.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(exchange.body === undefined ? {} : { body: exchange.body }),
      signal: watch.signal,
      redirect: 'manual',
      credentials: 'omit',
      cache: 'no-store',
    })
    // All a page is told of a redirect; elsewhere its status says it.
    if (response.type !== 'opaqueredirect') return response
    throw new SpoolError(
      'INVALID_REQUEST',
      `${url} answers with a redirect, and no broker does; give the broker's own address`,
      { outcome: 'refused' },
    )
  }
}

/** Ends an exchange when its time is up, its caller gives up or the client is closed, and says which. */
class Watch {
  readonly #exchange: Exchange
  readonly #closed: AbortSignal
  readonly #controller = new AbortController()
  readonly #timer: ReturnType<typeof setTimeout>

  constructor(exchange: Exchange, closed: AbortSignal) {
    this.#exchange = exchange
    this.#closed = closed
    this.#timer = setTimeout(() => this.abort(timedOut(exchange)), exchange.timeoutMs)
    exchange.signal?.addEventListener('abort', this.#onAbort)
    closed.addEventListener('abort', this.#onClose)
    if (exchange.signal?.aborted === true) this.#onAbort()
    if (closed.aborted) this.#onClose()
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  throwIfAborted(): void {
    this.signal.throwIfAborted()
  }

  readonly #onAbort = () => this.abort(this.#exchange.signal?.reason)
  readonly #onClose = () => this.abort(this.#closed.reason)

  abort(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** From here on the exchange may take as long as it likes. */
  hasHead(): void {
    clearTimeout(this.#timer)
  }

  release(): void {
    clearTimeout(this.#timer)
    this.#exchange.signal?.removeEventListener('abort', this.#onAbort)
    this.#closed.removeEventListener('abort', this.#onClose)
  }

  failureOf(thrown: unknown): unknown {
    if (this.signal.aborted) return this.signal.reason
    return thrown instanceof SpoolError ? thrown : networkError(this.#exchange, thrown)
  }
}

/** Names that runtimes give to connections that were never made. Browsers give none. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ConnectionRefused'])

function networkError(exchange: Exchange, thrown: unknown): SpoolError {
  const { cause, code } = thrown as { cause?: { code?: string }; code?: string }
  const name = cause?.code ?? code ?? ''
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  return new SpoolError(
    'NETWORK_EXCEPTION',
    `no answer (${name === '' ? said : name}): the broker is not there, the connection broke, or (in a page) cors.allowed.origins of the broker does not name this page's origin`,
    { ...outcomeOf(exchange, NOT_CONNECTED.has(name) ? 'refused' : 'unknown'), cause: thrown },
  )
}

function timedOut(exchange: Exchange): SpoolError {
  return new SpoolError('REQUEST_TIMED_OUT', `no answer within ${exchange.timeoutMs} ms`, {
    ...outcomeOf(exchange, 'unknown'),
  })
}

/** Only writes have an outcome. */
function outcomeOf({ method }: Exchange, outcome: 'refused' | 'unknown') {
  return method === 'GET' ? {} : { outcome }
}

/** The error an answer of another status than 2xx stands for. */
function errorOfReply(
  { method }: Exchange,
  { status, headers }: Response,
  text: string,
): SpoolError {
  return answerError({
    status,
    contentType: headers.get('content-type') ?? undefined,
    retryAfter: headers.get('retry-after') ?? undefined,
    location: headers.get('location') ?? undefined,
    text,
    isWrite: method !== 'GET',
  })
}

/** The text of a body, which may not be longer than `bytesMax`. */
async function boundedText(
  response: Response,
  bytesMax: number,
  exchange: Exchange,
): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    text += decoder.decode(value, { stream: true })
    if (bytes <= bytesMax) continue
    void reader.cancel().catch(() => {})
    throw new SpoolError(
      'MESSAGE_TOO_LARGE',
      `the answer has more than ${bytesMax} bytes (responseBytesMax)`,
      outcomeOf(exchange, 'unknown'),
    )
  }
}
