/**
 * Answers written to the socket by a route itself: large ones in several buffers, and streams. It keeps
 * what every answer has (the headers set so far), waits for a reader that is slower than we are, and cuts
 * one that takes nothing for `stream.stalled.ms.max`: what waits for it is memory.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'

export interface RawReplyOptions {
  /** A reader that takes no byte for so long is cut. */
  readonly stalledMsMax: number
  /** The broker stops: the connection ends with this answer. */
  readonly isClosing: boolean
}

export class RawReply {
  readonly #response: ServerResponse
  readonly #socket: Socket
  /** Who waits for the reader. */
  #onFree: (() => void) | undefined
  #isSent = false

  /** Takes `reply` out of Fastify's hands and sets the head; it goes out with the first bytes. */
  constructor(
    reply: FastifyReply,
    status: number,
    headers: Readonly<Record<string, string | number>>,
    options: RawReplyOptions,
  ) {
    reply.hijack()
    const response = reply.raw
    this.#response = response
    this.#socket = response.req.socket
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) response.setHeader(name, value)
    }
    if (options.isClosing) response.setHeader('connection', 'close')
    response.writeHead(status, { ...headers })
    // Node calls this when the socket moved no byte for so long; only then is it a reader's fault.
    response.setTimeout(options.stalledMsMax, () => {
      if (response.writableLength > 0) response.destroy()
    })
    const free = () => this.#free()
    response.on('drain', free).on('error', free).on('close', free)
    // An answer that stands behind others of its connection hears nothing of the connection's end.
    this.#socket.once('close', free)
    response.once('close', () => this.#socket.off('close', free))
  }

  /** True once the system has taken every byte: what they were written from is ours again. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** True when nobody reads any more. */
  get isGone(): boolean {
    return this.#response.destroyed || this.#socket.destroyed
  }

  /** Writes; resolves when there is room for more, or nobody reads any more (`isGone`). */
  write(bytes: Buffer): Promise<void> | undefined {
    if (this.isGone || this.#response.write(bytes)) return undefined
    return new Promise((resolve) => {
      this.#onFree = resolve
    })
  }

  /** Writes the buffers in one go, uncopied, and ends as `end` does. */
  endWith(buffers: readonly Buffer[]): Promise<void> {
    this.#response.cork()
    for (const buffer of buffers) if (buffer.length > 0) this.#response.write(buffer)
    return this.end()
  }

  /** Ends the answer; resolves when the system has all of it, or nobody reads any more. */
  end(): Promise<void> {
    const response = this.#response
    if (this.isGone) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onFree = resolve
      response.once('finish', () => {
        this.#isSent = true
      })
      response.end(() => this.#free())
    })
  }

  /** Ends the connection in the middle of the answer, so that the client knows it is not whole. */
  abort(): void {
    this.#response.destroy()
  }

  #free(): void {
    const onFree = this.#onFree
    this.#onFree = undefined
    onFree?.()
  }
}
