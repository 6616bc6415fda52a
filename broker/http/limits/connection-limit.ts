/**
 * At most `connections.max` connections: one more is told so (503) and closed. Node's own
 * `maxConnections` would drop it without a word.
 */

import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { SpoolError } from '../../../client/api/errors.ts'
import { refuseConnection } from '../error-reply.ts'

/** Seconds after which a refused client may try again. */
const RETRY_AFTER_S = 5

export class ConnectionLimit {
  readonly #max: number
  readonly #onRefused: () => void
  readonly #open = new Set<Socket>()
  readonly #refused = new WeakSet<Socket>()

  constructor(server: Server, max: number, onRefused: () => void) {
    this.#max = max
    this.#onRefused = onRefused
    server.on('connection', (socket) => this.#connected(socket))
  }

  get count(): number {
    return this.#open.size
  }

  /** True for a connection on its way out: what it still sends is nobody's business. */
  isRefused(socket: Socket): boolean {
    return this.#refused.has(socket)
  }

  /** Cuts every connection, whatever it is doing. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  /** Cuts those that have not sent a byte, as browsers open them ahead: to Node they are not idle. */
  destroySilent(): void {
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy()
  }

  #connected(socket: Socket): void {
    if (this.#open.size >= this.#max) {
      this.#refused.add(socket)
      this.#onRefused()
      const detail = `there are ${this.#open.size} connections; connections.max is ${this.#max}`
      refuseConnection(
        new SpoolError('BROKER_BUSY', detail, { outcome: 'refused', retryAfterS: RETRY_AFTER_S }),
        socket,
      )
      return
    }
    // Each request of a pipeline may want to know when its connection ends.
    socket.setMaxListeners(0)
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
  }
}
