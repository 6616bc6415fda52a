/**
 * The way out of a stream: writes to one client's connection, says when it is full, and cuts a client that
 * takes no byte for `stream.stalled.ms.max`. What was written and not taken is memory, so nothing is to be
 * written to one that is full. Knows nothing of records.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { Clock, Timer } from '../../../storage/clock.ts'
import type { Chunk } from './chunk.ts'

/** A client that has so many bytes to take is given no more. */
const FULL_BYTES = 64 * 1024
/** How long the last bytes of a stream that ends may take when the broker stops. */
const LAST_BYTES_MS = 1_000

/** What the system has not taken of a write yet, where Node knows. */
type QueuedSocket = Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null }

export interface OutletOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly stalledMsMax: number
  /** Called when there is room again, or the client is gone. */
  readonly onChange: () => void
  /** Called once, before a client that takes nothing is cut. */
  readonly onStalled: () => void
}

interface Write {
  readonly sizeBytes: number
  readonly chunk: Chunk | undefined
}

export class Outlet {
  readonly #options: OutletOptions
  readonly #response: ServerResponse
  readonly #socket: QueuedSocket
  /** Written and not taken by the system, in order. */
  readonly #writes: Write[] = []
  #pendingBytes = 0
  /** Something was taken since the last look. */
  #hasMoved = false
  #lastQueueSize = 0
  #movedAtMs: number
  #isClosed = false
  #isHurried = false
  #onClosed: (() => void) | undefined
  #lastBytes: Timer | undefined
  readonly #taken = () => this.#wasTaken()
  readonly #close = () => this.#closed()

  /** Takes `reply` out of Fastify's hands. The head goes out with the first bytes. */
  constructor(reply: FastifyReply, options: OutletOptions) {
    reply.hijack()
    this.#options = options
    this.#response = reply.raw
    this.#socket = reply.raw.req.socket
    this.#movedAtMs = options.clock.monotonicMs()
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) this.#response.setHeader(name, value)
    }
    this.#response.writeHead(200, { ...options.headers })
    // Node's own sign of a client that takes nothing; `tick` also finds one that meanwhile sends.
    this.#response.setTimeout(options.stalledMsMax, () => {
      if (this.#pendingBytes > 0) this.#cutStalled()
    })
    this.#response.on('close', this.#close).on('error', this.#close)
    // An answer that stands behind others of its connection hears nothing of the connection's end.
    this.#socket.on('close', this.#close)
    if (this.#socket.destroyed) this.#closed()
  }

  /** True while nothing more should be written. */
  get isFull(): boolean {
    return this.#pendingBytes >= FULL_BYTES
  }

  /** True when nobody reads any more. */
  get isGone(): boolean {
    return this.#isClosed
  }

  /** Writes, uncopied; `chunk` is whose bytes they are, held until they were taken. */
  write(bytes: Buffer, chunk?: Chunk): void {
    if (this.#isClosed) return
    chunk?.hold()
    if (this.#pendingBytes === 0) this.#movedAtMs = this.#options.clock.monotonicMs()
    this.#writes.push({ sizeBytes: bytes.length, chunk })
    this.#pendingBytes += bytes.length
    this.#response.write(bytes, this.#taken)
  }

  /** Looks whether the client takes anything; to be called about once a second. */
  tick(nowMs: number): void {
    const queueSize = this.#socket._handle?.writeQueueSize ?? 0
    // While one write is under way what is left of it only falls.
    if (this.#hasMoved || this.#pendingBytes === 0 || queueSize !== this.#lastQueueSize) {
      this.#movedAtMs = nowMs
    }
    this.#hasMoved = false
    this.#lastQueueSize = queueSize
    if (nowMs - this.#movedAtMs >= this.#options.stalledMsMax) this.#cutStalled()
  }

  /** Ends the answer properly; resolves when the client has it all, or is gone. */
  async end(): Promise<void> {
    if (this.#isClosed) return
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve
      this.#response.end(resolve)
      if (this.#isHurried) this.hurry()
    })
    this.#closed()
  }

  /** The broker stops and waits for nobody: an answer that ends, now or later, has little time left. */
  hurry(): void {
    this.#isHurried = true
    if (this.#onClosed === undefined || this.#isClosed) return
    this.#lastBytes ??= this.#options.clock.after(LAST_BYTES_MS, () => this.abort())
  }

  /** Ends the connection in the middle, so that the client knows. */
  abort(): void {
    this.#response.destroy()
    this.#closed()
  }

  #wasTaken(): void {
    const write = this.#writes.shift()
    if (write === undefined) return
    const wasFull = this.isFull
    this.#pendingBytes -= write.sizeBytes
    this.#hasMoved = true
    write.chunk?.release()
    if (wasFull && !this.isFull) this.#options.onChange()
  }

  #cutStalled(): void {
    if (this.#isClosed) return
    this.#options.onStalled()
    this.abort()
  }

  #closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lastBytes?.cancel()
    this.#socket.off('close', this.#close)
    for (const { chunk } of this.#writes) chunk?.release()
    this.#writes.length = 0
    this.#pendingBytes = 0
    this.#onClosed?.()
    this.#options.onChange()
  }
}
