/** Files open on use and close for others, and nothing that must be remembered is lost on the way. */

import { pbkdf2 } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../../../storage/file/node-file-system.ts'
import { OpenFiles, openFilesLimit } from '../../../storage/file/open-files.ts'
import { SeededRandom } from '../../rigs/random.ts'
import { diskError, HeldFiles, settled } from './held-files.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const BYTES = [Buffer.from('x')]

function pool(limit: number) {
  const disk = new HeldFiles()
  const files = new OpenFiles(disk.fileSystem, limit)
  return { disk, files, read: (path: string) => files.file(path, 'read') }
}

describe('the limit', () => {
  test('a file opens on its first use, and the one used longest ago makes room', async () => {
    const { disk, files, read } = pool(2)
    const [a, b, c] = [read('a'), read('b'), read('c')]
    expect(files.openCount).toBe(0)
    await a.read(Buffer.alloc(1), 0)
    await b.read(Buffer.alloc(1), 0)
    await a.read(Buffer.alloc(1), 0)
    await c.read(Buffer.alloc(1), 0)
    expect([a.isOpen, b.isOpen, c.isOpen]).toEqual([true, false, true])
    await b.read(Buffer.alloc(1), 0)
    expect([a.isOpen, b.isOpen, c.isOpen]).toEqual([false, true, true])
    expect(disk.openMost).toBe(2)
    expect(disk.countOf('open b')).toBe(2)
    expect(files.overLimitCount).toBe(0)
  })

  test('a file with an operation in flight stays open; the limit gives way and comes back', async () => {
    const { disk, files, read } = pool(1)
    disk.held.add('read')
    const [a, b] = [read('a'), read('b')]
    const reading = [a.read(Buffer.alloc(1), 0), b.read(Buffer.alloc(1), 0)]
    await settled()
    expect(files.openCount).toBe(2)
    expect(files.overLimitCount).toBe(1)
    disk.release('read')
    await Promise.all(reading)
    await settled()
    expect(files.openCount).toBe(1)
    expect(disk.openNow).toBe(1)
  })

  test('of several operations in flight, the last one lets the file go', async () => {
    const { disk, files, read } = pool(1)
    disk.held.add('read')
    const a = read('a')
    const reading = a.read(Buffer.alloc(1), 0)
    await settled()
    await a.sizeBytes()
    await read('b').sizeBytes()
    await settled()
    expect(a.isOpen).toBe(true)
    let isClosed = false
    const sizing = a.sizeBytes()
    const closing = a.close().then(() => {
      isClosed = true
    })
    await sizing
    await settled()
    expect(isClosed).toBe(false)
    disk.release('read')
    await Promise.all([reading, closing])
    expect(files.openCount).toBe(0)
  })

  test('a file with unsynced bytes stays open until they are synced', async () => {
    const { disk, files, read } = pool(1)
    const log = files.file('log', 'write')
    for (const change of [
      () => log.write(BYTES, 0),
      () => log.truncate(0),
      async () => log.writeNow(BYTES[0] as Buffer, 0),
    ]) {
      await log.ensureOpen()
      await change()
      await read('other').read(Buffer.alloc(1), 0)
      await settled()
      expect(log.isOpen).toBe(true)
      await log.sync()
      await read('another').read(Buffer.alloc(1), 0)
      await settled()
      expect(log.isOpen).toBe(false)
    }
    expect(disk.openNow).toBe(1)
  })

  test('a failed write counts as unsynced, for some of it may have landed', async () => {
    const { disk, files, read } = pool(1)
    const log = files.file('log', 'write')
    disk.failures.set('write log', diskError('ENOSPC'))
    await expect(log.write(BYTES, 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    await read('other').read(Buffer.alloc(1), 0)
    await settled()
    expect(log.isOpen).toBe(true)
    await log.write(BYTES, 0)
  })

  test('a write in flight while the sync ran is not covered by it', async () => {
    const { disk, files, read } = pool(1)
    const log = files.file('log', 'write')
    await log.ensureOpen()
    disk.held.add('write')
    const writing = log.write(BYTES, 0)
    await log.sync()
    disk.release('write')
    await writing
    await read('other').read(Buffer.alloc(1), 0)
    await settled()
    expect(log.isOpen).toBe(true)
  })

  test('a file whose bytes are a hint may be closed with them unsynced', async () => {
    const { files, read } = pool(1)
    const hint = files.file('hint', 'write', { isEvictableUnsynced: true })
    await hint.write(BYTES, 0)
    await read('other').read(Buffer.alloc(1), 0)
    expect(hint.isOpen).toBe(false)
  })

  test('without descriptors left in the process, idle files are given up first', async () => {
    const { disk, files, read } = pool(100)
    const [a, b] = [read('a'), read('b')]
    await a.ensureOpen()
    disk.failures.set('open b', diskError('EMFILE'))
    await b.ensureOpen()
    expect([a.isOpen, b.isOpen]).toEqual([false, true])
    disk.failures.set('open c', diskError('EIO'))
    await expect(read('c').ensureOpen()).rejects.toMatchObject({ code: 'EIO' })
    expect(files.openCount).toBe(1)
  })

  test('the error of a failed opening goes to all who waited, and the next use tries again', async () => {
    const { disk, files, read } = pool(1)
    const a = read('a')
    disk.failures.set('open a', diskError('EMFILE'))
    const waiting = [a.ensureOpen(), a.sizeBytes()]
    for (const refused of waiting) await expect(refused).rejects.toMatchObject({ code: 'EMFILE' })
    expect(files.openCount).toBe(0)
    await a.ensureOpen()
    expect(disk.countOf('open a')).toBe(2)
  })

  test('the process limit less a reserve, and never more than the setting', async () => {
    const withLimits = (text: string) =>
      ({ readFile: async () => Buffer.from(text) }) as unknown as typeof nodeFileSystem
    const line = (limit: string) => `Max processes  9 9\nMax open files   ${limit}   99999  files\n`
    expect(await openFilesLimit(withLimits(line('20000')), 100_000)).toBe(18_976)
    expect(await openFilesLimit(withLimits(line('20000')), 500)).toBe(500)
    expect(await openFilesLimit(withLimits(line('1024')), 500)).toBe(500)
    expect(await openFilesLimit(withLimits(line('256')), 500)).toBe(128)
    expect(await openFilesLimit(withLimits(line('unlimited')), 7000)).toBe(7000)
    expect(await openFilesLimit(new HeldFiles().fileSystem, 7000)).toBe(512)
    expect(await openFilesLimit(nodeFileSystem, 7)).toBe(7)
  })
})

describe('one file', () => {
  test('an opening is shared by all who ask meanwhile', async () => {
    const { disk, files, read } = pool(2)
    disk.held.add('open')
    const a = read('a')
    const waiting = [a.ensureOpen(), a.read(Buffer.alloc(1), 0), a.sizeBytes()]
    await settled()
    disk.release('open')
    await Promise.all(waiting)
    expect(disk.countOf('open a')).toBe(1)
    expect(files.openCount).toBe(1)
  })

  test('after ensureOpen, writeNow works in the same turn, however full the pool is', async () => {
    const { disk, files } = pool(1)
    const [a, b] = [files.file('a', 'write'), files.file('b', 'write')]
    await a.write(BYTES, 0)
    await b.ensureOpen()
    expect(b.isOpen).toBe(true)
    b.writeNow(BYTES[0] as Buffer, 0)
    expect(disk.calls.at(-1)).toBe('writeNow b')
    const closed = files.file('c', 'write')
    expect(() => closed.writeNow(BYTES[0] as Buffer, 0)).toThrow(/not open/)
  })

  test('a failed sync is remembered: writes and syncs meet it again, reads go on', async () => {
    const { disk, files, read } = pool(1)
    const log = files.file('log', 'write')
    await log.write(BYTES, 0)
    const failure = diskError('EIO')
    disk.failures.set('sync log', failure)
    await expect(log.sync()).rejects.toBe(failure)
    await read('other').ensureOpen()
    await settled()
    expect(log.isOpen).toBe(false)
    const synced = disk.countOf('sync log')
    for (const refused of [
      () => log.sync(),
      () => log.write(BYTES, 0),
      () => log.truncate(0),
      async () => log.writeNow(BYTES[0] as Buffer, 0),
    ]) {
      await expect(refused()).rejects.toBe(failure)
    }
    expect(disk.countOf('sync log')).toBe(synced)
    expect(disk.countOf('open log')).toBe(1)
    expect(log.failure).toBe(failure)
    expect(await log.read(Buffer.alloc(1), 0)).toBe(0)
  })

  test('a sync that could not open its file did not fail as a sync', async () => {
    const { disk, files } = pool(1)
    const log = files.file('log', 'write')
    disk.failures.set('open log', diskError('EMFILE'))
    await expect(log.sync()).rejects.toMatchObject({ code: 'EMFILE' })
    expect(log.failure).toBeUndefined()
    await log.sync()
  })

  test('after a move it opens under the new name, also when the old one was just looked for', async () => {
    const { disk, files } = pool(1)
    const a = files.file('a', 'write')
    a.movedTo('b')
    await a.ensureOpen()
    expect(disk.calls).toEqual(['open b'])
    const c = files.file('c', 'read')
    disk.held.add('open')
    disk.failures.set('open c', diskError('ENOENT'))
    const opening = c.ensureOpen()
    await settled()
    c.movedTo('d')
    disk.held.clear()
    disk.release('open')
    await opening
    expect(disk.countOf('open d')).toBe(1)
    expect(c.path).toBe('d')
  })

  test('a file that is not there is looked for once', async () => {
    const files = new OpenFiles(nodeFileSystem, 1)
    const missing = files.file(`${temporaryDirectory()}/missing`, 'read')
    await expect(missing.ensureOpen()).rejects.toMatchObject({ code: 'ENOENT' })
    expect(files.openCount).toBe(0)
  })

  test('an opening waits for a rename in progress, and a rename for an opening', async () => {
    const { disk, files } = pool(4)
    const a = files.file('a', 'write')
    disk.held.add('rename').add('open')
    const opening = a.ensureOpen()
    const renaming = a.renameTo('b')
    await settled()
    expect(disk.calls).toEqual(['open a'])
    disk.release('open')
    await settled()
    expect(disk.calls).toEqual(['open a', 'rename a b'])
    disk.release('rename')
    await Promise.all([opening, renaming])
    const c = files.file('c', 'write')
    const moving = c.renameTo('d')
    const later = c.ensureOpen()
    await settled()
    expect(disk.countOf('open c')).toBe(0)
    disk.release('rename')
    await settled()
    disk.release('open')
    await Promise.all([moving, later])
    expect(disk.calls.at(-1)).toBe('open d')
  })

  test('a failed rename leaves the file under its old name', async () => {
    const { disk, files } = pool(4)
    const a = files.file('a', 'write')
    disk.failures.set('rename a b', diskError('EIO'))
    await expect(a.renameTo('b')).rejects.toMatchObject({ code: 'EIO' })
    await a.ensureOpen()
    expect(disk.calls.at(-1)).toBe('open a')
  })

  test('close refuses new uses, waits for those in flight, frees the place, and may be repeated', async () => {
    const { disk, files } = pool(4)
    const a = files.file('a', 'write')
    disk.held.add('open').add('write')
    const writing = a.write(BYTES, 0)
    let isClosed = false
    const closing = a.close().then(() => {
      isClosed = true
    })
    await expect(a.read(Buffer.alloc(1), 0)).rejects.toMatchObject({ code: 'ECLOSED' })
    await settled()
    disk.release('open')
    await settled()
    expect(isClosed).toBe(false)
    disk.release('write')
    await Promise.all([writing, closing, a.close()])
    expect(files.openCount).toBe(0)
    expect(disk.calls).toEqual(['open a', 'write a', 'close a'])
    await files.file('never used', 'read').close()
  })
})

test('on the real disk with a full thread pool, every byte stays in its own file', async () => {
  const directory = temporaryDirectory()
  const files = new OpenFiles(nodeFileSystem, 6)
  const names = Array.from({ length: 48 }, (_, n) => `${directory}/${n}`)
  for (const name of names) await (await nodeFileSystem.open(name, 'create')).close()
  const busy = Array.from({ length: 24 }, () => {
    return new Promise((done) => pbkdf2('a', 'b', 20_000, 32, 'sha256', done))
  })
  const recordBytes = 24
  const rounds = 12
  const seed = 20_240_611
  await Promise.all(
    names.map(async (name, n) => {
      const random = new SeededRandom(seed + n)
      const own = Buffer.from(`file ${n};`.padStart(recordBytes))
      let file = files.file(name, 'write')
      for (let round = 0; round < rounds; round += 1) {
        const writing = file.write([own], round * recordBytes)
        if (random.chance(0.3)) {
          // Closed in the middle of its write, and at once another object for the same file.
          const closing = file.close()
          file = files.file(name, 'write')
          await Promise.all([writing, closing, file.ensureOpen()])
        }
        await writing
        if (random.chance(0.6)) await file.sync()
        const back = Buffer.alloc(recordBytes)
        expect(await file.read(back, round * recordBytes)).toBe(recordBytes)
        expect(back).toEqual(own)
      }
      await file.sync()
    }),
  )
  await Promise.all(busy)
  names.forEach((name, n) => {
    const expected = `file ${n};`.padStart(recordBytes).repeat(rounds)
    expect(readFileSync(name, 'latin1'), `seed ${seed}`).toBe(expected)
  })
  await settled()
  expect(files.openCount).toBeLessThanOrEqual(files.limit)
})

test('with files that are always idle again at once, the limit is never exceeded', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }),
      async (limit, uses) => {
        const { disk, files, read } = pool(limit)
        const all = Array.from({ length: 10 }, (_, n) => read(`${n}`))
        for (const n of uses) await all[n]?.sizeBytes()
        const latest = [...new Set(uses.toReversed())].slice(0, limit)
        expect(disk.openMost).toBeLessThanOrEqual(limit)
        expect(all.flatMap((file, n) => (file.isOpen ? [n] : []))).toEqual(latest.sort())
        expect(files.openCount).toBe(latest.length)
        await Promise.all(all.map((file) => file.close()))
        expect(disk.openNow).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})
