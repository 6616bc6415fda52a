/**
 * The data directory as a whole: made durably, held by one broker at a time, and marked when it was
 * left in order. Owns the lock's owner file and the clean-shutdown marker. The names of everything in
 * it are `names.ts`, the lock itself `directory-lock.ts`; what the topics are is not known here.
 */

import { dirname, resolve } from 'node:path'
import { StorageError } from '../errors.ts'
import { createAfresh, readCheckpoint, TEMPORARY_SUFFIX, writeCheckpoint } from './checkpoint.ts'
import type { DirectoryLock, HeldLock } from './directory-lock.ts'
import { type FileSystem, fileErrorCode } from './file-system.ts'
import { CLEAN_SHUTDOWN_FILE, OWNER_FILE } from './names.ts'

const MARKER_VERSION = 1

/** Who holds a data directory, for the person who finds it locked. */
export interface DirectoryOwner {
  readonly pid: number
  readonly host: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  /** Unknown until the metadata was read, which is after the lock is held. */
  readonly nodeId?: number
  readonly clusterId?: string
}

/** Makes `directory` and the missing ones above it; their names are durable when it resolves. */
export async function createDirectoryDurably(
  fileSystem: FileSystem,
  directory: string,
): Promise<void> {
  const path = resolve(directory)
  const exists = (await fileSystem.status(path)) !== undefined
  if (exists && (await fileSystem.list(path)).length > 0) return
  await fileSystem.createDirectory(path)
  // Also where it exists and is empty: a start before this one may have made it and died before the sync.
  for (let made = path; made !== dirname(made); made = dirname(made)) {
    try {
      await fileSystem.syncDirectory(dirname(made))
    } catch (error) {
      // A directory we may not even open is none that we made anything in.
      if (fileErrorCode(error) !== 'EACCES') throw error
    }
  }
}

/**
 * Takes the lock of an existing data directory and writes down by whom. Rejects with
 * `DATA_DIRECTORY_LOCKED`, naming the owner, when another process or handle has it.
 */
export async function lockDataDirectory(
  fileSystem: FileSystem,
  directory: string,
  lock: DirectoryLock,
  owner: DirectoryOwner,
): Promise<HeldLock> {
  let held: HeldLock
  try {
    held = lock.acquire(directory)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'DATA_DIRECTORY_LOCKED') throw error
    throw await namingOwner(fileSystem, directory, error)
  }
  try {
    await recordOwner(fileSystem, directory, owner)
  } catch (error) {
    held.release()
    throw error
  }
  return held
}

async function namingOwner(
  fileSystem: FileSystem,
  directory: string,
  error: StorageError,
): Promise<StorageError> {
  const owner = await readOwner(fileSystem, directory)
  if (owner === undefined) return error
  const parts = [`process ${owner.pid} on ${owner.host}, started ${owner.startedAt}`]
  if (owner.nodeId !== undefined) parts.push(`node ${owner.nodeId}`)
  if (owner.clusterId !== undefined) parts.push(`cluster ${owner.clusterId}`)
  return new StorageError('DATA_DIRECTORY_LOCKED', `${error.message} by ${parts.join(', ')}`, {
    values: { ...error.values, ...owner },
    cause: error,
  })
}

/**
 * Writes down who holds the directory; again once node and cluster are known. Replaced whole, so that
 * a reader never finds half of it, but not synced: after a power cut nobody holds the lock.
 */
export async function recordOwner(
  fileSystem: FileSystem,
  directory: string,
  owner: DirectoryOwner,
): Promise<void> {
  const path = `${directory}/${OWNER_FILE}`
  const file = await createAfresh(fileSystem, path + TEMPORARY_SUFFIX)
  try {
    await file.write([Buffer.from(`${JSON.stringify(owner, null, 2)}\n`)], 0)
  } finally {
    await file.close()
  }
  await fileSystem.rename(path + TEMPORARY_SUFFIX, path)
}

/** Who last held the directory; `undefined` when nobody did or the file can not be read. */
export async function readOwner(
  fileSystem: FileSystem,
  directory: string,
): Promise<DirectoryOwner | undefined> {
  try {
    const bytes = await fileSystem.readFile(`${directory}/${OWNER_FILE}`)
    return ownerFrom(JSON.parse(bytes.toString()))
  } catch {
    return undefined // it only ever makes a message better
  }
}

/** Keeps what has the right type and could stand in a log line. */
function ownerFrom(value: unknown): DirectoryOwner | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, host, startedAt, nodeId, clusterId } = value as Record<string, unknown>
  if (!Number.isSafeInteger(pid) || !isPlainText(host) || !isPlainText(startedAt)) return undefined
  return {
    pid: Number(pid),
    host,
    startedAt,
    ...(Number.isSafeInteger(nodeId) ? { nodeId: Number(nodeId) } : {}),
    ...(isPlainText(clusterId) ? { clusterId } : {}),
  }
}

function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && /^[\x20-\x7e]{1,255}$/.test(value)
}

/**
 * Marks the directory as left in order. The caller's part: everything in it is synced, and nothing is
 * written after. Durable when it resolves.
 */
export async function writeCleanShutdownMarker(
  fileSystem: FileSystem,
  directory: string,
): Promise<void> {
  const path = `${directory}/${CLEAN_SHUTDOWN_FILE}`
  await writeCheckpoint(fileSystem, path, MARKER_VERSION, Buffer.alloc(0))
}

/**
 * Whether the directory was left in order; the marker is durably gone when it resolves, so that the
 * writes that follow are never taken for covered by it. A damaged marker says no.
 */
export async function takeCleanShutdownMarker(
  fileSystem: FileSystem,
  directory: string,
): Promise<boolean> {
  const path = `${directory}/${CLEAN_SHUTDOWN_FILE}`
  let isClean: boolean
  try {
    const body = await readCheckpoint(fileSystem, path, MARKER_VERSION)
    if (body === undefined) return false
    isClean = true
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    isClean = false
  }
  await fileSystem.removeFile(path)
  await fileSystem.syncDirectory(directory)
  return isClean
}
