/**
 * Where lines come from: files, read ahead by one piece while the last is worked on, or stdin. Opens and
 * reads; does not know lines.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { UsageError } from '../usage-error.ts'

/** A file is read in pieces of this size. */
export const PIECE_BYTES = 256 * 1024

/** Something to read lines from. A piece is valid until the next is asked for. */
export interface Input {
  /** As it was typed; `undefined`: stdin. */
  readonly name: string | undefined
  /** `undefined` where that is not known: a pipe. */
  readonly sizeBytes: number | undefined
  /** From this position on; only a file can begin elsewhere than at 0. */
  pieces(from: number): AsyncIterator<Buffer, void>
  close(): Promise<void>
}

/**
 * Opens all files, so that a wrong name is told before anything was appended.
 *
 * @throws UsageError naming the file.
 */
export async function openInputs(files: readonly string[]): Promise<Input[]> {
  if (files.length === 0) return [stdinInput()]
  const inputs: Input[] = []
  try {
    for (const file of files) inputs.push(await openFile(file))
  } catch (error) {
    await Promise.all(inputs.map((input) => input.close()))
    throw error
  }
  return inputs
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a directory',
}

/** @throws UsageError */
export function unreadable(file: string, error: unknown): UsageError {
  const { code = '' } = error as NodeJS.ErrnoException
  return new UsageError(`can not read ${JSON.stringify(file)}: ${REASONS[code] ?? code}`)
}

async function openFile(name: string): Promise<Input> {
  let handle: FileHandle | undefined
  try {
    handle = await open(name)
    const stats = await handle.stat()
    if (stats.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
    const opened = handle
    const isRegular = stats.isFile()
    return {
      name,
      sizeBytes: isRegular ? stats.size : undefined,
      pieces: (from) => filePieces(opened, isRegular ? from : undefined),
      close: () => opened.close(),
    }
  } catch (error) {
    await handle?.close()
    throw unreadable(name, error)
  }
}

/** Two pieces of memory in turn. `from` is `undefined` for what has no positions. */
async function* filePieces(
  handle: FileHandle,
  from: number | undefined,
): AsyncGenerator<Buffer, void> {
  let spare: Buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)
  let position = from
  const readNext = (into: Buffer) => handle.read(into, 0, PIECE_BYTES, position ?? null)
  let reading = readNext(Buffer.allocUnsafeSlow(PIECE_BYTES))
  try {
    for (;;) {
      const { buffer, bytesRead } = await reading
      if (bytesRead === 0) return
      if (position !== undefined) position += bytesRead
      reading = readNext(spare)
      yield buffer.subarray(0, bytesRead)
      spare = buffer
    }
  } finally {
    await reading.catch(() => {})
  }
}

function stdinInput(): Input {
  return {
    name: undefined,
    sizeBytes: undefined,
    pieces: () => process.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer, void>,
    close: async () => {
      process.stdin.destroy()
    },
  }
}
