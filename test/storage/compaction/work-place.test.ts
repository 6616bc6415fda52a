/** The heavy part of a compaction on a thread of its own: the same work, and nothing lost when it ends. */

import { describe, expect, test } from 'vitest'
import type { Piece } from '../../../storage/compaction/compaction-work.ts'
import {
  type WorkPlace,
  workPlaceHere,
  workPlaceInThread,
} from '../../../storage/compaction/work-place.ts'
import { toOffset } from '../../../storage/record/offsets.ts'
import { RecordBatch } from '../../../storage/record/record-batch.ts'
import { batchesIn } from '../log/engine.ts'
import { compactNow, keyedBatch, put, startCompacted, wordsOf } from './keyed-log.ts'

const PLACES: readonly [string, () => WorkPlace][] = [
  ['here', workPlaceHere],
  ['in a thread', workPlaceInThread],
]
const DIRTY = {
  firstDirty: 0,
  endOffset: 6,
  mapBytesMax: 10_000,
  maxDecompressedBytes: 10_000,
}
const RULES = {
  mapEnd: 6,
  logStartOffset: 0,
  nowMs: 1_000,
  deleteRetentionMs: 1_000,
  newestOfProducers: new Set<number>(),
}

/** `a=1 b=1`, `a=2`, `c=1 d=∅ b=2`, as they stand in a segment. */
function segmentBytes(): Buffer {
  const batches = [
    keyedBatch([
      ['a', '1'],
      ['b', '1'],
    ]),
    keyedBatch([['a', '2']], { compression: 'lz4' }),
    keyedBatch([
      ['c', '1'],
      ['d', null],
      ['b', '2'],
    ]),
  ]
  for (const [index, bytes] of batches.entries()) {
    new RecordBatch(bytes).assign(toOffset([0, 2, 3][index]!), 4)
  }
  return Buffer.concat(batches)
}

/** In memory of its own, which is handed over. */
function pieceOf(bytes: Buffer, nextOffset = 0): Piece {
  return { bytes: new Uint8Array(bytes), nextOffset, leaderEpoch: -1 }
}

describe.each(PLACES)('%s', (_, open) => {
  async function at<T>(use: (work: WorkPlace) => Promise<T>): Promise<T> {
    const work = open()
    try {
      await work.begin(DIRTY)
      return await use(work)
    } finally {
      await work.close()
    }
  }

  test('keys are noted, and what is left comes back as whole batches without a gap', async () => {
    await at(async (work) => {
      const bytes = segmentBytes()
      expect(await work.note(pieceOf(bytes))).toMatchObject({
        usedBytes: bytes.length,
        nextOffset: 6,
        leaderEpoch: 4,
        problem: undefined,
        isFull: false,
      })
      await work.beginCopies(RULES)
      await work.beginSegment(0)
      const copied = await work.copy(pieceOf(bytes))
      expect(copied).toMatchObject({ usedBytes: bytes.length, isWhole: false })
      const end = await work.endSegment(9)
      const made = batchesIn(Buffer.concat([copied.output, end]))
      expect(made.map((batch) => [batch.baseOffset, batch.lastOffset, batch.recordCount])).toEqual([
        [0, 1, 0],
        [2, 2, 1],
        [3, 5, 3],
        [6, 8, 0],
      ])
      expect(made.every((batch) => batch.hasValidCrc())).toBe(true)
      expect(made[2]!.deleteHorizonMs).toBe(2_000)
      expect(await work.end()).toMatchObject({ keys: 4, recordsRead: 6, recordsKept: 4 })
    })
  })

  test('a piece is used up to its last whole batch, and says what the next one needs', async () => {
    await at(async (work) => {
      const bytes = segmentBytes()
      const [first, second] = batchesIn(bytes)
      const cut = bytes.subarray(0, first!.sizeBytes + 80)
      const noted = await work.note(pieceOf(cut))
      expect(noted).toMatchObject({
        usedBytes: first!.sizeBytes,
        nextOffset: 2,
        neededBytes: second!.sizeBytes,
      })
      expect(noted.bytes.buffer.byteLength).toBe(cut.length)
      const header = await work.note(pieceOf(bytes.subarray(0, 30)))
      expect(header).toMatchObject({ usedBytes: 0, neededBytes: 61 })
    })
  })

  test('unsound bytes are told with their place, and nothing is made of them', async () => {
    await at(async (work) => {
      const bytes = segmentBytes()
      const at = batchesIn(bytes)[0]!.sizeBytes
      bytes[at + 70]! ^= 1
      const noted = await work.note(pieceOf(bytes))
      expect(noted.problem).toEqual({ at, reason: 'checksum differs', isCorruption: true })
      const elsewhere = await work.note(pieceOf(segmentBytes(), 7))
      expect(elsewhere.problem).toMatchObject({ at: 0, reason: 'offset 0 where 7 should follow' })
    })
  })

  test('a batch that would become too large is told, and no corruption', async () => {
    const work = open()
    try {
      await work.begin({ ...DIRTY, maxDecompressedBytes: 10 })
      const noted = await work.note(pieceOf(segmentBytes()))
      expect(noted.problem).toMatchObject({
        isCorruption: false,
        reason: expect.stringContaining('more than 10 bytes'),
      })
    } finally {
      await work.close()
    }
  })

  test('a new compaction knows nothing of one that was left in the middle', async () => {
    await at(async (work) => {
      await work.note(pieceOf(segmentBytes()))
      await work.begin({ ...DIRTY, endOffset: 1 })
      expect(await work.end()).toMatchObject({ keys: 0, recordsRead: 0 })
      await expect(work.end()).rejects.toThrow('no compaction was begun')
    })
  })

  test('a whole log is compacted there', async () => {
    const { log } = await startCompacted({ 'segment.bytes': 1_024 })
    for (let round = 0; round < 50; round++) await put(log, `a=${round} b=${round} c= k${round}=1`)
    await log.roll()
    const work = open()
    try {
      await compactNow(log, { work, bufferBytes: 200 })
    } finally {
      await work.close()
    }
    const words = await wordsOf(log)
    expect(words).toMatch(/196:a=49 197:b=49 198:c= 199:k49=1$/)
    expect(words.split(' ')).toHaveLength(53)
  })
})

test('when the thread ends in the middle, the log is as it was, says so, and is compacted by another', async () => {
  const { log } = await startCompacted()
  await put(log, 'a=1 a=2')
  await log.roll()
  const work = workPlaceInThread()
  const compacting = compactNow(log, { work })
  await work.close()
  await expect(compacting).rejects.toThrow(/the thread ended/)
  expect(log.compaction.failure).toContain('internal error')
  expect(await wordsOf(log)).toBe('0:a=1 1:a=2')
  await expect(work.begin(DIRTY)).rejects.toThrow(/the thread ended/)
  const next = workPlaceInThread()
  await compactNow(log, { work: next })
  await next.close()
  expect(await wordsOf(log)).toBe('1:a=2')
  expect(log.compaction.failure).toBeUndefined()
})
