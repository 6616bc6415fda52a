/** The simulated disk when it is told to fail: the n-th call, a sync that lies, no room. */

import { describe, expect, test } from 'vitest'
import { SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.ts'

async function diskWithFile(options: SimulatedDiskOptions = {}) {
  const disk = new SimulatedDisk(options)
  disk.medium.provideDirectory('/data')
  disk.medium.provideFile('/data/a', Buffer.alloc(512, 'A'))
  return { disk, file: await disk.open('/data/a', 'write') }
}

const text = (disk: SimulatedDisk) => disk.medium.contents('/data/a').toString('latin1')
const grown = `${'A'.repeat(512)}${'B'.repeat(512)}`
const tail = Buffer.alloc(512, 'B')

describe('the n-th call', () => {
  test('fails, and only that one', async () => {
    const { disk, file } = await diskWithFile()
    disk.faults.failNth(2, 'EIO')
    await file.write([tail], 512)
    await expect(file.write([tail], 1024)).rejects.toMatchObject({ code: 'EIO' })
    expect(text(disk)).toBe(grown)
    await file.write([tail], 0)
    expect(disk.faults.calls.map((call) => call.operation)).toEqual([
      'open',
      'write',
      'write',
      'write',
    ])
    expect(disk.faults.calls[3]).toEqual({ n: 4, operation: 'write', path: '/data/a' })
  })

  test('counts only what is asked for', async () => {
    const { disk, file } = await diskWithFile()
    disk.faults.failNth(2, 'EIO', { which: (call) => call.operation === 'sync' })
    await file.sync()
    await file.write([tail], 512)
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
  })

  test('may have been done though it says it failed', async () => {
    const { disk, file } = await diskWithFile()
    disk.faults.failNth(1, 'EIO', { extent: 'done' })
    await expect(file.write([tail], 512)).rejects.toMatchObject({ code: 'EIO' })
    expect(text(disk)).toBe(grown)
    disk.faults.failNth(1, 'EIO', { extent: 'done' })
    await expect(disk.rename('/data/a', '/data/b')).rejects.toMatchObject({ code: 'EIO' })
    expect(disk.medium.exists('/data/b')).toBe(true)
  })

  test('may have been half done', async () => {
    const { disk, file } = await diskWithFile()
    disk.faults.failNth(1, 'ENOSPC', { extent: 'partial' })
    await expect(file.write([tail], 512)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(text(disk).length).toBeGreaterThan(512)
    expect(text(disk).length).toBeLessThan(1024)
  })

  test('may be a synchronous one', async () => {
    const { disk, file } = await diskWithFile()
    disk.faults.failWhen((call) => call.operation === 'writeNow', 'EIO')
    expect(() => file.writeNow(tail, 0)).toThrow('EIO')
    disk.faults.clear()
    file.writeNow(tail, 512)
    expect(text(disk)).toBe(grown)
  })

  test('may be where the machine stops: nothing answers from there on', async () => {
    const { disk, file } = await diskWithFile({ seed: 3 })
    disk.faults.haltAtNth(2)
    await file.write([tail], 512)
    let answered = false
    const answer = () => {
      answered = true
    }
    void file.sync().then(answer, answer)
    void file.write([tail], 0).then(answer, answer)
    await disk.halted
    expect(() => file.writeNow(tail, 0)).toThrow('power is off')
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(answered).toBe(false)
    expect(disk.isAlive).toBe(false)
    const synced = new Set(
      Array.from({ length: 100 }, (_, seed) => text(disk.clone(seed).powerCut(seed))),
    )
    expect(synced).toContain(grown)
    expect(synced).toContain('A'.repeat(512))
  })
})

describe('a failed sync', () => {
  test('is followed by one that succeeds, and the bytes are gone after the next power cut', async () => {
    const { disk, file } = await diskWithFile()
    await file.write([tail], 512)
    disk.faults.failNth(1, 'EIO')
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    await file.sync()
    expect(text(disk)).toBe(grown)
    const after = text(disk.powerCut(1))
    expect(after).toBe(`${'A'.repeat(512)}${'\0'.repeat(512)}`)
  })

  test('may have saved some sectors or all', async () => {
    const survivors = new Set<string>()
    for (let seed = 1; seed <= 60; seed++) {
      const { disk, file } = await diskWithFile({ seed })
      await file.write([tail], 512)
      disk.faults.failNth(1, 'EIO', { extent: seed % 2 === 0 ? 'partial' : 'done' })
      await expect(file.sync()).rejects.toThrow('EIO')
      await file.sync()
      survivors.add(text(disk.powerCut(seed)))
    }
    expect(survivors).toContain(grown)
    expect(survivors).toContain(`${'A'.repeat(512)}${'\0'.repeat(512)}`)
  })

  test('is made good by writing the bytes again, also a part of a sector', async () => {
    const { disk, file } = await diskWithFile()
    await file.write([tail], 512)
    disk.faults.failNth(1, 'EIO')
    await expect(file.sync()).rejects.toThrow('EIO')
    await file.write([Buffer.from('B')], 600)
    await file.sync()
    expect(text(disk.powerCut(1))).toBe(grown)
  })

  test('takes nothing that an earlier one had made durable', async () => {
    const { disk, file } = await diskWithFile()
    await file.write([tail], 512)
    await file.sync()
    await file.write([Buffer.alloc(512, 'C')], 1024)
    disk.faults.failNth(1, 'EIO')
    await expect(file.sync()).rejects.toThrow('EIO')
    for (let seed = 0; seed < 50; seed++) {
      expect(text(disk.clone(seed).powerCut(seed)).startsWith(grown)).toBe(true)
    }
  })
})

describe('a full disk', () => {
  test('takes what fits, says ENOSPC, and goes on when there is room', async () => {
    const { disk, file } = await diskWithFile({ capacityBytes: 800 })
    expect(await disk.freeBytes('/data')).toBe(288)
    await expect(file.write([tail], 512)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(text(disk)).toHaveLength(800)
    await file.truncate(512)
    await file.write([Buffer.alloc(200, 'C')], 512)
    await file.write([Buffer.alloc(512, 'D')], 0)
    disk.capacityBytes = 2000
    await file.write([tail], 712)
    expect(text(disk)).toHaveLength(1224)
  })

  test('may say so only at the sync, and lose the bytes there', async () => {
    const { disk, file } = await diskWithFile({ capacityBytes: 800, fullAt: 'sync' })
    await file.write([tail], 512)
    await expect(file.sync()).rejects.toMatchObject({ code: 'ENOSPC' })
    disk.capacityBytes = 8000
    await file.sync()
    expect(text(disk)).toBe(grown)
    expect(text(disk.powerCut(1))).not.toBe(grown)
  })
})
