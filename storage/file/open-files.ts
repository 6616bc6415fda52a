/**
 * Keeps the number of open descriptors under a limit: 10,000 logs of three files are more than a
 * process may hold. Files open on first use and are closed again, least recently used first, when
 * another one needs the place.
 *
 * Owns the descriptors' number and the order in which idle files are given up. What one file may do
 * while it is open, closed or failed is `lazy-file.ts`. Does not cache bytes, and never closes a file
 * with operations in flight or with written bytes nobody synced: the limit gives way first.
 */

import assert from 'node:assert'
import { type FileSystem, fileErrorCode, type StorageFile } from './file-system.ts'
import { IdleList } from './idle-list.ts'
import { type LazyFile, type LazyFileOptions, PooledFile } from './lazy-file.ts'

export type { LazyFile, LazyFileOptions } from './lazy-file.ts'

/** Descriptors left to sockets, directories and the runtime. */
const DESCRIPTORS_RESERVED = 1024
/** The soft limit of a Linux process when nobody changed it. */
const DESCRIPTORS_FALLBACK = 1024
const LIMITS_PATH = '/proc/self/limits'
const LIMITS_PATTERN = /^Max open files\s+(\d+|unlimited)/m

/**
 * How many files may be open at once: the process's soft limit of descriptors less 1,024 (half of it
 * when it is below 2,048), and no more than `setting`.
 */
export async function openFilesLimit(fileSystem: FileSystem, setting: number): Promise<number> {
  const descriptors = await descriptorsMax(fileSystem)
  const reserved = Math.min(DESCRIPTORS_RESERVED, Math.floor(descriptors / 2))
  return Math.max(1, Math.min(descriptors - reserved, setting))
}

async function descriptorsMax(fileSystem: FileSystem): Promise<number> {
  let limits: Buffer
  try {
    limits = await fileSystem.readFile(LIMITS_PATH)
  } catch {
    return DESCRIPTORS_FALLBACK // not Linux
  }
  const found = LIMITS_PATTERN.exec(limits.toString('latin1'))?.[1]
  if (found === 'unlimited') return Number.MAX_SAFE_INTEGER
  return found === undefined ? DESCRIPTORS_FALLBACK : Number(found)
}

export class OpenFiles {
  readonly fileSystem: FileSystem
  /** Soft: see `overLimitCount`. */
  readonly limit: number
  /** Descriptors that are open, being opened or being closed. */
  #held = 0
  #overLimitCount = 0
  #trimSoon = false
  readonly #idle = new IdleList<PooledFile>()

  constructor(fileSystem: FileSystem, limit: number) {
    assert(limit >= 1, `the limit of open files must be at least 1, not ${limit}`)
    this.fileSystem = fileSystem
    this.limit = limit
  }

  get openCount(): number {
    return this.#held
  }

  /** How often a file was opened past the limit because every other was busy or unsynced. */
  get overLimitCount(): number {
    return this.#overLimitCount
  }

  /**
   * A file that opens on first use. It must exist by then. One object per file: two of the same path
   * know nothing of each other's writes and failures.
   */
  file(path: string, mode: 'read' | 'write', options: LazyFileOptions = {}): LazyFile {
    return new PooledFile(path, mode, options, {
      open: (file) => this.#open(file),
      close: (opened) => this.#close(opened),
      busy: (file) => this.#idle.remove(file),
      idle: (file) => this.#becameIdle(file),
      rename: (from, to) => this.fileSystem.rename(from, to),
    })
  }

  /** Opens the file of `file`, making room first. Counts the descriptor from before it exists. */
  async #open(file: PooledFile): Promise<StorageFile> {
    this.#held += 1
    try {
      if (this.#held > this.limit && !(await this.#evictOne())) this.#overLimitCount += 1
      for (;;) {
        try {
          return await this.fileSystem.open(file.path, file.mode)
        } catch (error) {
          const code = fileErrorCode(error)
          const isOutOfDescriptors = code === 'EMFILE' || code === 'ENFILE'
          if (!isOutOfDescriptors || !(await this.#evictOne())) throw error
        }
      }
    } catch (error) {
      this.#held -= 1
      throw error
    }
  }

  async #close(opened: StorageFile): Promise<void> {
    try {
      await opened.close()
    } finally {
      this.#held -= 1
    }
  }

  /** Closes the idle file that was used longest ago; false when there is none. */
  async #evictOne(): Promise<boolean> {
    const file = this.#idle.first
    if (file === undefined) return false
    this.#idle.remove(file)
    await file.evict()
    return true
  }

  #becameIdle(file: PooledFile): void {
    this.#idle.add(file)
    if (this.#held > this.limit && !this.#trimSoon) {
      this.#trimSoon = true
      // Not at once: whoever waited for this file to be open is about to use it.
      setImmediate(() => this.#trim())
    }
  }

  /** Comes back under the limit after it had to give way. */
  #trim(): void {
    this.#trimSoon = false
    for (let over = this.#held - this.limit; over > 0 && this.#idle.first; over -= 1) {
      void this.#evictOne()
    }
  }
}
