/**
 * One file of `OpenFiles`: opens on first use, may be closed while idle, reopens on next use, and looks
 * like a `StorageFile` all the while. Owns what must be remembered across those openings:
 *
 * - whether bytes were written that no sync covers; then the descriptor stays open, because the kernel
 *   reports a page it could not write to the descriptors open at that time, once;
 * - the error of a failed sync: from then on every write and sync is refused with it. A descriptor
 *   opened afresh would say "synced" of pages that were lost (RELIABILITY: "fsync error").
 *
 * Does not decide which file is closed when; that is `open-files.ts`.
 */

import { ClosedFileError } from './closed-file.ts'
import { fileErrorCode, type StorageFile } from './file-system.ts'
import { IdleNode } from './idle-list.ts'

export interface LazyFileOptions {
  /**
   * The file may be closed with unsynced bytes in it (default false). For a file whose bytes are a hint
   * until synced and that writes them again before each sync, as a recovery point does.
   */
  readonly isEvictableUnsynced?: boolean
}

/** A `StorageFile` that holds a descriptor only while it is used or has unsynced bytes. */
export interface LazyFile extends StorageFile {
  /** True when `writeNow` may be called: in the same turn, for a later one may find the file closed. */
  readonly isOpen: boolean
  /** The error of the first failed sync, which every later write and sync meets again. */
  readonly failure: Error | undefined
  /** Opens the file, if it is not. It stays open at least until the caller's next await. */
  ensureOpen(): Promise<void>
  /** Renames the file; openings wait until it is done. Not durable before the directory's sync. */
  renameTo(path: string): Promise<void>
  /** The file, or a directory above it, was renamed by the caller: it opens at `path` from now on. */
  movedTo(path: string): void
}

/** What a `PooledFile` asks of the pool it belongs to. */
export interface FilePool {
  open(file: PooledFile): Promise<StorageFile>
  close(opened: StorageFile): Promise<void>
  /** The file is open and must not be evicted. */
  busy(file: PooledFile): void
  /** The file is open and may be evicted; it was used just now. */
  idle(file: PooledFile): void
  rename(from: string, to: string): Promise<void>
}

export class PooledFile extends IdleNode implements LazyFile {
  readonly mode: 'read' | 'write'
  readonly #pool: FilePool
  readonly #isEvictableUnsynced: boolean
  #path: string
  #opened: StorageFile | undefined
  /** The opening in progress, shared by all that wait for it. */
  #opening: Promise<StorageFile> | undefined
  #renaming: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #whenUnused: (() => void) | undefined
  /** Operations begun and not answered, those waiting for the opening among them. */
  #inFlight = 0
  #changesInFlight = 0
  /** Writes, truncations and failed ones too, counted; those up to `#syncedChanges` are synced. */
  #changes = 0
  #syncedChanges = 0
  #failure: Error | undefined

  constructor(path: string, mode: 'read' | 'write', options: LazyFileOptions, pool: FilePool) {
    super()
    this.#path = path
    this.mode = mode
    this.#isEvictableUnsynced = options.isEvictableUnsynced ?? false
    this.#pool = pool
  }

  get path(): string {
    return this.#path
  }

  get isOpen(): boolean {
    return this.#opened !== undefined && this.#closing === undefined
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#use((file) => file.read(target, position))
  }

  sizeBytes(): Promise<number> {
    return this.#use((file) => file.sizeBytes())
  }

  async ensureOpen(): Promise<void> {
    await this.#use(async () => {})
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return this.#change((file) => file.write(buffers, position))
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#change((file) => file.truncate(sizeBytes))
  }

  writeNow(buffer: Uint8Array, position: number): void {
    if (this.#closing !== undefined) throw new ClosedFileError(this.#path)
    if (this.#failure !== undefined) throw this.#failure
    if (this.#opened === undefined) throw new Error(`the file is not open, '${this.#path}'`)
    this.#changes += 1
    this.#opened.writeNow(buffer, position)
    this.#pool.busy(this)
    this.#restIfIdle()
  }

  sync(): Promise<void> {
    return this.#useUnfailed(async (file) => {
      // A write still in flight may land after the sync looked: then nothing is known to be covered.
      const covered = this.#changesInFlight === 0 ? this.#changes : this.#syncedChanges
      try {
        await file.sync()
      } catch (error) {
        this.#failure ??= error as Error
        throw error
      }
      if (covered > this.#syncedChanges) this.#syncedChanges = covered
    })
  }

  movedTo(path: string): void {
    this.#path = path
  }

  async renameTo(path: string): Promise<void> {
    while (this.#renaming !== undefined) await this.#renaming.catch(() => {})
    this.#renaming = this.#rename(path).finally(() => {
      this.#renaming = undefined
    })
    await this.#renaming
  }

  async #rename(path: string): Promise<void> {
    // An opening under way settles first: it must not look for the old name half way through.
    await this.#opening?.catch(() => {})
    await this.#pool.rename(this.#path, path)
    this.#path = path
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeWhenUnused()
    return this.#closing
  }

  async #closeWhenUnused(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenUnused = resolve
      })
    }
    this.#pool.busy(this)
    const opened = this.#opened
    this.#opened = undefined
    if (opened !== undefined) await this.#pool.close(opened)
  }

  /** For the pool: closes the descriptor of an idle file. The next use opens another. */
  async evict(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    if (opened === undefined) return
    // An error of this close says nothing new: what had to be durable was synced before.
    await this.#pool.close(opened).catch(() => {})
  }

  /** Runs `action` with the file open, and keeps it open until `action` is done. */
  async #use<T>(action: (file: StorageFile) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new ClosedFileError(this.#path)
    this.#inFlight += 1
    this.#pool.busy(this)
    try {
      return await action(this.#opened ?? (await this.#open()))
    } finally {
      this.#inFlight -= 1
      this.#restIfIdle()
    }
  }

  /** As `#use`, for what a failed sync forbids; also when it failed while we waited for the opening. */
  async #useUnfailed(action: (file: StorageFile) => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await this.#use((file) => {
      if (this.#failure !== undefined) throw this.#failure
      return action(file)
    })
  }

  #change(action: (file: StorageFile) => Promise<void>): Promise<void> {
    return this.#useUnfailed(async (file) => {
      this.#changes += 1
      this.#changesInFlight += 1
      try {
        await action(file)
      } finally {
        this.#changesInFlight -= 1
      }
    })
  }

  #open(): Promise<StorageFile> {
    this.#opening ??= this.#openOnce().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openOnce(): Promise<StorageFile> {
    if (this.#renaming !== undefined) await this.#renaming.catch(() => {})
    for (;;) {
      const tried = this.#path
      try {
        this.#opened = await this.#pool.open(this)
        return this.#opened
      } catch (error) {
        // Moved between our look and its answer: look again under the new name.
        if (fileErrorCode(error) !== 'ENOENT' || tried === this.#path) throw error
      }
    }
  }

  /** Hands the file back to the pool when nothing in flight and nothing unsynced keeps it open. */
  #restIfIdle(): void {
    if (this.#inFlight > 0) return
    const isUnsynced = this.#changes > this.#syncedChanges && this.#failure === undefined
    const isEvictable = !isUnsynced || this.#isEvictableUnsynced
    if (this.#closing !== undefined) this.#whenUnused?.()
    else if (this.#opened !== undefined && isEvictable) this.#pool.idle(this)
  }
}
