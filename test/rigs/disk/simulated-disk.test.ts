/**
 * The simulated disk against the rules it stands for: what a power cut and a kill take, and what they must
 * leave. A disk that lies would make every test on it worthless.
 */

import { describe, expect, test } from 'vitest'
import { SimulatedDisk } from './simulated-disk.ts'

const SEEDS = Array.from({ length: 300 }, (_, index) => index + 1)

async function diskWithFile(bytes: Uint8Array, options: { seed?: number } = {}) {
  const disk = new SimulatedDisk(options)
  disk.medium.provideDirectory('/data')
  disk.medium.provideFile('/data/a', bytes)
  return { disk, file: await disk.open('/data/a', 'write') }
}

/** What `look` sees over many power cuts of one state, each different answer once. */
function outcomes(disk: SimulatedDisk, look: (after: SimulatedDisk) => string): Set<string> {
  return new Set(SEEDS.map((seed) => look(disk.clone(seed).powerCut(seed))))
}

const sector = (letter: string) => Buffer.alloc(512, letter)
const shape = (bytes: Buffer) =>
  [...Array(Math.ceil(bytes.length / 512)).keys()]
    .map((index) => {
      const part = bytes.subarray(index * 512, index * 512 + 512)
      const first = part[0] as number
      expect(part.every((byte) => byte === first)).toBe(true)
      return first === 0 ? '.' : String.fromCharCode(first)
    })
    .join('')

describe('a power cut', () => {
  test('keeps synced bytes on every seed', async () => {
    const { disk, file } = await diskWithFile(Buffer.alloc(0))
    await file.write([sector('A'), Buffer.alloc(100, 'B')], 0)
    await file.sync()
    await file.write([Buffer.alloc(2000, 'C')], 612)
    for (const seed of SEEDS) {
      const after = disk.clone(seed).powerCut(seed).medium.contents('/data/a')
      expect(after.subarray(0, 612)).toEqual(Buffer.concat([sector('A'), Buffer.alloc(100, 'B')]))
    }
  })

  test('keeps, drops, tears and punches holes into unsynced bytes, by the seed', async () => {
    const { disk, file } = await diskWithFile(Buffer.concat([sector('A'), sector('A')]))
    await file.write([sector('B'), sector('B'), sector('B')], 512)
    const seen = outcomes(disk, (after) => shape(after.medium.contents('/data/a')))
    for (const expected of ['AA', 'ABBB', 'AB', 'AA.B', 'AB.B', 'AA..', 'ABB']) {
      expect(seen).toContain(expected)
    }
    for (const outcome of seen) expect(outcome).toMatch(/^A[AB][B.]?[B.]?$/)
  })

  test('leaves a sector in a state it really had, never a mixture of two writes', async () => {
    const { disk, file } = await diskWithFile(sector('A'))
    await file.write([Buffer.alloc(100, 'B')], 0)
    await file.write([Buffer.alloc(100, 'C')], 100)
    const seen = outcomes(disk, (after) => {
      const bytes = after.medium.contents('/data/a').toString('latin1')
      return `${bytes[0]}${bytes[100]}${bytes[200]}`
    })
    expect(seen).toEqual(new Set(['AAA', 'BAA', 'BCA']))
  })

  test('brings back what an unsynced truncation cut off', async () => {
    const { disk, file } = await diskWithFile(Buffer.concat([sector('A'), sector('B')]))
    await file.truncate(512)
    expect(shape(disk.medium.contents('/data/a'))).toBe('A')
    const seen = outcomes(disk, (after) => shape(after.medium.contents('/data/a')))
    expect(seen).toContain('A')
    expect(seen).toContain('AB')
  })

  test('can not undo a synced truncation, nor show old bytes where the file grows again', async () => {
    const { disk, file } = await diskWithFile(Buffer.concat([sector('A'), sector('B')]))
    await file.truncate(512)
    await file.sync()
    await file.truncate(1024)
    const seen = outcomes(disk, (after) => shape(after.medium.contents('/data/a')))
    for (const outcome of seen) expect(outcome).toMatch(/^A\.?$/)
  })

  test('keeps a sync that was asked for before a later write, not the later write', async () => {
    const { disk, file } = await diskWithFile(Buffer.alloc(0))
    await file.write([sector('A')], 0)
    const synced = file.sync()
    await file.write([sector('B')], 512)
    await synced
    const seen = outcomes(disk, (after) => shape(after.medium.contents('/data/a')))
    expect(seen).toContain('A')
    expect(seen).toContain('AB')
    expect(seen).not.toContain('')
  })

  test('ends the old disk: its files refuse, the new one goes on', async () => {
    const { disk, file } = await diskWithFile(sector('A'))
    const after = disk.powerCut(1)
    await expect(file.write([sector('B')], 0)).rejects.toMatchObject({ code: 'EBADF' })
    await expect(disk.readFile('/data/a')).rejects.toMatchObject({ code: 'EBADF' })
    expect(() => file.writeNow(sector('B'), 0)).toThrow('EBADF')
    expect(shape(await after.readFile('/data/a'))).toBe('A')
  })

  test('comes out the same for the same seed', async () => {
    const { disk, file } = await diskWithFile(sector('A'))
    await file.write([Buffer.alloc(5000, 'B')], 0)
    const once = disk.clone(7).powerCut(7).medium.contents('/data/a')
    expect(disk.clone(7).powerCut(7).medium.contents('/data/a')).toEqual(once)
  })
})

