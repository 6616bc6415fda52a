/**
 * A small file that is replaced whole: metadata, producer snapshots, the clean-shutdown marker. Owns
 * the envelope around the body and the order of calls that makes a replacement atomic: at every moment,
 * through any crash, the name holds the old content or the new.
 *
 * | field   | bytes | |
 * |---------|-------|-|
 * | version | 2     | of the body's format, chosen by its owner; big-endian like everything here |
 * | length  | 4     | of the body |
 * | body    | length | |
 * | crc     | 4     | CRC32C over all bytes before it |
 *
 * Does not know what is in the body, and does not order writers: one at a time per path.
 */

import { dirname } from 'node:path'
import { StorageError } from '../errors.ts'
import { crc32c } from '../record/crc32c.ts'
import { type FileSystem, fileErrorCode, type StorageFile } from './file-system.ts'

const VERSION_AT = 0
const VERSION_BYTES = 2
const LENGTH_AT = VERSION_AT + VERSION_BYTES
const LENGTH_BYTES = 4
const BODY_AT = LENGTH_AT + LENGTH_BYTES
const CRC_BYTES = 4

/** What a replacement is called until it is complete. Left behind by a crash, it means nothing. */
export const TEMPORARY_SUFFIX = '.tmp'

/** The whole file for `body`. */
export function encodeCheckpoint(version: number, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(BODY_AT + body.byteLength + CRC_BYTES)
  bytes.writeUInt16BE(version, VERSION_AT)
  bytes.writeUInt32BE(body.byteLength, LENGTH_AT)
  bytes.set(body, BODY_AT)
  const crcAt = BODY_AT + body.byteLength
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, crcAt)), crcAt)
  return bytes
}

/** The body in `bytes` (a view), or throws a sentence that says what is wrong with them. */
function decodeCheckpoint(bytes: Buffer, version: number): Buffer {
  const bytesMin = BODY_AT + CRC_BYTES
  if (bytes.byteLength < bytesMin) {
    throw new Error(`it has ${bytes.byteLength} bytes, fewer than the ${bytesMin} of an empty one`)
  }
  const bodyBytes = bytes.readUInt32BE(LENGTH_AT)
  if (bodyBytes !== bytes.byteLength - bytesMin) {
    throw new Error(`it says ${bodyBytes} bytes of body and holds ${bytes.byteLength - bytesMin}`)
  }
  const crcAt = BODY_AT + bodyBytes
  const stored = bytes.readUInt32BE(crcAt)
  const computed = crc32c(bytes.subarray(0, crcAt))
  if (stored !== computed) throw new Error(`its CRC is ${stored}, its bytes give ${computed}`)
  const found = bytes.readUInt16BE(VERSION_AT)
  if (found !== version) throw new Error(`it has version ${found}, this program knows ${version}`)
  return bytes.subarray(BODY_AT, crcAt)
}

/**
 * Replaces the content of `path`. Durable, name and all, when it resolves. When it rejects, the file
 * holds the old content or the new, and which of them survives a power cut is not known.
 */
export async function writeCheckpoint(
  fileSystem: FileSystem,
  path: string,
  version: number,
  body: Uint8Array,
): Promise<void> {
  await replaceFile(fileSystem, path, encodeCheckpoint(version, body))
}

/** As `writeCheckpoint`, for a file that has a layout of its own: tmp, fsync, rename, fsync directory. */
export async function replaceFile(
  fileSystem: FileSystem,
  path: string,
  bytes: Buffer,
): Promise<void> {
  const temporary = path + TEMPORARY_SUFFIX
  await writeSynced(fileSystem, temporary, bytes)
  await fileSystem.rename(temporary, path)
  await fileSystem.syncDirectory(dirname(path))
}

/** Writes the whole of a file that is not named yet; on a full disk, half a file is not left behind. */
async function writeSynced(fileSystem: FileSystem, path: string, bytes: Buffer): Promise<void> {
  const file = await createAfresh(fileSystem, path)
  try {
    await file.write([bytes], 0)
    await file.sync()
    await file.close()
  } catch (error) {
    await file.close().catch(() => {})
    await fileSystem.removeFile(path).catch(() => {})
    throw error
  }
}

/** Creates `path`, removing what a crash left there. */
export async function createAfresh(fileSystem: FileSystem, path: string): Promise<StorageFile> {
  try {
    return await fileSystem.open(path, 'create')
  } catch (error) {
    if (fileErrorCode(error) !== 'EEXIST') throw error
    await fileSystem.removeFile(path)
    return await fileSystem.open(path, 'create')
  }
}

/**
 * The body last written to `path`; `undefined` when there is no such file. A file that is there but
 * empty, short, damaged or of another version rejects with `KAFKA_STORAGE_ERROR`: it is never taken
 * for a fresh start, because a lost checkpoint that reads as "nothing yet" deletes data.
 */
export async function readCheckpoint(
  fileSystem: FileSystem,
  path: string,
  version: number,
): Promise<Buffer | undefined> {
  let bytes: Buffer
  try {
    bytes = await fileSystem.readFile(path)
  } catch (error) {
    if (fileErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    return decodeCheckpoint(bytes, version)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StorageError('KAFKA_STORAGE_ERROR', `checkpoint ${path} can not be used: ${reason}`, {
      values: { path },
      cause,
    })
  }
}
