/**
 * The real disk: `FileSystem` over descriptors of `node:fs`, and the only file of the engine that
 * imports it. Owns the descriptor numbers: each lives in one `NodeFile`, is never handed out, and is
 * released only when no operation that was given it is in flight.
 *
 * The callback calls are used instead of `FileHandle` because an append is one of them and a
 * `FileHandle` adds an object, a promise and a reference count to each; they are wrapped once, here.
 *
 * Does not cache, order or retry: a short read or write is continued, an error is passed on as it came.
 */

import fs from 'node:fs'
import { ClosedFileError } from './closed-file.ts'
import {
  type DirectoryEntry,
  type FileStatus,
  type FileSystem,
  fileErrorCode,
  type OpenMode,
  type StorageFile,
} from './file-system.ts'

/** `IOV_MAX` on Linux and macOS: a longer list of buffers is refused by the kernel. */
const WRITE_BUFFERS_MAX = 1024
/** One call moves at most this much: Node refuses lengths above 2^31 - 1, Linux stops at 2^31 - 4096. */
const CALL_BYTES_MAX = 1024 * 1024 * 1024
/** Records are private to the account that runs the broker. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
}

type Done<T> = (error: Error | null, value?: T) => void

/** Turns one callback call into a promise. */
function promised<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)))
  })
}

/** `node:fs` takes a missing or negative position for "where the descriptor stands": never what we mean. */
function requirePosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RangeError(`position ${position} is not a byte position in a file`)
  }
}

/** The buffers that are left once the first `bytes` of them are written. */
function withoutFirst(buffers: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  for (let i = 0; i < buffers.length; i += 1) {
    const buffer = buffers[i] as Uint8Array
    if (left < buffer.byteLength) return [buffer.subarray(left), ...buffers.slice(i + 1)]
    left -= buffer.byteLength
  }
  return []
}

/** Writes all of `buffers` (none empty), continuing where the kernel stopped short. */
function writeAll(
  descriptor: number,
  buffers: readonly Uint8Array[],
  position: number,
  done: Done<void>,
): void {
  const [first] = buffers
  const written = (error: Error | null, bytes: number): void => {
    if (error) done(error)
    else if (bytes === 0) done(tookNothing(position))
    else writeAll(descriptor, withoutFirst(buffers, bytes), position + bytes, done)
  }
  if (first === undefined) {
    done(null)
  } else if (buffers.length > 1) {
    fs.writev(descriptor, buffers.slice(0, WRITE_BUFFERS_MAX), position, written)
  } else {
    const length = Math.min(first.byteLength, CALL_BYTES_MAX)
    fs.write(descriptor, first, 0, length, position, written)
  }
}

/** A write that moves no byte and is no error would be tried for ever. */
function tookNothing(position: number): Error {
  const error = new Error(`EIO: the disk took no byte at position ${position}`)
  return Object.assign(error, { code: 'EIO' })
}

/** Fills `target` from `filled` on, until it is full or the file ends; answers the bytes in it. */
function readAll(
  descriptor: number,
  target: Uint8Array,
  filled: number,
  position: number,
  done: Done<number>,
): void {
  const length = Math.min(target.byteLength - filled, CALL_BYTES_MAX)
  if (length === 0) {
    done(null, filled)
    return
  }
  fs.read(descriptor, target, filled, length, position + filled, (error, bytes) => {
    if (error) done(error)
    else if (bytes === 0) done(null, filled)
    else readAll(descriptor, target, filled + bytes, position, done)
  })
}