describe('names', () => {
  test('of new files last only once their directory is synced, whether or not the file is', async () => {
    const { disk } = await diskWithFile(sector('A'))
    const created = await disk.open('/data/new', 'create')
    await created.write([sector('B')], 0)
    await created.sync()
    const look = (after: SimulatedDisk) => String(after.medium.exists('/data/new'))
    expect(outcomes(disk, look)).toEqual(new Set(['true', 'false']))
    await disk.syncDirectory('/data')
    expect(outcomes(disk, look)).toEqual(new Set(['true']))
  })

  test('of unsynced files may outlive their bytes', async () => {
    const { disk } = await diskWithFile(sector('A'))
    const created = await disk.open('/data/new', 'create')
    await disk.syncDirectory('/data')
    await created.write([sector('B')], 0)
    const seen = outcomes(disk, (after) => shape(after.medium.contents('/data/new')))
    expect(seen).toContain('')
    expect(seen).toContain('.')
    expect(seen).toContain('B')
  })

  test('renamed come back as they were without syncDirectory, never as both or neither', async () => {
    const { disk } = await diskWithFile(sector('A'))
    disk.medium.provideFile('/data/b', sector('B'))
    await disk.rename('/data/b', '/data/a')
    const look = (after: SimulatedDisk) =>
      `${shape(after.medium.contents('/data/a'))} ${after.medium.exists('/data/b')}`
    expect(outcomes(disk, look)).toEqual(new Set(['A true', 'B false']))
    await disk.syncDirectory('/data')
    expect(outcomes(disk, look)).toEqual(new Set(['B false']))
  })

  test('removed come back without syncDirectory', async () => {
    const { disk } = await diskWithFile(sector('A'))
    await disk.removeFile('/data/a')
    const look = (after: SimulatedDisk) => String(after.medium.exists('/data/a'))
    expect(outcomes(disk, look)).toEqual(new Set(['true', 'false']))
    await disk.syncDirectory('/data')
    expect(outcomes(disk, look)).toEqual(new Set(['false']))
  })

  test('in one directory are lost latest first, in two directories independently', async () => {
    const { disk } = await diskWithFile(sector('A'))
    disk.medium.provideDirectory('/other')
    await disk.open('/data/1', 'create')
    await disk.open('/other/x', 'create')
    await disk.open('/data/2', 'create')
    const seen = outcomes(disk, (after) =>
      ['/data/1', '/data/2', '/other/x'].map((path) => Number(after.medium.exists(path))).join(''),
    )
    expect(seen).toEqual(new Set(['000', '001', '100', '101', '110', '111']))
  })

  test('of a directory synced in itself can still be lost with all in it', async () => {
    const { disk } = await diskWithFile(sector('A'))
    await disk.createDirectory('/data/sub')
    await disk.open('/data/sub/x', 'create')
    await disk.syncDirectory('/data/sub')
    const look = (after: SimulatedDisk) => String(after.medium.exists('/data/sub/x'))
    expect(outcomes(disk, look)).toEqual(new Set(['true', 'false']))
  })

  test('are covered by each of two syncs that overlap, up to its own call', async () => {
    for (const seed of SEEDS.slice(0, 40)) {
      const { disk } = await diskWithFile(sector('A'), { seed })
      await disk.open('/data/1', 'create')
      const first = disk.syncDirectory('/data')
      await disk.open('/data/2', 'create')
      await Promise.all([first, disk.syncDirectory('/data')])
      const after = disk.powerCut(seed)
      expect([after.medium.exists('/data/1'), after.medium.exists('/data/2')]).toEqual([true, true])
    }
  })

  test('are refused as the real file system refuses them', async () => {
    const { disk } = await diskWithFile(sector('A'))
    await disk.createDirectory('/data/full/inner')
    await expect(disk.open('/data/a', 'create')).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(disk.open('/data/none', 'read')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.readFile('/data/none')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.removeFile('/data/none')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.removeFile('/data/full')).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(disk.removeDirectory('/data/full')).rejects.toMatchObject({ code: 'ENOTEMPTY' })
    await expect(disk.list('/data/a')).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(disk.rename('/data/none', '/data/b')).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(disk.rename('/data/a', '/b')).rejects.toMatchObject({ code: 'EXDEV' })
    expect(await disk.status('/data/none')).toBeUndefined()
    expect(await disk.status('/data/a/b')).toBeUndefined()
  })
})

