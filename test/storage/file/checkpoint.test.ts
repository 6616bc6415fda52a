/** A checkpoint is the old one or the new one, through any crash; what is neither is an error, never "none". */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeCheckpoint,
  readCheckpoint,
  writeCheckpoint,
} from '../../../storage/file/checkpoint.ts'
import { nodeFileSystem } from '../../../storage/file/node-file-system.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const PATH = '/data/checkpoint'
const VERSION = 3
const OLD = Buffer.from('the old content')
const NEW = Buffer.from('the new content, which is longer'.repeat(40))
/** Calls of one replacement, with room for one more. */
const CALLS_MAX = 8

function diskWith(options: { seed?: number; bytes?: Buffer } = {}): SimulatedDisk {
  const disk = new SimulatedDisk(options.seed === undefined ? {} : { seed: options.seed })
  disk.medium.provideDirectory('/data')
  if (options.bytes !== undefined) disk.medium.provideFile(PATH, options.bytes)
  return disk
}

test('the body comes back, and only to who asks for its version', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), fc.nat({ max: 0xffff }), async (body, version) => {
      const disk = diskWith()
      await writeCheckpoint(disk, PATH, version, body)
      expect(await readCheckpoint(disk, PATH, version)).toEqual(Buffer.from(body))
      await expect(readCheckpoint(disk, PATH, (version + 1) & 0xffff)).rejects.toThrow(
        `it has version ${version}, this program knows`,
      )
    }),
    { numRuns: 50 },
  )
})

test('on the real disk it replaces, and leaves nothing else behind', async () => {
  const directory = temporaryDirectory()
  const path = `${directory}/checkpoint`
  expect(await readCheckpoint(nodeFileSystem, path, VERSION)).toBeUndefined()
  for (const body of [NEW, OLD, Buffer.alloc(0)]) {
    await writeCheckpoint(nodeFileSystem, path, VERSION, body)
    expect(await readCheckpoint(nodeFileSystem, path, VERSION)).toEqual(body)
  }
  expect(await nodeFileSystem.list(directory)).toEqual([{ name: 'checkpoint', isDirectory: false }])
})

describe('power fails at the n-th call of a replacement', () => {
  const seeds = Array.from({ length: 25 }, (_, n) => n + 1)

  test.each([
    ['with an old one', encodeCheckpoint(VERSION, OLD), OLD],
    ['without', undefined, undefined],
  ])('%s: the old or the new is found, and the next replacement works', async (_, bytes, old) => {
    const found = new Set<string>()
    for (let n = 1; n <= CALLS_MAX; n += 1) {
      for (const seed of seeds) {
        const disk = diskWith({ seed, ...(bytes === undefined ? {} : { bytes }) })
        disk.faults.haltAtNth(n)
        const outcome = await Promise.race([
          writeCheckpoint(disk, PATH, VERSION, NEW).then(() => 'written'),
          disk.halted.then(() => 'halted'),
        ])
        const after = disk.powerCut(seed)
        const body = await readCheckpoint(after, PATH, VERSION)
        const isNew = body?.equals(NEW) ?? false
        if (!isNew) expect(body, `seed ${seed}, call ${n}`).toEqual(old)
        if (outcome === 'written') expect(isNew, `seed ${seed}`).toBe(true)
        found.add(`${outcome}: ${isNew ? 'new' : 'old'}`)
        await writeCheckpoint(after, PATH, VERSION, OLD)
        expect(await readCheckpoint(after, PATH, VERSION)).toEqual(OLD)
      }
    }
    // Or the loop did not reach both sides of the change.
    expect([...found].sort()).toEqual(['halted: new', 'halted: old', 'written: new'])
  })
})

test('the n-th call fails: the replacement says so, and old or new is still there', async () => {
  let failed = 0
  for (let n = 1; n <= CALLS_MAX; n += 1) {
    for (const code of ['EIO', 'ENOSPC']) {
      const disk = diskWith({ bytes: encodeCheckpoint(VERSION, OLD) })
      disk.faults.failNth(n, code)
      const error = await writeCheckpoint(disk, PATH, VERSION, NEW).catch((caught) => caught)
      disk.faults.clear()
      if (error === undefined) continue
      failed += 1
      expect(error).toMatchObject({ code })
      const body = await readCheckpoint(disk, PATH, VERSION)
      if (!body?.equals(NEW)) expect(body).toEqual(OLD)
      expect(disk.openPaths).toEqual([])
      await writeCheckpoint(disk, PATH, VERSION, NEW)
      expect(await readCheckpoint(disk, PATH, VERSION)).toEqual(NEW)
    }
  }
  expect(failed).toBeGreaterThanOrEqual(2 * 5)
})

test('a failed write on a full disk leaves no half file that takes up room', async () => {
  const disk = diskWith({ bytes: encodeCheckpoint(VERSION, OLD) })
  disk.faults.failNth(1, 'ENOSPC', { which: (call) => call.operation === 'write' })
  await expect(writeCheckpoint(disk, PATH, VERSION, NEW)).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(disk.medium.paths('/data')).toEqual([PATH])
})

describe('a file that is no checkpoint', () => {
  const whole = encodeCheckpoint(VERSION, OLD)

  test('empty, cut short, grown, or with any bit turned: an error that names it', async () => {
    const damaged: Buffer[] = [
      Buffer.alloc(0),
      Buffer.alloc(whole.length),
      Buffer.concat([whole, whole]),
    ]
    for (let bytes = 1; bytes < whole.length; bytes += 1) damaged.push(whole.subarray(0, bytes))
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      const turned = Buffer.from(whole)
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      damaged.push(turned)
    }
    const disk = diskWith()
    for (const bytes of damaged) {
      disk.medium.provideFile(PATH, bytes)
      await expect(readCheckpoint(disk, PATH, VERSION)).rejects.toMatchObject({
        code: 'KAFKA_STORAGE_ERROR',
        message: expect.stringContaining(PATH),
        values: { path: PATH },
      })
    }
  })

  test('a disk that can not read it says its own error', async () => {
    const disk = diskWith({ bytes: whole })
    disk.faults.failNth(1, 'EIO')
    await expect(readCheckpoint(disk, PATH, VERSION)).rejects.toMatchObject({ code: 'EIO' })
  })
})
