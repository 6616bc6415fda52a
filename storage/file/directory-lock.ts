/**
 * Holds a data directory against every other process and every other handle in this one. Owns `lock.db`
 * and how it is held: Node has no `flock`, and a file with a process id in it goes stale; SQLite's
 * exclusive lock is the kernel's, so that kill -9 releases it.
 *
 * Nothing else may open that file, not even to read it: POSIX drops all of a process's locks on a file
 * when any descriptor of it is closed. Who holds it stands in another file (`data-directory.ts`).
 */

import type { DatabaseSync } from 'node:sqlite'
import { StorageError } from '../errors.ts'
import { LOCK_FILE } from './names.ts'

/** A lock that was taken. */
export interface HeldLock {
  /** Lets the next one in. Idempotent. */
  release(): void
}

/** A way to hold a directory. Injected, because a disk in memory can not be locked by the kernel. */
export interface DirectoryLock {
  /** Takes the lock at once or throws `DATA_DIRECTORY_LOCKED`. The directory exists. */
  acquire(directory: string): HeldLock
}

/** SQLite's result codes (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5
const SQLITE_LOCKED = 6
const SQLITE_READONLY = 8
const SQLITE_CANTOPEN = 14

/** The lock on a real disk. */
export const sqliteDirectoryLock: DirectoryLock = {
  acquire(directory) {
    const path = `${directory}/${LOCK_FILE}`
    const { DatabaseSync } = loadSqlite()
    let database: DatabaseSync | undefined
    try {
      database = new DatabaseSync(path, { timeout: 0 })
      database.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
    } catch (cause) {
      database?.close()
      throw refusal(directory, path, cause)
    }
    return releasing(database)
  },
}

function releasing(database: DatabaseSync): HeldLock {
  return {
    release() {
      if (database.isOpen) database.close()
    },
  }
}

function refusal(directory: string, path: string, cause: unknown): StorageError {
  const code = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) : undefined
  if (code !== undefined && ((code & 0xff) === SQLITE_BUSY || (code & 0xff) === SQLITE_LOCKED)) {
    return lockedError(directory, cause)
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (code !== undefined && [SQLITE_READONLY, SQLITE_CANTOPEN].includes(code & 0xff)) {
    return new StorageError(
      'KAFKA_STORAGE_ERROR',
      `data directory ${directory} can not be written: ${reason}`,
      { values: { directory }, cause },
    )
  }
  return new StorageError(
    'KAFKA_STORAGE_ERROR',
    `the lock ${path} can not be taken: ${reason}. It holds no data: if no broker uses the directory, remove it`,
    { values: { path }, cause },
  )
}

function lockedError(directory: string, cause?: unknown): StorageError {
  const message = `data directory ${directory} is in use`
  return new StorageError('DATA_DIRECTORY_LOCKED', message, { values: { directory }, cause })
}

/**
 * `node:sqlite` on first use, without the warning that it is experimental: we rely on a lock of one
 * file, which is SQLite's, not on Node's interface to it. Loading is synchronous, so that no other
 * warning can come between.
 */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    const text = typeof warning === 'string' ? warning : warning.message
    if (text.includes('SQLite is an experimental feature')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}

/** A lock between the handles of one process, for a disk that lives in its memory. */
export class MemoryDirectoryLock implements DirectoryLock {
  readonly #held: Set<string>

  /** @param held the directories that are locked; a disk that can lose its process clears it then */
  constructor(held: Set<string> = new Set()) {
    this.#held = held
  }

  acquire(directory: string): HeldLock {
    if (this.#held.has(directory)) throw lockedError(directory)
    this.#held.add(directory)
    let isHeld = true
    return {
      release: () => {
        if (isHeld) this.#held.delete(directory)
        isHeld = false
      },
    }
  }
}