class NodeFile implements StorageFile {
  readonly path: string
  readonly #descriptor: number
  /** Operations that were given the descriptor and have not answered. Invariant: it stays open while > 0. */
  #inFlight = 0
  #closing: Promise<void> | undefined
  #whenIdle: (() => void) | undefined

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#run((done) => {
      requirePosition(position)
      readAll(this.#descriptor, target, 0, position, done)
    })
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return this.#run((done) => {
      requirePosition(position)
      const filled = buffers.filter((buffer) => buffer.byteLength > 0)
      writeAll(this.#descriptor, filled, position, done)
    })
  }

  writeNow(buffer: Uint8Array, position: number): void {
    if (this.#closing !== undefined) throw new ClosedFileError(this.path)
    requirePosition(position)
    for (let at = 0; at < buffer.byteLength; ) {
      const length = buffer.byteLength - at
      const bytes = fs.writeSync(this.#descriptor, buffer, at, length, position + at)
      if (bytes === 0) throw tookNothing(position + at)
      at += bytes
    }
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#run((done) => {
      requirePosition(sizeBytes)
      fs.ftruncate(this.#descriptor, sizeBytes, done)
    })
  }

  sync(): Promise<void> {
    return this.#run((done) => fs.fdatasync(this.#descriptor, done))
  }

  async sizeBytes(): Promise<number> {
    const status = await this.#run<fs.Stats>((done) => fs.fstat(this.#descriptor, done))
    return status.size
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle()
    return this.#closing
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
      })
    }
    await promised<void>((done) => fs.close(this.#descriptor, done))
  }

  /** Starts one operation and counts it until it answers. Operation errors name the file. */
  #run<T>(start: (done: Done<T>) => void): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(new ClosedFileError(this.path))
    this.#inFlight += 1
    return new Promise<T>((resolve, reject) => {
      const done: Done<T> = (error, value) => {
        this.#inFlight -= 1
        if (this.#inFlight === 0) this.#whenIdle?.()
        if (error) reject(Object.assign(error, { path: this.path }))
        else resolve(value as T)
      }
      try {
        start(done)
      } catch (error) {
        done(error as Error)
      }
    })
  }
}

async function statusOf(path: string): Promise<FileStatus | undefined> {
  try {
    const stats = await promised<fs.Stats>((done) => fs.stat(path, done))
    return {
      sizeBytes: stats.size,
      modifiedAtMs: Math.floor(stats.mtimeMs),
      isDirectory: stats.isDirectory(),
    }
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT' || fileErrorCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/** Sorted by name, so that a start goes the same way twice; a link to a directory is a directory. */
async function listDirectory(directory: string): Promise<DirectoryEntry[]> {
  const entries = await promised<fs.Dirent[]>((done) =>
    fs.readdir(directory, { withFileTypes: true }, done),
  )
  const listed = entries.map(async (entry): Promise<DirectoryEntry> => {
    if (!entry.isSymbolicLink()) return { name: entry.name, isDirectory: entry.isDirectory() }
    const target = await statusOf(`${directory}/${entry.name}`)
    return { name: entry.name, isDirectory: target?.isDirectory ?? false }
  })
  return (await Promise.all(listed)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function syncDirectory(directory: string): Promise<void> {
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY
  const descriptor = await promised<number>((done) => fs.open(directory, flags, done))
  try {
    await promised<void>((done) => fs.fsync(descriptor, done))
  } finally {
    await promised<void>((done) => fs.close(descriptor, done))
  }
}

/** The disk of this machine. */
export const nodeFileSystem: FileSystem = {
  async open(path, mode) {
    const flags = OPEN_FLAGS[mode]
    return new NodeFile(
      path,
      await promised<number>((done) => fs.open(path, flags, FILE_MODE, done)),
    )
  },
  readFile: (path) => promised<Buffer>((done) => fs.readFile(path, done)),
  status: statusOf,
  list: listDirectory,
  async createDirectory(directory) {
    await promised((done) => fs.mkdir(directory, { recursive: true, mode: DIRECTORY_MODE }, done))
  },
  rename: (from, to) => promised<void>((done) => fs.rename(from, to, done)),
  removeFile: (path) => promised<void>((done) => fs.unlink(path, done)),
  removeDirectory: (directory) => promised<void>((done) => fs.rmdir(directory, done)),
  syncDirectory,
  setModifiedAt(path, modifiedAtMs) {
    const at = new Date(modifiedAtMs)
    return promised<void>((done) => fs.utimes(path, at, at, done))
  },
  async freeBytes(path) {
    const volume = await promised<fs.StatsFs>((done) => fs.statfs(path, done))
    return volume.bavail * volume.bsize
  },
}

/** The kernel's number for the kind of file system holding `path` (`statfs` `f_type`). */
export async function fileSystemType(path: string): Promise<number> {
  const volume = await promised<fs.StatsFs>((done) => fs.statfs(path, done))
  return volume.type >>> 0
}
