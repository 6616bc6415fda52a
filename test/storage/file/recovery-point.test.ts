/** A recovery point is always true: the newest slot that was written whole, whatever tears or crashes. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeFileSystem } from '../../../storage/file/node-file-system.ts'
import { OpenFiles } from '../../../storage/file/open-files.ts'
import {
  decodeSlot,
  encodeSlot,
  type RecoveryPoint,
  RecoveryPointFile,
  type RecoveryPointUpdate,
  SLOT_BYTES,
} from '../../../storage/file/recovery-point.ts'
import { OFFSET_MAX, toOffset, toPosition } from '../../../storage/record/offsets.ts'
import { SimulatedDisk } from '../../rigs/disk/simulated-disk.ts'
import { HeldFiles, settled } from './held-files.ts'
import { temporaryDirectory } from './temporary-directory.ts'

const PATH = '/data/recovery-point'
const TOPIC_ID = '33294010-c663-4f6c-bbf6-2659b2bf8863'

/** The point after `n` records: every field tells which one it is. */
function point(n: number): RecoveryPointUpdate {
  return {
    segmentBaseOffset: toOffset(n),
    position: toPosition(n * 100),
    flushedOffset: toOffset(n * 10),
    logStartOffset: toOffset(n),
    lastAppendMs: 1_700_000_000_000 + n,
    isRelaxed: n % 2 === 1,
  }
}

const initial = { ...point(0), topicId: TOPIC_ID }

function diskWithDirectory(seed?: number): SimulatedDisk {
  const disk = new SimulatedDisk(seed === undefined ? {} : { seed })
  disk.medium.provideDirectory('/data')
  return disk
}

async function found(disk: SimulatedDisk): Promise<RecoveryPoint> {
  return (await RecoveryPointFile.open(new OpenFiles(disk, 4), PATH)).point
}

async function created(disk: SimulatedDisk, limit = 4) {
  const openFiles = new OpenFiles(disk, limit)
  return { openFiles, file: await RecoveryPointFile.create(openFiles, PATH, initial) }
}

describe('a slot', () => {
  test('comes back field by field, and takes one sector', () => {
    const count = fc.integer({ min: 0, max: OFFSET_MAX })
    const points = fc.record({
      topicId: fc.uuid(),
      segmentBaseOffset: count.map(toOffset),
      position: count.map(toPosition),
      flushedOffset: count.map(toOffset),
      logStartOffset: count.map(toOffset),
      lastAppendMs: fc.maxSafeInteger(),
      counter: count,
      isRelaxed: fc.boolean(),
    })
    fc.assert(
      fc.property(points, (drawn) => {
        const slot = encodeSlot(drawn)
        expect(slot.byteLength).toBe(SLOT_BYTES)
        expect(decodeSlot(slot)).toEqual(drawn)
      }),
    )
  })

  test('says nothing when it is torn, damaged, short or never written', () => {
    const slot = encodeSlot({ ...initial, counter: 7 })
    expect(decodeSlot(Buffer.alloc(SLOT_BYTES))).toBeUndefined()
    expect(decodeSlot(Buffer.alloc(SLOT_BYTES, 0xff))).toBeUndefined()
    expect(decodeSlot(slot.subarray(0, SLOT_BYTES - 1))).toBeUndefined()
    for (let bit = 0; bit < 70 * 8; bit += 1) {
      const turned = Buffer.from(slot)
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeSlot(turned), `bit ${bit}`).toBeUndefined()
    }
  })

  test('looks like this', () => {
    const slot = encodeSlot({
      topicId: TOPIC_ID,
      segmentBaseOffset: toOffset(1),
      position: toPosition(2),
      flushedOffset: toOffset(3),
      logStartOffset: toOffset(4),
      lastAppendMs: -1,
      counter: 2 ** 32,
      isRelaxed: true,
    })
    expect(slot.subarray(0, 67).toString('hex')).toBe(
      [
        '0001',
        TOPIC_ID.replaceAll('-', ''),
        '0000000000000001',
        '0000000000000002',
        '0000000000000003',
        '0000000000000004',
        'ffffffffffffffff',
        '0000000100000000',
        '01',
      ].join(''),
    )
    expect(slot.subarray(71).every((byte) => byte === 0)).toBe(true)
  })
})

