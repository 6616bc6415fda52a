/** The real disk behind the door: whole reads and writes, modes, and descriptors that can not be mixed up. */

import { pbkdf2 } from 'node:crypto'
import fs, { readFileSync, statSync, symlinkSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fileErrorCode, type StorageFile } from '../../../storage/file/file-system.ts'
import { nodeFileSystem } from '../../../storage/file/node-file-system.ts'
import { temporaryDirectory } from './temporary-directory.ts'

afterEach(() => vi.restoreAllMocks())

async function emptyFile(): Promise<StorageFile> {
  return await nodeFileSystem.open(`${temporaryDirectory()}/file`, 'create')
}

async function contents(file: StorageFile): Promise<Buffer> {
  const bytes = Buffer.alloc(await file.sizeBytes())
  await file.read(bytes, 0)
  return bytes
}

/** Keeps every thread of the pool busy for a while, so that file calls queue. */
function saturatePool(): Promise<unknown> {
  const tasks = Array.from({ length: 16 }, () => {
    return new Promise((done) => pbkdf2('a', 'b', 20_000, 32, 'sha256', done))
  })
  return Promise.all(tasks)
}

describe('reading and writing', () => {
  test('a vectored write lands in order, more buffers than one call takes among it', async () => {
    const file = await emptyFile()
    const buffers = Array.from({ length: 2500 }, (_, i) => Buffer.from(`${i % 7 ? i : ''}`))
    await file.write(buffers, 3)
    expect((await contents(file)).subarray(3)).toEqual(Buffer.concat(buffers))
    await file.close()
  })

  test('writes that the kernel cuts short are continued', async () => {
    const file = await emptyFile()
    const { writev, write } = fs
    vi.spyOn(fs, 'writev').mockImplementation(((
      descriptor: number,
      buffers: Uint8Array[],
      position: number,
      done: fs.WriteVResult & (() => void),
    ) => {
      const few = buffers.slice(0, 2).map((buffer) => buffer.subarray(0, 3))
      const whole = (few[0]?.byteLength ?? 0) === (buffers[0]?.byteLength ?? 0)
      writev(descriptor, whole ? few : few.slice(0, 1), position, done as never)
    }) as never)
    vi.spyOn(fs, 'write').mockImplementation(((
      descriptor: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number,
      done: () => void,
    ) => write(descriptor, buffer, offset, Math.min(length, 2), position, done as never)) as never)
    const buffers = ['abc', '', 'defghij', 'k', 'lmn', 'opqrstuvw'].map((text) => Buffer.from(text))
    await file.write(buffers, 0)
    expect((await contents(file)).toString()).toBe('abcdefghijklmnopqrstuvw')
    await file.close()
  })

  test('a write of which the disk takes nothing fails instead of trying for ever', async () => {
    const file = await emptyFile()
    vi.spyOn(fs, 'write').mockImplementation(((...args: unknown[]) => {
      const done = args.at(-1) as (error: null, bytes: number) => void
      setImmediate(() => done(null, 0))
    }) as never)
    await expect(file.write([Buffer.from('a')], 0)).rejects.toMatchObject({ code: 'EIO' })
    await file.close()
  })

  test('a read fills its target, and stops short only where the file ends', async () => {
    const file = await emptyFile()
    await file.write([Buffer.from('0123456789')], 0)
    const { read } = fs
    vi.spyOn(fs, 'read').mockImplementation(((
      descriptor: number,
      target: Uint8Array,
      offset: number,
      length: number,
      position: number,
      done: () => void,
    ) => read(descriptor, target, offset, Math.min(length, 3), position, done as never)) as never)
    const target = Buffer.alloc(8)
    expect(await file.read(target, 1)).toBe(8)
    expect(target.toString()).toBe('12345678')
    expect(await file.read(target, 6)).toBe(4)
    expect(target.toString()).toBe('67895678')
    expect(await file.read(target, 10)).toBe(0)
    expect(await file.read(Buffer.alloc(0), 0)).toBe(0)
    await file.close()
  })

  test('nothing is read or written where the descriptor happens to stand', async () => {
    const file = await emptyFile()
    for (const position of [-1, Number.NaN, 1.5, 2 ** 53]) {
      await expect(file.write([Buffer.from('a')], position)).rejects.toThrow(RangeError)
      await expect(file.read(Buffer.alloc(1), position)).rejects.toThrow(RangeError)
      await expect(file.truncate(position)).rejects.toThrow(RangeError)
      expect(() => file.writeNow(Buffer.from('a'), position)).toThrow(RangeError)
    }
    expect(await file.sizeBytes()).toBe(0)
    await file.close()
  })

  test('writeNow is there when it returns; truncate cuts and extends with zeros', async () => {
    const file = await emptyFile()
    file.writeNow(Buffer.from('abc'), 2)
    expect(readFileSync(file.path, 'latin1')).toBe('\0\0abc')
    await file.truncate(3)
    await file.truncate(5)
    await file.sync()
    expect(readFileSync(file.path, 'latin1')).toBe('\0\0a\0\0')
    await file.close()
  })

  test('an error of a file operation names the file', async () => {
    const path = `${temporaryDirectory()}/file`
    await (await nodeFileSystem.open(path, 'create')).close()
    const file = await nodeFileSystem.open(path, 'read')
    await expect(file.write([Buffer.from('a')], 0)).rejects.toMatchObject({ code: 'EBADF', path })
    await file.close()
  })
})

