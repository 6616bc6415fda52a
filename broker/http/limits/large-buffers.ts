/**
 * Large memory used again and again: for request bodies, and for batches on their way to a socket. A
 * megabyte that is new each time makes the garbage collector the busiest part of a broker under load:
 * V8 sees only that megabytes come and go outside its heap, and answers with full collections.
 *
 * A body gets memory as it arrives, never for what its head announced: the buffer doubles, so that at
 * most twice of what came is held. Who gives a buffer back must be sure that nobody reads it any more;
 * one that is not given back is garbage like any other.
 */

/** Below this a body is left to the collector: it is cheap, and comes in one piece. */
const POOLED_BYTES_MIN = 256 * 1024
/** What a body begins with: most batches fit. */
const FIRST_BYTES = 1024 * 1024
/** Idle memory kept for the next bodies. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024

export class LargeBuffers {
  /** Idle buffers by size; sizes are powers of two. */
  readonly #idle = new Map<number, Buffer[]>()
  readonly #lent = new WeakSet<ArrayBufferLike>()
  #keptBytes = 0

  /** Memory for a body of `bytes`, when it is large enough to be worth it. */
  collector(bytes: number | undefined): PooledBody | undefined {
    return bytes !== undefined && bytes >= POOLED_BYTES_MIN
      ? new PooledBody(this, bytes)
      : undefined
  }

  /** A buffer of at least `bytes`, its content whatever it was; a small one is not worth giving back. */
  take(bytes: number): Buffer {
    if (bytes < POOLED_BYTES_MIN) return Buffer.allocUnsafeSlow(bytes)
    const size = 2 ** Math.ceil(Math.log2(bytes))
    const idle = this.#idle.get(size)?.pop()
    if (idle !== undefined) this.#keptBytes -= size
    const buffer = idle ?? Buffer.allocUnsafeSlow(size)
    this.#lent.add(buffer.buffer)
    return buffer
  }

  /** Takes back the memory under `bytes`, a view of what `take` gave; other memory is left alone. */
  giveBack({ buffer }: Buffer): void {
    if (!this.#lent.delete(buffer)) return
    const size = buffer.byteLength
    if (this.#keptBytes + size > KEPT_BYTES_MAX) return
    this.#keptBytes += size
    const idle = this.#idle.get(size)
    if (idle === undefined) this.#idle.set(size, [Buffer.from(buffer)])
    else idle.push(Buffer.from(buffer))
  }
}

/** One body as it arrives. */
export class PooledBody {
  readonly #buffers: LargeBuffers
  readonly #announcedBytes: number
  #buffer: Buffer | undefined
  #size = 0

  constructor(buffers: LargeBuffers, announcedBytes: number) {
    this.#buffers = buffers
    this.#announcedBytes = announcedBytes
  }

  add(chunk: Buffer): void {
    const needed = this.#size + chunk.length
    if (this.#buffer === undefined || this.#buffer.length < needed) this.#grow(needed)
    chunk.copy(this.#buffer!, this.#size)
    this.#size = needed
  }

  /** All that arrived, as one view of memory that `LargeBuffers.giveBack` takes. */
  whole(): Buffer {
    return this.#buffer?.subarray(0, this.#size) ?? Buffer.alloc(0)
  }

  /** The body is not wanted any more. */
  drop(): void {
    if (this.#buffer !== undefined) this.#buffers.giveBack(this.#buffer)
    this.#buffer = undefined
  }

  #grow(needed: number): void {
    const before = this.#buffer
    const wanted = before === undefined ? FIRST_BYTES : before.length * 2
    this.#buffer = this.#buffers.take(
      Math.max(needed, POOLED_BYTES_MIN, Math.min(wanted, this.#announcedBytes)),
    )
    if (before === undefined) return
    before.copy(this.#buffer, 0, 0, this.#size)
    this.#buffers.giveBack(before)
  }
}