describe('the file', () => {
  test('on the real disk: what was recorded last is found, synced or not', async () => {
    const path = `${temporaryDirectory()}/recovery-point`
    const openFiles = new OpenFiles(nodeFileSystem, 4)
    const file = await RecoveryPointFile.create(openFiles, path, initial)
    for (let n = 1; n <= 5; n += 1) {
      await file.record(point(n))
      expect(file.current).toEqual({ ...point(n), topicId: TOPIC_ID, counter: n })
      const again = await RecoveryPointFile.open(openFiles, path)
      expect(again.point).toEqual(file.current)
      await again.file.close()
    }
    await file.sync()
    await file.close()
    expect((await nodeFileSystem.status(path))?.sizeBytes).toBe(2 * SLOT_BYTES)
    expect(openFiles.openCount).toBe(0)
    await expect(RecoveryPointFile.create(openFiles, path, initial)).rejects.toMatchObject({
      code: 'EEXIST',
    })
  })

  test('an open file is written before record returns', async () => {
    const { file } = await created(diskWithDirectory())
    expect(file.record(point(1))).toBeInstanceOf(Promise)
    await settled()
    expect(file.isOpen).toBe(true)
    expect(file.record(point(2))).toBeUndefined()
  })

  test('with one slot torn the other is found, and the next write spares it', async () => {
    for (const last of [4, 5]) {
      const disk = diskWithDirectory()
      const { file } = await created(disk)
      for (let n = 1; n <= last; n += 1) await file.record(point(n))
      disk.medium.corrupt(PATH, (last % 2) * SLOT_BYTES + 20, Buffer.from([0xee]))
      const openFiles = new OpenFiles(disk, 4)
      const reopened = await RecoveryPointFile.open(openFiles, PATH)
      expect(reopened.point).toMatchObject({ ...point(last - 1), counter: last - 1 })
      await reopened.file.record(point(9))
      const slots = disk.medium.contents(PATH)
      const old = decodeSlot(slots.subarray(((last - 1) % 2) * SLOT_BYTES).subarray(0, SLOT_BYTES))
      expect(old?.counter).toBe(last - 1)
      expect(await found(disk)).toMatchObject({ ...point(9), counter: last })
    }
  })

  test.each([
    ['empty', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(2 * SLOT_BYTES)],
    ['too short', encodeSlot({ ...initial, counter: 0 }).subarray(0, 500)],
  ])('%s: an error that names the file', async (_, bytes) => {
    const disk = diskWithDirectory()
    disk.medium.provideFile(PATH, bytes)
    await expect(found(disk)).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      message: expect.stringContaining(PATH),
    })
  })

  test('missing: an error that names the file', async () => {
    await expect(found(diskWithDirectory())).rejects.toMatchObject({
      code: 'KAFKA_STORAGE_ERROR',
      message: expect.stringContaining(PATH),
    })
  })

  test('records while the file opens are written once each turn, the last one last', async () => {
    const held = new HeldFiles()
    const openFiles = new OpenFiles(held.fileSystem, 4)
    const file = await RecoveryPointFile.create(openFiles, PATH, initial)
    held.calls.length = 0
    held.held.add('open').add('write')
    const all = [1, 2, 3].map((n) => file.record(point(n)))
    await settled()
    held.release('open')
    await settled()
    // The file is open now, but a write of the other slot is still on its way: no overtaking.
    all.push(file.record(point(4)))
    held.release('write')
    await settled()
    held.release('write')
    await Promise.all(all)
    expect(held.calls).toEqual([`open ${PATH}`, `write ${PATH}`, `write ${PATH}`])
    expect(file.current).toEqual({ ...point(4), topicId: TOPIC_ID, counter: 2 })
    expect(file.record(point(5))).toBeUndefined()
    expect(file.current.counter).toBe(3)
  })

  test('after a failed write the same slot is tried again, never the good one', async () => {
    const disk = diskWithDirectory()
    const { file } = await created(disk)
    await file.record(point(1))
    disk.faults.failNth(1, 'EIO', { extent: 'partial' })
    expect(() => file.record(point(2))).toThrow(/EIO/)
    expect(await found(disk)).toMatchObject(point(1))
    await file.record(point(3))
    expect(await found(disk)).toMatchObject({ ...point(3), counter: 2 })
  })

  test('sync writes the point again first: its last write may be lost and forgotten', async () => {
    const disk = diskWithDirectory()
    const { file, openFiles } = await created(disk, 1)
    await file.record(point(1))
    disk.medium.provideFile('/data/other', Buffer.alloc(1))
    await openFiles.file('/data/other', 'read').ensureOpen()
    // The kernel writes the slot back, fails, and marks it clean; who hears of it is another handle.
    const stranger = await disk.open(PATH, 'write')
    disk.faults.failNth(1, 'EIO')
    await expect(stranger.sync()).rejects.toThrow(/EIO/)
    await stranger.close()
    await file.sync()
    const durable = disk.medium.durableContents(PATH)
    expect(decodeSlot(durable.subarray(SLOT_BYTES))).toMatchObject({ ...point(1), counter: 1 })
  })

  test('given up and opened again between any two records, it takes turns all the same', async () => {
    const disk = diskWithDirectory()
    const { file, openFiles } = await created(disk, 1)
    disk.medium.provideFile('/data/other', Buffer.alloc(1))
    const other = openFiles.file('/data/other', 'read')
    for (let n = 1; n <= 6; n += 1) {
      await file.record(point(n))
      await other.ensureOpen()
      expect(file.isOpen).toBe(false)
      expect(await found(disk)).toMatchObject({ ...point(n), counter: n })
    }
    await file.sync()
    expect(decodeSlot(disk.medium.durableContents(PATH).subarray(0, SLOT_BYTES))).toMatchObject({
      ...point(6),
      counter: 6,
    })
  })
})

describe('power fails', () => {
  test('anywhere between records and syncs: a point that was recorded, none older than the last sync', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e9 }),
        fc.array(fc.constantFrom('record', 'record', 'record', 'sync'), { maxLength: 12 }),
        async (seed, steps) => {
          const disk = diskWithDirectory(seed)
          const { file } = await created(disk)
          await disk.syncDirectory('/data')
          let synced = 0
          let recorded = 0
          for (const step of steps) {
            if (step === 'sync') {
              await file.sync()
              synced = recorded
            } else {
              recorded += 1
              await file.record(point(recorded))
            }
          }
          const after = await found(disk.clone(seed).powerCut(seed))
          expect(after.counter).toBeGreaterThanOrEqual(synced)
          expect(after.counter).toBeLessThanOrEqual(recorded)
          expect(after).toEqual({
            ...point(after.counter),
            topicId: TOPIC_ID,
            counter: after.counter,
          })
          expect(await found(disk.processKill(seed))).toMatchObject(point(recorded))
        },
      ),
      { numRuns: 200 },
    )
  })
})
