/**
 * Whether there is room to write. Refuses produces before the disk is full, so that the log engine
 * rarely has to undo anything and an operator still has room to work in. Counts what was appended since
 * it last asked the disk, so the answer is current without a system call per append; asks again a second
 * after an append, and every second while there is too little, so that it recovers by itself.
 *
 * Reads, and the broker's own topics, are not asked: a commit is small and keeps a consumer from
 * reading all over again.
 */

import { SpoolError } from '../../client/api/errors.ts'
import type { Clock, Timer } from '../../storage/clock.ts'
import type { FileSystem } from '../../storage/file/file-system.ts'
import type { Logger } from '../../storage/logger.ts'

const POLL_MS = 1_000
/** Asks at once after so many bytes: a fast producer writes more than this in a second. */
const POLL_BYTES = 64 * 1024 * 1024
/** Seconds after which a refused producer may find room. */
const RETRY_AFTER_S = 5

export interface DiskReserveOptions {
  readonly fileSystem: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  /** Any path on the file system in question. */
  readonly path: string
  /** `disk.reserve.bytes`; 0 turns it off. */
  readonly reserveBytes: number
}

export class DiskReserve {
  readonly #options: DiskReserveOptions
  /** Free bytes when last asked, less those appended since then. */
  #freeBytes = Number.POSITIVE_INFINITY
  #appendedBytes = 0
  #timer: Timer | undefined
  #isPolling = false
  #isClosed = false
  #wasShort = false

  constructor(options: DiskReserveOptions) {
    this.#options = options
  }

  /** True while less than the reserve is free. */
  get isShort(): boolean {
    return this.#freeBytes < this.#options.reserveBytes
  }

  /** The free bytes as far as known; infinite before the first question. */
  get freeBytes(): number {
    return this.#freeBytes
  }

  /** @throws SpoolError DISK_FULL, outcome refused, while less than the reserve is free. */
  check(): void {
    if (!this.isShort) return
    this.#schedule()
    throw new SpoolError(
      'DISK_FULL',
      `the disk has ${Math.max(0, this.#freeBytes)} bytes free, less than disk.reserve.bytes ${this.#options.reserveBytes}: nothing is written until there is room, reads go on`,
      { outcome: 'refused', retryAfterS: RETRY_AFTER_S },
    )
  }

  /** Counts an append. */
  appended(bytes: number): void {
    if (this.#options.reserveBytes === 0) return
    this.#freeBytes -= bytes
    this.#appendedBytes += bytes
    if (this.#appendedBytes >= POLL_BYTES) void this.poll()
    else this.#schedule()
  }

  /** Asks the disk. A failing question changes nothing: the writes themselves will say. */
  async poll(): Promise<void> {
    const { reserveBytes, fileSystem, path, logger } = this.#options
    if (this.#isPolling || this.#isClosed || reserveBytes === 0) return
    this.#isPolling = true
    this.#appendedBytes = 0
    try {
      const freeBytes = await fileSystem.freeBytes(path)
      this.#freeBytes = freeBytes - this.#appendedBytes
    } catch (error) {
      logger.warn({ error }, 'the free bytes of the disk cannot be told')
    } finally {
      this.#isPolling = false
    }
    this.#report()
    if (this.isShort) this.#schedule()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = this.#options.clock.after(POLL_MS, () => {
      this.#timer = undefined
      void this.poll()
    })
  }

  #report(): void {
    if (this.isShort === this.#wasShort) return
    this.#wasShort = this.isShort
    const values = { freeBytes: this.#freeBytes, reserveBytes: this.#options.reserveBytes }
    if (this.isShort)
      this.#options.logger.error(values, 'the disk is nearly full: writes are refused')
    else this.#options.logger.info(values, 'the disk has room again: writes are taken')
  }
}