describe('a closed file', () => {
  test('close refuses what comes after it, waits for what came before it, and may be repeated', async () => {
    const busy = saturatePool()
    const file = await emptyFile()
    let written = false
    const writing = file.write([Buffer.from('late')], 0).then(() => {
      written = true
    })
    const closing = file.close().then(() => expect(written).toBe(true))
    for (const refused of [
      file.write([Buffer.from('x')], 0),
      file.read(Buffer.alloc(1), 0),
      file.sync(),
      file.truncate(0),
      file.sizeBytes(),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'ECLOSED', path: file.path })
    }
    expect(() => file.writeNow(Buffer.from('x'), 0)).toThrow(/ECLOSED/)
    await Promise.all([writing, closing, file.close(), busy])
    expect(readFileSync(file.path, 'latin1')).toBe('late')
  })

  test('no byte meant for one file lands in another, whatever is closed while writes wait', async () => {
    const directory = temporaryDirectory()
    const busy = saturatePool()
    const rounds = 40
    const perRound = 12
    const settledWrites: Promise<unknown>[] = []
    for (let round = 0; round < rounds; round += 1) {
      const files = await Promise.all(
        Array.from({ length: perRound }, (_, i) =>
          nodeFileSystem.open(`${directory}/${round * perRound + i}`, 'create'),
        ),
      )
      for (const file of files) {
        const own = Buffer.from(`${file.path.split('/').at(-1)};`.padStart(16))
        settledWrites.push(file.write([own, own], 0), file.write([own], 32))
        // Not awaited: the next round opens files while these closes and writes are still queued.
        settledWrites.push(file.close())
      }
    }
    await Promise.all([busy, ...settledWrites])
    for (let n = 0; n < rounds * perRound; n += 1) {
      expect(readFileSync(`${directory}/${n}`, 'latin1')).toBe(`${n};`.padStart(16).repeat(3))
    }
  })
})

describe('names', () => {
  test('create wants no file there, read and write want one', async () => {
    const path = `${temporaryDirectory()}/file`
    for (const mode of ['read', 'write'] as const) {
      await expect(nodeFileSystem.open(path, mode)).rejects.toMatchObject({ code: 'ENOENT' })
    }
    await (await nodeFileSystem.open(path, 'create')).close()
    await expect(nodeFileSystem.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' })
    await (await nodeFileSystem.open(path, 'write')).close()
  })

  test('files and directories are readable by their owner only', async () => {
    const directory = `${temporaryDirectory()}/a/b`
    await nodeFileSystem.createDirectory(directory)
    await nodeFileSystem.createDirectory(directory)
    await (await nodeFileSystem.open(`${directory}/file`, 'create')).close()
    expect(statSync(directory).mode & 0o077).toBe(0)
    expect(statSync(`${directory}/file`).mode & 0o077).toBe(0)
  })

  test('a listing is sorted and sees through links to directories', async () => {
    const directory = temporaryDirectory()
    for (const name of ['c', 'a', 'b']) await nodeFileSystem.createDirectory(`${directory}/${name}`)
    await (await nodeFileSystem.open(`${directory}/bb`, 'create')).close()
    symlinkSync('a', `${directory}/d`)
    symlinkSync('nowhere', `${directory}/e`)
    expect(await nodeFileSystem.list(directory)).toEqual([
      { name: 'a', isDirectory: true },
      { name: 'b', isDirectory: true },
      { name: 'bb', isDirectory: false },
      { name: 'c', isDirectory: true },
      { name: 'd', isDirectory: true },
      { name: 'e', isDirectory: false },
    ])
  })

  test('rename, remove, status and the sync of a directory', async () => {
    const directory = temporaryDirectory()
    const file = await nodeFileSystem.open(`${directory}/a`, 'create')
    await file.write([Buffer.from('abc')], 0)
    await nodeFileSystem.rename(file.path, `${directory}/b`)
    await nodeFileSystem.syncDirectory(directory)
    expect(await nodeFileSystem.status(`${directory}/a`)).toBeUndefined()
    expect(await nodeFileSystem.status(`${directory}/b/c`)).toBeUndefined()
    const status = await nodeFileSystem.status(`${directory}/b`)
    expect(status).toMatchObject({ sizeBytes: 3, isDirectory: false })
    expect(Number.isSafeInteger(status?.modifiedAtMs)).toBe(true)
    expect((await nodeFileSystem.readFile(`${directory}/b`)).toString()).toBe('abc')
    await nodeFileSystem.removeFile(`${directory}/b`)
    const again = await nodeFileSystem.removeFile(`${directory}/b`).catch(fileErrorCode)
    expect(again).toBe('ENOENT')
    await expect(nodeFileSystem.syncDirectory(`${directory}/b`)).rejects.toThrow()
    await file.close()
    await nodeFileSystem.removeDirectory(directory)
    expect(await nodeFileSystem.status(directory)).toBeUndefined()
  })

  test('free bytes are a sensible number', async () => {
    const free = await nodeFileSystem.freeBytes(temporaryDirectory())
    expect(Number.isSafeInteger(free)).toBe(true)
    expect(free).toBeGreaterThan(0)
  })
})
