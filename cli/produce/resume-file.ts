/**
 * The file in which an upload keeps what it needs to go on: where it lies, reading and replacing it, and
 * whether the files to load are still those it is about. Written as the engine writes its checkpoints: a
 * checksum, and at every moment the old content or the new, through a power cut too.
 */

import { open, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { readCheckpoint, writeCheckpoint } from '../../storage/file/checkpoint.ts'
import { nodeFileSystem } from '../../storage/file/node-file-system.ts'
import { crc32c } from '../../storage/record/crc32c.ts'
import { UsageError } from '../usage-error.ts'
import {
  decodeState,
  encodeState,
  type FileState,
  type ResumeState,
  type Surroundings,
} from './resume-state.ts'

const VERSION = 1
/** Enough to tell a file from another that begins alike, and little to read. */
const SURROUNDINGS_BYTES = 64 * 1024

/** Beside the first file, one for each topic. */
export function resumePath(firstFile: string, topic: string): string {
  return join(dirname(firstFile), `.${basename(firstFile)}.${topic}.spool-resume`)
}

export class ResumeFile {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  /**
   * `undefined` when there is none.
   *
   * @throws UsageError when it is damaged.
   */
  async read(): Promise<ResumeState | undefined> {
    let bytes: Buffer | undefined
    try {
      bytes = await readCheckpoint(nodeFileSystem, this.path, VERSION)
    } catch (error) {
      throw this.#useless((error as Error).message)
    }
    if (bytes === undefined) return undefined
    try {
      return decodeState(bytes)
    } catch (error) {
      throw this.#useless(`${this.path} can not be used: ${(error as Error).message}`)
    }
  }

  #useless(sentence: string): UsageError {
    return new UsageError(`${sentence}; --restart loads the file from its beginning`)
  }

  async write(state: ResumeState): Promise<void> {
    await writeCheckpoint(nodeFileSystem, this.path, VERSION, encodeState(state))
  }

  async remove(): Promise<void> {
    await nodeFileSystem.removeFile(this.path)
    await nodeFileSystem.syncDirectory(dirname(this.path))
  }

  /** A file's path as the state has it. */
  relative(file: string): string {
    return relative(dirname(resolve(this.path)), resolve(file))
  }

  async fileState(file: string): Promise<FileState> {
    const { dev, ino, mtimeMs, size } = await stat(file)
    return {
      path: this.relative(file),
      device: dev,
      inode: ino,
      modifiedMs: mtimeMs,
      sizeBytes: size,
    }
  }

  /**
   * Why the file at `state.mark.place` is not the one that was being loaded; `undefined` when it is. It
   * may have grown, or been mended behind the mark.
   */
  async whyAnother(state: ResumeState, file: string): Promise<string | undefined> {
    const { position } = state.mark.place
    const before = state.files[state.mark.place.file]
    const now = await this.fileState(file)
    if (before === undefined) return undefined
    const isSame =
      before.sizeBytes === now.sizeBytes &&
      before.modifiedMs === now.modifiedMs &&
      before.inode === now.inode &&
      before.device === now.device
    if (isSame) return undefined
    if (now.sizeBytes < position) {
      return `it has ${now.sizeBytes} bytes, and ${position} of them were loaded`
    }
    const { head, tail } = await surroundingsOf(file, position)
    const { surroundings } = state
    return head === surroundings.head && tail === surroundings.tail
      ? undefined
      : 'what was loaded of it has other content now'
  }
}

/** The bytes at the beginning of the file and before `position`, by their checksums. */
export async function surroundingsOf(file: string, position: number): Promise<Surroundings> {
  const length = Math.min(position, SURROUNDINGS_BYTES)
  const handle = await open(file)
  try {
    const checksum = async (from: number) => {
      const bytes = Buffer.alloc(length)
      await handle.read(bytes, 0, length, from)
      return crc32c(bytes)
    }
    return { head: await checksum(0), tail: await checksum(position - length) }
  } finally {
    await handle.close()
  }
}
