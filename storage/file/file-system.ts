/**
 * The only door to the disk. Everything the log engine does to a file goes through these two
 * interfaces, so that a test can put a disk behind them that forgets, tears and fails.
 *
 * The fsync contract, in words:
 * - `write` and `writeNow` put bytes in the operating system's cache. They survive the death of this
 *   process, not of the machine.
 * - `sync` returns when the bytes written to that file before the call, and the file's size, are on
 *   stable storage. If it throws, nobody knows which bytes are there, and a second `sync` that
 *   succeeds proves nothing: the kernel reports a lost page once (RELIABILITY: "fsync error").
 * - A new, renamed or removed name is durable only after `syncDirectory` of the directory holding it.
 * - `truncate` is durable only after `sync`: until then the old bytes can come back.
 *
 * No raw descriptor number leaves this folder: with raw numbers a `close` that overtakes a queued write
 * lets the next `open` reuse the number, and the write lands in the wrong file while both calls succeed.
 */

/** How a file is opened. `write` and `create` can also read. */
export type OpenMode =
  /** Must exist; reading only. */
  | 'read'
  /** Must exist; reading and writing. */
  | 'write'
  /** Must not exist (`EEXIST`); reading and writing. */
  | 'create'

/** One open file. Counts its operations in flight; `close` waits until there are none. */
export interface StorageFile {
  readonly path: string
  /** Reads into `target` from byte `position`; returns the bytes read, short only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Writes all of `buffers`, one after another, from byte `position`; rejects if any byte was refused. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /**
   * Writes one small buffer, all of it, into the cache before it returns. For checkpoints of at most a
   * page, where a trip to the thread pool costs a hundred times the write itself, and for small groups
   * of batches (`log/small-writes.ts`).
   */
  writeNow(buffer: Uint8Array, position: number): void
  /** Cuts or extends (with zeros) the file to `sizeBytes`. */
  truncate(sizeBytes: number): Promise<void>
  /** `fdatasync`. */
  sync(): Promise<void>
  sizeBytes(): Promise<number>
  /** Refuses new operations at once, waits for those in flight, then releases the descriptor. Idempotent. */
  close(): Promise<void>
}

export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface FileStatus {
  readonly sizeBytes: number
  /** Wall clock of the last write, milliseconds since the epoch. */
  readonly modifiedAtMs: number
  readonly isDirectory: boolean
}

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<StorageFile>
  /** The whole of a small file. Rejects with `ENOENT` when it is not there. */
  readFile(path: string): Promise<Buffer>
  /** `undefined` when nothing has that name. */
  status(path: string): Promise<FileStatus | undefined>
  list(directory: string): Promise<DirectoryEntry[]>
  /** Makes the directory and the missing ones above it; no error if it exists. */
  createDirectory(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file. Rejects with `ENOENT` when it is not there. */
  removeFile(path: string): Promise<void>
  /** Removes an empty directory. */
  removeDirectory(directory: string): Promise<void>
  /** Makes names created, renamed or removed in `directory` durable. */
  syncDirectory(directory: string): Promise<void>
  /**
   * Sets when the file was last written, as `status` tells it, to wall clock milliseconds: for a file that
   * takes another's place. A hint, like that time itself: a power cut may take it back.
   */
  setModifiedAt(path: string, modifiedAtMs: number): Promise<void>
  /** Bytes an unprivileged process may still write on the file system holding `path`. */
  freeBytes(path: string): Promise<number>
}

/** The `code` of a file system error (`ENOSPC`, `EIO`, `ENOENT`…), or `undefined` for another error. */
export function fileErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** True when the disk had no room (`ENOSPC`) or the quota was used up (`EDQUOT`). */
export function isDiskFull(error: unknown): boolean {
  const code = fileErrorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}