describe('a killed process', () => {
  test('loses its handles and locks and nothing that was written', async () => {
    const { disk, file } = await diskWithFile(sector('A'))
    await file.write([sector('B')], 512)
    disk.directoryLock.acquire('/data')
    expect(() => disk.directoryLock.acquire('/data')).toThrow('in use')
    const after = disk.processKill(1)
    expect(shape(after.medium.contents('/data/a'))).toBe('AB')
    after.directoryLock.acquire('/data').release()
    expect(after.openPaths).toEqual([])
    await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
  })

  test('leaves unsynced bytes unsynced: a power cut after the restart still takes them', async () => {
    const { disk, file } = await diskWithFile(sector('A'))
    await file.write([sector('B')], 512)
    const after = disk.processKill(1)
    expect(outcomes(after, (cut) => shape(cut.medium.contents('/data/a')))).toContain('A')
  })

  test('leaves what it had in flight done, undone or half done', async () => {
    const { disk, file } = await diskWithFile(Buffer.alloc(0))
    void file.write([sector('B'), sector('B')], 0)
    const lengths = new Set(SEEDS.map((seed) => disk.clone(seed).medium.contents('/data/a').length))
    expect(lengths).toContain(0)
    expect(lengths).toContain(1024)
    expect(lengths.size).toBeGreaterThan(2)
  })
})

test('a copy and its original do not share anything', async () => {
  const { disk, file } = await diskWithFile(sector('A'))
  await file.write([sector('B')], 512)
  const copy = disk.clone(1)
  await file.write([sector('C')], 0)
  await file.sync()
  const other = await copy.open('/data/a', 'write')
  await other.truncate(0)
  await copy.open('/data/only-there', 'create')
  expect(shape(disk.medium.contents('/data/a'))).toBe('CB')
  expect(copy.medium.contents('/data/a')).toHaveLength(0)
  expect(disk.medium.exists('/data/only-there')).toBe(false)
})

test('calls overtake each other by the seed, and a file closes only after its last operation', async () => {
  const orders = new Set<string>()
  for (const seed of SEEDS.slice(0, 40)) {
    const { disk, file } = await diskWithFile(sector('A'), { seed })
    const order: string[] = []
    const writes = ['1', '2', '3'].map((name) =>
      file.write([sector(name)], 0).then(() => order.push(name)),
    )
    const closed = file.close().then(() => order.push('closed'))
    await expect(file.read(Buffer.alloc(1), 0)).rejects.toMatchObject({ code: 'ECLOSED' })
    await Promise.all([...writes, closed])
    expect(order.at(-1)).toBe('closed')
    expect(disk.openPaths).toEqual([])
    orders.add(order.join(' '))
  }
  expect(orders.size).toBe(6)
})
